"""What kept answers promise."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from scintiflow.errors import Refused
from scintiflow.inference.manifest import EngineChoice, load
from scintiflow.inference.session import Floats
from scintilab.evaluate.answers import AT_ONCE, Pixels, Reader, open_reader
from tests.graphs import model_folder, scans, spoil_golden

COUNT = 2 * AT_ONCE + 3


class Disk:
    """Scans that remember how often they were read, and may fail at a row."""

    def __init__(self, fails_at: int = -1, seed: int = 0) -> None:
        self.canvas, self.present = scans(COUNT, seed)
        self.fails_at = fails_at
        self.asked: list[int] = []

    def read(self, rows: np.ndarray) -> tuple[Floats, Floats]:
        if self.fails_at in rows:
            raise OSError("The disk went away.")
        self.asked += list(map(int, rows))
        return self.canvas[rows], self.present[rows]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A small model on ONNX Runtime."""
    yield open_reader(load(model_folder(tmp_path / "models", engine="onnxruntime")), tmp_path / "answers")


def test_answers_are_the_engines_own(reader: Reader) -> None:
    """Probability, map and presence of every scan are what the engine gives for it, in order."""
    disk = Disk()
    told = reader.ask(Pixels(COUNT, "digest", disk.read), "Reading")
    given = reader.engine.run(disk.canvas, disk.present)
    np.testing.assert_array_equal(told.probability, given.probability[:, 0])
    np.testing.assert_array_equal(told.maps, given.map[:, 0])
    np.testing.assert_array_equal(told.present, disk.present)


def test_run_that_was_cut_off_goes_on(reader: Reader) -> None:
    """After a fault half way, only what was not read yet is read again, and a third run reads nothing."""
    broken, disk = Disk(fails_at=AT_ONCE + 1), Disk()
    with pytest.raises(OSError, match="went away"):
        reader.ask(Pixels(COUNT, "digest", broken.read), "Reading")
    for _ in range(2):
        told = reader.ask(Pixels(COUNT, "digest", disk.read), "Reading")
    assert broken.asked == list(range(AT_ONCE))
    assert disk.asked == list(range(AT_ONCE, COUNT))
    np.testing.assert_array_equal(told.probability, reader.engine.run(disk.canvas, disk.present).probability[:, 0])


def test_other_pixels_or_precision_are_asked_anew(reader: Reader, tmp_path: Path) -> None:
    """Answers belong to pixels, model, engine and precision; with another of them nothing is taken over."""
    first, other, again = Disk(), Disk(seed=1), Disk()
    reader.ask(Pixels(COUNT, "first", first.read), "Reading")
    reader.ask(Pixels(COUNT, "other", other.read), "Reading")
    openvino = open_reader(reader.manifest, tmp_path / "answers", EngineChoice(name="openvino", precision="f32"))
    openvino.ask(Pixels(COUNT, "first", again.read), "Reading")
    assert len(other.asked) == len(again.asked) == COUNT


def test_some_rows_are_those_rows(reader: Reader) -> None:
    """A part of the scans has the answers that these scans have in the whole."""
    pixels = Pixels(COUNT, "digest", Disk().read)
    rows = np.array([1, 4, 17])
    whole, part = reader.ask(pixels, "Reading"), reader.ask(pixels.part(rows), "Reading")
    np.testing.assert_array_equal(part.probability, whole.probability[rows])


def test_engine_that_misses_the_golden_outputs_reads_nothing(tmp_path: Path) -> None:
    """A model is not judged by an engine that computes something else than its maker saw."""
    folder = model_folder(tmp_path / "models")
    spoil_golden(folder, "map")
    with pytest.raises(Refused, match="golden"):
        open_reader(load(folder), tmp_path / "answers")
