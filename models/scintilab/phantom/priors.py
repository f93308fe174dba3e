"""The frozen distributions of `priors.toml`: what patients have, how bright it is, and where they are scanned."""

import hashlib
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

_FILE = Path(__file__).with_name("priors.toml")


@cache
def priors() -> dict[str, Any]:
    """Return the whole file (shared: do not change it)."""
    return tomllib.loads(_FILE.read_text("utf-8"))


def digest() -> str:
    """Return the file's SHA-256, which stands in every evaluation."""
    return hashlib.sha256(_FILE.read_bytes()).hexdigest()


def lognormal(rng: np.random.Generator, median_and_spread: tuple[float, float]) -> float:
    """Draw from a log-normal distribution given as median and log standard deviation."""
    median, spread = median_and_spread
    return float(median * np.exp(rng.normal(0, spread)))


def one_of(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """Draw a name by its share; shares need not add up to 1."""
    names, weights = list(shares), np.array(list(shares.values()))
    return names[int(np.searchsorted(np.cumsum(weights), rng.random() * weights.sum(), side="right"))]
