"""Who learns, who chooses thresholds, and who judges: patients of population 1, each in one part only."""

from pathlib import Path

from scintilab.phantom.cohort import Cohort, cohort

SEED = 1
PARTS = {
    "train": ("A", range(4000, 12_000)),
    "validate": ("A", range(2800, 3200)),
    "A": ("A", range(3200, 3700)),
    "B": ("B", range(500)),
    "C": ("C", range(500)),
    "D": ("D", range(500)),
    "E": ("E", range(500)),
}
"""Site and numbers. Models are made on site A; B to E are looked at once, when everything is frozen."""
JUDGES = ("A", "B", "C", "D", "E")


def part(name: str, cache: Path, share: float = 1.0, *, device: str = "cpu") -> Cohort:
    """Return one of PARTS, or a share of its patients, from the first on."""
    site, numbers = PARTS[name]
    return cohort(site, SEED, numbers[: max(1, round(share * len(numbers)))], cache, device=device)
