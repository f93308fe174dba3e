"""Who learns, who chooses thresholds, and who judges: simulated patients of population 1, each in one part only."""

from pathlib import Path

from scintilab.phantom.cohort import Cohort, cohort

SEED = 1
PARTS = {
    "train": ("A", range(4000, 12_000)),
    "validate": ("A", range(2800, 3700)),
    "A": ("A", range(16_000, 17_000)),
    "B": ("B", range(1000)),
    "C": ("C", range(1000)),
    "D": ("D", range(1000)),
    "E": ("E", range(1000)),
}
"""Site and numbers. Models are made on site A; B to E are looked at once, when everything is frozen.

A thousand judge at each site: an AUC near 0.88 is then known to 0.025, and the mean of four sites to 0.0125."""
JUDGES = ("A", "B", "C", "D", "E")


def part(name: str, cache: Path, share: float = 1.0, *, device: str = "cpu") -> Cohort:
    """Return one of PARTS, or a share of its patients, from the first on."""
    site, numbers = PARTS[name]
    return cohort(site, SEED, numbers[: max(1, round(share * len(numbers)))], cache, device=device)
