"""`python -m k8s.monitoring.preview URL`: what the dashboards show of a Prometheus, as pictures, without a Grafana.

The panels' own queries are asked, and drawn where the dashboards' JSON places them.
"""

import argparse
import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from k8s.monitoring.figure import figure
from k8s.monitoring.panel import Unit

DASHBOARDS = Path(__file__).parent / "dashboards"
_COLUMNS, _WIDTH_INCHES, _ROW_INCHES, _MARGIN_INCHES = 24, 21.0, 0.42, 0.9
_PAGE, _PANEL, _INK, _FAINT, _LIMIT = "#f4f5f7", "#ffffff", "#1f2430", "#6b7280", "#c4162a"
_LETTERS_IN_LEGEND = 100
_HOUR = 3_600.0


@dataclass(frozen=True)
class Line:
    """One answer to a query: what it is called, and its values over time (Unix seconds)."""

    name: str
    times: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Window:
    """The time that is drawn: Unix seconds, the seconds between two points, and what rates are taken over."""

    start: float
    end: float
    step: float
    rate: str

    def ask(self, prometheus: httpx.Client, panel: Mapping[str, Any]) -> list[Line]:
        """Return what a panel's queries give; raises HTTPStatusError where Prometheus takes one for none."""
        return [line for target in panel["targets"] for line in self._lines(prometheus, target)]

    def _lines(self, prometheus: httpx.Client, target: Mapping[str, Any]) -> list[Line]:
        query = target["expr"].replace("$__rate_interval", self.rate)
        asked = {"query": query, "start": self.start, "end": self.end, "step": self.step}
        answer = prometheus.get("/api/v1/query_range", params=asked).raise_for_status().json()
        return [_line(found, target["legendFormat"]) for found in answer["data"]["result"]]


def main() -> None:
    """Draw every dashboard."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="of a Prometheus, such as http://127.0.0.1:9090")
    parser.add_argument("--minutes", type=float, default=360, help="that are drawn (360)")
    parser.add_argument("--rate", default="1m", help="what rates are taken over (1m)")
    parser.add_argument("--out", type=Path, default=Path("build/dashboards"), help="a folder (build/dashboards)")
    arguments = parser.parse_args()
    for path in preview(arguments.url, arguments.out, minutes=arguments.minutes, rate=arguments.rate):
        print(path)


def preview(url: str, out: Path, *, minutes: float, rate: str, note: str = "") -> list[Path]:
    """Draw every dashboard of the last `minutes` into `out`, with a note at its foot; return the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    end = time.time()
    window = Window(end - minutes * 60, end, max(1.0, minutes * 60 / 300), rate)
    with httpx.Client(base_url=url, timeout=60) as prometheus:
        return [_drawn(path, out, prometheus, window, note) for path in sorted(DASHBOARDS.glob("*.json"))]


def _drawn(path: Path, out: Path, prometheus: httpx.Client, window: Window, note: str) -> Path:
    dashboard = json.loads(path.read_text())
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    height = rows * _ROW_INCHES + 2 * _MARGIN_INCHES
    with mpl.rc_context(
        {"font.size": 9, "text.color": _INK, "axes.edgecolor": "#d0d4da", "font.family": "DejaVu Sans"}
    ):
        page = Figure(figsize=(_WIDTH_INCHES, height), facecolor=_PAGE)
        page.text(0.012, 1 - 0.45 / height, dashboard["title"], fontsize=19, weight="bold", va="center")
        page.text(
            0.988, 1 - 0.45 / height, dashboard["description"], color=_FAINT, va="center", ha="right", fontsize=11
        )
        page.text(0.012, 0.4 / height, note, color=_LIMIT, va="center", fontsize=10)
        for panel in dashboard["panels"]:
            _draw(page, panel, _place(panel["gridPos"], height), lambda panel: window.ask(prometheus, panel), window)
        picture = out / f"{path.stem}.png"
        page.savefig(picture, dpi=110)
    return picture


def _place(at: Mapping[str, int], height: float) -> tuple[float, float, float, float]:
    """Return left, bottom, width and height on the page, from a place in the grid."""
    across = 0.98 / _COLUMNS
    bottom = height - _MARGIN_INCHES - (at["y"] + at["h"]) * _ROW_INCHES
    return (0.01 + at["x"] * across, bottom / height, at["w"] * across, at["h"] * _ROW_INCHES / height)


def _draw(
    page: Figure,
    panel: Mapping[str, Any],
    place: tuple[float, float, float, float],
    ask: Callable[[Mapping[str, Any]], list[Line]],
    window: Window,
) -> None:
    left, bottom, width, height = place
    if panel["type"] == "row":
        page.text(left + 0.002, bottom + height * 0.35, panel["title"], fontsize=13, weight="bold", va="center")
        return
    _draw_card(page, panel["title"], place)
    inches = page.get_figheight()
    if panel["type"] == "stat":
        _draw_numbers(page, panel, ask(panel), place)
        return
    inner = (left + 0.034, bottom + 0.85 / inches, width - 0.044, height - 1.3 / inches)
    _draw_lines(page.add_axes(inner), panel, ask(panel), window)


def _draw_card(page: Figure, title: str, place: tuple[float, float, float, float]) -> None:
    left, bottom, width, height = place
    gap, inches = 0.002, page.get_figheight()
    card = page.add_axes((left + gap, bottom + 0.04 / inches, width - 2 * gap, height - 0.08 / inches))
    card.set(xticks=[], yticks=[], facecolor=_PANEL)
    page.text(left + 0.006, bottom + height - 0.24 / inches, title, weight="bold", va="center", fontsize=10)


def _draw_numbers(
    page: Figure, panel: Mapping[str, Any], lines: Sequence[Line], place: tuple[float, float, float, float]
) -> None:
    left, bottom, width, height = place
    named, unit = panel["options"]["textMode"] == "name", panel["fieldConfig"]["defaults"]["unit"]
    said = [line.name if named else figure(line.values[-1], unit) for line in lines] or ["no data"]
    beneath = "" if named else ", ".join(line.name for line in lines)
    middle, inches = left + width / 2, page.get_figheight()
    page.text(middle, bottom + height * 0.46, "\n".join(said), fontsize=11 if named else 20, va="center", ha="center")
    page.text(middle, bottom + 0.24 / inches, beneath, color=_FAINT, va="center", ha="center")


def _draw_lines(axes: Axes, panel: Mapping[str, Any], lines: Sequence[Line], window: Window) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    unit, (limit,) = defaults["unit"], [step["value"] for step in defaults["thresholds"]["steps"][1:]] or [None]
    for number, line in enumerate(lines):  # dashes let a line be seen that lies below another one
        axes.plot(
            line.times, line.values, label=line.name, linewidth=1.7, linestyle="-" if number % 2 == 0 else (0, (4, 2))
        )
    top = max((value for line in lines for value in line.values if math.isfinite(value)), default=0.0)
    top = 1.08 * (top or 3 * (limit or 1 / 3))
    _draw_limit(axes, limit, unit, top)
    axes.set(xlim=(window.start, window.end), ylim=(-0.02 * top, top))
    axes.set_yticks(_ticks(top, unit))
    axes.set_xticks([window.start + share * (window.end - window.start) for share in (0.1, 0.3, 0.5, 0.7, 0.9)])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: figure(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: _clock(at, window)))
    axes.grid(color="#e7e9ed", linewidth=0.8)
    axes.tick_params(colors=_FAINT, labelsize=8, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    _draw_legend(axes, lines)


def _draw_legend(axes: Axes, lines: Sequence[Line]) -> None:
    if not lines:
        axes.text(0.5, 0.5, "no data", transform=axes.transAxes, ha="center", color=_FAINT)
        return
    longest = max(len(line.name) for line in lines)
    columns = max(1, min(len(lines), _LETTERS_IN_LEGEND // (longest + 5)))
    axes.legend(
        loc="upper center", bbox_to_anchor=(0.48, -0.1), ncols=columns, frameon=False, fontsize=8, columnspacing=1.2
    )


def _draw_limit(axes: Axes, limit: float | None, unit: Unit, top: float) -> None:
    """Draw what is promised, or say where it is if what is seen is far below it."""
    if limit is None:
        return
    if limit <= top:
        axes.axhline(limit, color=_LIMIT, linewidth=1, linestyle=":")
    said, above = f"limit {figure(limit, unit)}", min(limit / top, 1.0) + 0.02
    axes.text(0.99, above, said, transform=axes.transAxes, color=_LIMIT, ha="right", va="bottom", fontsize=8)


def _ticks(top: float, unit: Unit) -> list[float]:
    """Return round values from 0 to `top`: powers of two for bytes."""
    if unit == "bytes":
        step = 2.0 ** math.ceil(math.log2(top / 5))
        return [step * number for number in range(int(top / step) + 1)]
    return [float(value) for value in MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]).tick_values(0, top) if value <= top]


def _clock(at: float, window: Window) -> str:
    form = "%H:%M:%S" if window.end - window.start < _HOUR else "%d %b %H:%M"
    return datetime.fromtimestamp(at).strftime(form)


def _line(found: Mapping[str, Any], legend: str) -> Line:
    name = re.sub(r"{{\s*(\w+)\s*}}", lambda label: found["metric"].get(label[1], ""), legend)
    return Line(name, [float(at) for at, _ in found["values"]], [float(value) for _, value in found["values"]])


if __name__ == "__main__":
    main()
