"""rules.yml as the Prometheus operator takes it."""

from pathlib import Path

import yaml

_RULES = Path(__file__).parent / "rules.yml"


def rule() -> str:
    """Return a PrometheusRule with every group of rules.yml."""
    told = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "scintiflow"},
        "spec": yaml.safe_load(_RULES.read_text()),
    }
    return f"# Made from rules.yml by `make monitoring`.\n{yaml.safe_dump(told, sort_keys=False, width=1000)}"
