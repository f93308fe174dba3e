"""Keeps copies of training scans from being given out."""

import numpy as np

from scintiflow.errors import Refused
from scintiflow.inference.arrays import read_arrays
from scintiflow.inference.generator_manifest import GeneratorManifest
from scintiflow.inference.session import Floats


class Guard:
    """Knows the embeddings of the scans that a generator learnt from."""

    def __init__(self, training: Floats, threshold: float) -> None:
        self._training = training
        self._squares = np.square(training).sum(axis=1)
        self._threshold = threshold

    def is_copy(self, embedding: Floats) -> bool:
        """Tell whether a scan (its embedding, [E]) is closer to a training scan than the threshold allows."""
        # Not the matrix product, whose library wakes threads of its own for it.
        products = np.einsum("ij,j->i", self._training, embedding)
        squares = self._squares - 2 * products + np.square(embedding).sum()
        return bool(squares.min(initial=np.inf) < self._threshold**2)


def load_guard(manifest: GeneratorManifest) -> Guard:
    """Read the guard of a generator; raises Refused where it cannot be read."""
    arrays = read_arrays(manifest.folder / manifest.guard, ("training", "threshold"))
    training, threshold = arrays["training"], arrays["threshold"]
    golden = read_arrays(manifest.folder / manifest.golden, ("embedding",))["embedding"]
    if training.shape[1:] != golden.shape[1:] or threshold.shape != () or not np.isfinite(training).all():
        raise Refused(
            f"{manifest.guard} does not hold embeddings as the generator gives them and one threshold;"
            " build the model again."
        )
    return Guard(training, float(threshold))
