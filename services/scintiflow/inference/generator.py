"""Runs a generator's graph on this machine, and proves first that it draws what its maker saw.

The graph (all float32): inputs `noise` [N, Z] (standard normal), `condition` and `known` [N, C] (known is 0 where the
condition is left open, and the condition then too); outputs `rate` [N, 2, 512, 256] >= 0 (expected counts of each
canvas pixel on any scale; anterior, posterior as seen from behind) and `embedding` [N, E], by which copies of training
scans are known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scintiflow.dicom.canvas import HEIGHT, WIDTH
from scintiflow.errors import Refused
from scintiflow.inference.arrays import padded, read_arrays
from scintiflow.inference.generator_manifest import GeneratorEngine, GeneratorManifest
from scintiflow.inference.session import EngineFacts, Floats, Session, open_sessions

INPUTS = ("noise", "condition", "known")
OUTPUTS = ("rate", "embedding")
CANVAS = (2, HEIGHT, WIDTH)


@dataclass(frozen=True)
class Rates:
    """What the graph drew in N rows: `rate` [N, 2, 512, 256] and `embedding` [N, E]."""

    rate: Floats
    embedding: Floats

    def rows(self, first: int, last: int) -> "Rates":
        """Return rows `first` to `last`, the last one excluded."""
        return Rates(self.rate[first:last], self.embedding[first:last])

    @classmethod
    def joined(cls, parts: Sequence["Rates"]) -> "Rates":
        """Return the rows of several draws, one after another."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in OUTPUTS))


class Generator:
    """A loaded graph; not thread-safe.

    It only ever runs batches of one size, the last one padded with zeros, so a row does not depend on how many others
    there are: on one machine, an engine gives it bit by bit again.
    """

    def __init__(self, session: Session, rows: int) -> None:
        self._session = session
        self._rows = rows

    @property
    def latent(self) -> int:
        """Z, the length of a row of noise."""
        return self._session.inputs["noise"][0]

    def run(self, noise: Floats, condition: Floats, known: Floats) -> Rates:
        """Draw N rows, N >= 1.

        Raises:
            Refused: an output has the wrong shape, or holds something that is not a number or negative.
        """
        given = dict(zip(INPUTS, (noise, condition, known), strict=True))
        return Rates.joined([self._bucket(given, first) for first in range(0, len(noise), self._rows)])

    def describe(self) -> EngineFacts:
        """Say what really runs."""
        return self._session.facts

    def _bucket(self, given: dict[str, Floats], first: int) -> Rates:
        rows = {name: values[first : first + self._rows] for name, values in given.items()}
        count = len(rows["noise"])
        found = self._session.run({name: padded(values, self._rows) for name, values in rows.items()})
        rates = Rates(found["rate"], found["embedding"])
        if rates.rate.shape != (self._rows, *CANVAS) or len(rates.embedding) != self._rows:
            raise Refused("The generator gave a rate or an embedding of the wrong shape; no scan is made of it.")
        _check(rates.rows(0, count))
        return rates.rows(0, count)


def open_generator(
    manifest: GeneratorManifest, choice: GeneratorEngine | None = None, *, cache: Path | None = None
) -> Generator:
    """Load the graph on this machine; see `engine.open_engine`.

    Raises:
        Refused: the graph is not what the manifest says or breaks the contract, or the machine cannot do what
            was asked for; nothing else is used instead, unless the choice allows it.
    """
    rows = (choice or manifest.engine).rows
    session = open_sessions(manifest.graph(), choice or manifest.engine, lambda _: (rows,), cache=cache)[rows]
    shapes = {"noise": session.inputs.get("noise", ()), "condition": (manifest.slots,), "known": (manifest.slots,)}
    if session.inputs != shapes or len(shapes["noise"]) != 1 or not set(OUTPUTS) <= set(session.outputs):
        raise Refused(
            f"The graph takes {sorted(session.inputs)} and gives {sorted(session.outputs)}; a generator takes noise,"
            f" and condition and known of {manifest.slots} numbers each, and gives rate and embedding."
        )
    return Generator(session, rows)


def check_golden(generator: Generator, manifest: GeneratorManifest) -> None:
    """Run the generator's golden inputs and compare rates and embeddings with what its maker computed.

    Raises:
        Refused: the golden file is unusable, or a value is further away than the manifest tolerates.
    """
    golden = read_arrays(manifest.folder / manifest.golden, (*INPUTS, *OUTPUTS))
    wanted = {"noise": (generator.latent,), "condition": (manifest.slots,), "known": (manifest.slots,)}
    count = len(golden["noise"])
    if count == 0 or any(golden[name].shape != (count, *shape) for name, shape in wanted.items()):
        raise Refused(f"{manifest.golden} does not hold inputs of the shape that the graph takes; build it again.")
    found = generator.run(*(golden[name] for name in INPUTS))
    if (found.rate.shape, found.embedding.shape) != (golden["rate"].shape, golden["embedding"].shape):
        raise Refused(f"{manifest.golden} holds scans of another shape than the graph gives; build it again.")
    tiny = float(np.finfo(np.float32).tiny)
    peaks = np.maximum(golden["rate"].max(axis=(1, 2, 3)), tiny)
    norms = np.maximum(np.linalg.norm(golden["embedding"], axis=1), tiny)
    apart = {
        "rate": np.abs(found.rate - golden["rate"]).max(axis=(1, 2, 3)) / peaks,
        "embedding": np.linalg.norm(found.embedding - golden["embedding"], axis=1) / norms,
    }
    for name, allowed in (("rate", manifest.tolerance.rate), ("embedding", manifest.tolerance.embedding)):
        if not (off := float(apart[name].max())) <= allowed:
            facts = generator.describe()
            raise Refused(
                f"{facts.engine} in {facts.precision} does not reproduce the golden scans: {name} is off by"
                f" {off:.3g}, {allowed:g} is allowed. Choose another engine or precision."
            )


def _check(rates: Rates) -> None:
    if not (np.isfinite(rates.rate).all() and np.isfinite(rates.embedding).all()):
        raise Refused("The generator gave something that is not a number; no scan is made of it.")
    if rates.rate.min() < 0 or not rates.rate.any(axis=(1, 2, 3)).all():
        raise Refused("The generator gave negative counts or a scan of nothing; no scan is made of it.")
