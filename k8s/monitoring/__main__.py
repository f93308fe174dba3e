"""`python -m k8s.monitoring`: write METRICS.md, the dashboards and the operator's rules anew."""

from pathlib import Path

from k8s.monitoring.engines import ENGINES
from k8s.monitoring.operator import rule
from k8s.monitoring.scans import SCANS
from k8s.monitoring.vocabulary import page

HERE = Path(__file__).parent
WRITTEN = {
    HERE / "METRICS.md": page,
    HERE / "dashboards/scans.json": SCANS.json,
    HERE / "dashboards/gpu-and-engines.json": ENGINES.json,
    HERE / "rule.yaml": rule,
}
"""Each file here that is made from code, and what makes it."""


def main() -> None:
    """Write them."""
    for path, made in WRITTEN.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(made())


if __name__ == "__main__":
    main()
