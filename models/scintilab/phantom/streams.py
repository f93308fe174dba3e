"""Randomness belongs to the patient: one counter-based stream for each factor of each of them."""

import numpy as np


def stream(*key: int | str) -> np.random.Generator:
    """Return the Philox stream of one random factor, such as (seed, "A", number, "metastases")."""
    words = (word for part in key for word in ((part,) if isinstance(part, int) else part.encode()))
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(tuple(words))))
