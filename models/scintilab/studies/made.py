"""Synthetic scans, made once and kept on disk; a run that was cut off goes on where it stopped."""

import hashlib
from pathlib import Path

import numpy as np
from rich.progress import track

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintiflow.errors import Refused
from scintiflow.inference.session import Floats
from scintilab.studies.samples import AT_ONCE, Generator, Labels, Samples


def made(generator: Generator, seed: int, conditions: Labels, kept: Path, what: str) -> Samples:
    """Ask for a scan for every row of the conditions; noise is drawn from what is expected when they are read.

    Args:
        generator: that is asked.
        seed: of the batch.
        conditions: what each scan is asked to show; `counts` sets how many photons it expects.
        kept: a folder; in it, scans of this generator, seed and conditions have a folder of their own.
        what: is said meanwhile.

    Raises:
        Refused: the generator gives something that is no scan.
    """
    folder = kept / _key(generator, seed, conditions)
    count = len(conditions.counts)
    if not (folder / "canvas.npy").exists():
        folder.mkdir(parents=True, exist_ok=True)
        missing = [start for start in range(0, count, AT_ONCE) if not _file(folder, start).exists()]
        for start in track(missing, what, disable=not missing):
            some = conditions.part(slice(start, start + AT_ONCE))
            _save(_file(folder, start), _scaled(generator.samples(seed, start, some), some))
        _join(folder, count)
    names = np.array([f"synthetic-{seed}-{number}" for number in range(count)])
    return Samples(np.load(folder / "canvas.npy", mmap_mode="r"), conditions, names, noise=seed)


def _scaled(rate: Floats, conditions: Labels) -> Floats:
    """Scale what is expected so that a view has the asked counts on average; a canvas pixel is the mean of two."""
    shape = (len(conditions.counts), 2, HEIGHT, WIDTH)
    if rate.shape != shape or not np.isfinite(rate).all() or rate.min() < 0 or not rate.sum((1, 2, 3)).all():
        raise Refused(f"The generator gives no scans of {shape[1:]} expected counts: make it again.")
    scale = conditions.counts / rate.sum((1, 2, 3), dtype=np.float64)
    return np.asarray(rate * scale[:, None, None, None], np.float32)


def _join(folder: Path, count: int) -> None:
    part = np.lib.format.open_memmap(folder / "canvas.part", "w+", np.float16, (count, 2, HEIGHT, WIDTH))
    files = [_file(folder, start) for start in range(0, count, AT_ONCE)]
    for number, file in enumerate(files):
        part[number * AT_ONCE : (number + 1) * AT_ONCE] = np.load(file)
    part.flush()
    (folder / "canvas.part").rename(folder / "canvas.npy")
    for file in files:
        file.unlink()


def _save(file: Path, canvas: Floats) -> None:
    """Let a file appear when it is whole."""
    with file.with_suffix(".part").open("wb") as out:
        np.save(out, canvas.astype(np.float16))
    file.with_suffix(".part").rename(file)


def _file(folder: Path, start: int) -> Path:
    return folder / f"{start}.npy"


def _key(generator: Generator, seed: int, conditions: Labels) -> str:
    digest = hashlib.sha256(f"{generator.digest} {seed}".encode())
    for column in conditions:
        digest.update(np.ascontiguousarray(column).astype(str).tobytes())
    return digest.hexdigest()[:32]
