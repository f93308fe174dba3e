"""All trainings of the augmentation study: each finished one lies on disk, and a run that was cut off goes on."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scintilab.archive import Question
from scintilab.evaluate.bootstrap import Values
from scintilab.studies.cell import Cell, Side, Table, kept, trained


def write_table(table: Table, question: Question, folder: Path) -> None:
    """Lay out who takes part, for every process to map from disk."""
    folder.mkdir(parents=True, exist_ok=True)
    for role, side in table._asdict().items():
        np.save(folder / f"{question}-{role}.npy", side.canvas.astype(np.float16))
        np.save(folder / f"{question}-{role}-truth.npy", side.truth)


def written(question: Question, folder: Path) -> bool:
    """Tell whether it has been laid out; the judges' truth comes last."""
    return (folder / f"{question}-judges-truth.npy").exists()


def read_table(question: Question, folder: Path) -> Table:
    """Map it from disk."""
    return Table(
        *(
            Side(
                np.load(folder / f"{question}-{role}.npy", mmap_mode="r"),
                np.load(folder / f"{question}-{role}-truth.npy"),
            )
            for role in Table._fields
        )
    )


def run(cells: Sequence[Cell], folder: Path, *, multiple: int, steps: int, workers: int) -> dict[Cell, Values]:
    """Train what is missing, in the order of the cells, and return the logits of the judges, [n], by cell.

    Args:
        cells: all trainings.
        folder: of tables and finished cells.
        multiple: how many scans come to each real one.
        steps: of every training.
        workers: processes, one core each; what a cell gives does not depend on how many.
    """
    missing = [cell for cell in cells if not kept(folder, cell).exists()]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not missing) as bar:
        shown = bar.add_task("Trainings", total=len(cells), completed=len(cells) - len(missing))
        for cell in _done(missing, partial(finish, folder=folder, multiple=multiple, steps=steps), workers):
            bar.update(shown, advance=1, description=f"Trained {cell}")
    return {cell: np.load(kept(folder, cell)) for cell in cells}


def finish(cell: Cell, *, folder: Path, multiple: int, steps: int) -> Cell:
    """Train one cell on one core, and let its file appear when it is whole."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        said = trained(cell, read_table(cell.question, folder), multiple=multiple, steps=steps)
    finally:
        torch.set_num_threads(threads)
    file = kept(folder, cell)
    with file.with_suffix(".part").open("wb") as out:
        np.save(out, said)
    file.with_suffix(".part").rename(file)
    return cell


def folder_of(work: Path, terms: Mapping[str, Any]) -> Path:
    """Return the folder of all cells with the same terms: generator, patients, lengths."""
    said = json.dumps(terms, sort_keys=True).encode()
    return work / hashlib.sha256(said).hexdigest()[:16]


def _done(cells: Sequence[Cell], finish: "partial[Cell]", workers: int) -> Iterator[Cell]:
    if workers < 2 or len(cells) < 2:
        yield from map(finish, cells)
        return
    anew = get_context("spawn")  # a fork of a process whose torch has threads may wait for them forever
    with ProcessPoolExecutor(min(workers, len(cells), os.cpu_count() or 1), anew) as pool:
        try:
            yield from pool.map(finish, cells)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
