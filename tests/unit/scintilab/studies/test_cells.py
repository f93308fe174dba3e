"""What running the trainings of the augmentation study promises."""

from pathlib import Path

import numpy as np
import pytest

from scintilab.studies.cell import Arm, Cell, Side, Table, kept
from scintilab.studies.cells import folder_of, read_table, run, write_table, written
from scintilab.studies.coarse import coarse
from tests.unit.scintilab.studies.painter import painted

ARMS: tuple[Arm, ...] = ("real", "synthetic")
CELLS = [Cell("metastasis", 12, arm, 1) for arm in ARMS]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a table of painted scans."""
    sides = []
    for seed, count in enumerate((40, 12, 16, 16)):
        samples = painted(count, seed)
        sides.append(Side(coarse(samples), samples.labels.metastatic))
    assert not written("metastasis", tmp_path)
    write_table(Table(*sides), "metastasis", tmp_path)
    return tmp_path


def test_run_that_was_cut_off_goes_on(folder: Path) -> None:
    """Finished trainings are not taken again, and the others are; all end as in one run."""
    first = run(CELLS[:1], folder, multiple=1, steps=6, workers=1)
    stamp = kept(folder, CELLS[0]).stat().st_mtime_ns
    everything = run(CELLS, folder, multiple=1, steps=6, workers=1)
    assert kept(folder, CELLS[0]).stat().st_mtime_ns == stamp
    assert list(everything) == CELLS
    assert all(said.shape == (16,) for said in everything.values())
    kept(folder, CELLS[0]).unlink()
    again = run(CELLS, folder, multiple=1, steps=6, workers=1)
    assert np.array_equal(again[CELLS[0]], first[CELLS[0]])


@pytest.mark.slow
def test_workers_change_nothing(folder: Path) -> None:
    """Two processes say of everybody what one does, to the last bit."""
    alone = run(CELLS, folder, multiple=1, steps=6, workers=1)
    for cell in CELLS:
        kept(folder, cell).unlink()
    together = run(CELLS, folder, multiple=1, steps=6, workers=2)
    assert all(np.array_equal(alone[cell], together[cell]) for cell in CELLS)


def test_table_is_read_as_it_was_written(folder: Path) -> None:
    """Who takes part lies on disk, and other terms have another folder."""
    assert written("metastasis", folder)
    assert not written("cardiac", folder)
    table = read_table("metastasis", folder)
    assert [len(side.truth) for side in table] == [40, 12, 16, 16]
    assert folder_of(folder, {"steps": 6}) != folder_of(folder, {"steps": 7})
    assert folder_of(folder, {"steps": 6}) == folder_of(folder, {"steps": 6})
