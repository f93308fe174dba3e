"""Copies of training scans are known."""

from pathlib import Path

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintiflow.synthesizer.guard import Guard, load_guard
from tests.graphs import guard_against
from tests.unit.synthesizer.items import manifest_in


def test_what_is_closer_than_the_threshold_is_a_copy() -> None:
    """The nearest training scan decides, and what is as far as the threshold is none."""
    guard = Guard(np.array([[0, 0], [3, 4]], np.float32), 1.0)
    assert guard.is_copy(np.array([3.5, 4], np.float32))
    assert not guard.is_copy(np.array([1, 0], np.float32))
    assert not guard.is_copy(np.array([1.5, 2], np.float32))


def test_a_guard_of_another_generator_is_refused(tmp_path: Path) -> None:
    """Embeddings of another length than the generator gives are no guard."""
    manifest = manifest_in(tmp_path)
    guard_against(manifest.folder, np.zeros((3, 5), np.float32))
    with pytest.raises(Refused, match=r"guard.npz does not hold embeddings"):
        load_guard(manifest)


def test_a_missing_guard_is_refused(tmp_path: Path) -> None:
    """Without a guard nothing is served."""
    manifest = manifest_in(tmp_path)
    (manifest.folder / "guard.npz").unlink()
    with pytest.raises(Refused, match=r"guard.npz cannot be read"):
        load_guard(manifest)
