"""A value in a unit of Grafana's, as a person reads it."""

import math
from collections.abc import Sequence

from k8s.monitoring.panel import Unit

Steps = Sequence[tuple[float, str]]

_SECONDS: Steps = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs"))
_BYTES: Steps = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))
_RATES: Steps = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1, "B/s"))
_SCALED: dict[Unit, Steps] = {"s": _SECONDS, "bytes": _BYTES, "Bps": _RATES}
_AFTER: dict[Unit, str] = {"watt": " W", "celsius": " °C", "joule": " J", "cpm": "/min", "cps": "/s", "short": ""}


def figure(value: float, unit: Unit) -> str:
    """Return a value with its unit, in three digits."""
    if not math.isfinite(value):
        return "no value"
    if unit == "percentunit":
        return f"{_digits(value * 100)} %"
    if unit in _SCALED:
        return _scaled(value, _SCALED[unit])
    return f"{_digits(value)}{_AFTER[unit]}"


def _scaled(value: float, steps: Steps) -> str:
    size, name = next((step for step in steps if abs(value) >= step[0]), steps[-1])
    return f"{_digits(value / size)} {name}" if value else "0"


def _digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
