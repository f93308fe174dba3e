"""`python -m k8s.monitoring`: write METRICS.md anew."""

from pathlib import Path

from k8s.monitoring.vocabulary import page

HERE = Path(__file__).parent


def main() -> None:
    """Write what is made from code."""
    (HERE / "METRICS.md").write_text(page())


if __name__ == "__main__":
    main()
