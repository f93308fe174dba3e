"""Randomness belongs to the patient: one counter-based stream for each (seed, patient, factor)."""

import numpy as np


def stream(seed: int, patient: int, factor: str) -> np.random.Generator:
    """Return the Philox stream of one random factor (such as "lesions") of one patient."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, patient, *factor.encode()))))
