"""Arrays on their way into an engine: from the file of a model's maker, and into batches of one size."""

import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from scintiflow.errors import Refused
from scintiflow.inference.session import Floats


def read_arrays(path: Path, names: Iterable[str]) -> dict[str, Floats]:
    """Read the named arrays of an .npz file.

    Raises:
        Refused: the file is missing or broken, or lacks one of them.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name].astype(np.float32, copy=False) for name in names}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise Refused(f"{path.name} cannot be read; build the model again.") from error


def padded(values: Floats, rows: int) -> Floats:
    """Return `values` with rows of nothing at the end, so that there are `rows`."""
    if len(values) == rows:
        return values
    return np.concatenate([values, np.zeros((rows - len(values), *values.shape[1:]), np.float32)])
