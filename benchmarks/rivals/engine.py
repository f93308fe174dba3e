"""What every rival runs: the project's own engine, chosen as our service chooses it, and the plainest bytes around it.

A question is the canvas of one scan and then which views are present, an answer is its probability, logit and map: raw
float32 values, little-endian.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.inference.engine import INPUTS, OUTPUTS, Answer, Engine, open_engine
from scintiflow.inference.manifest import load
from scintiflow.inference.session import Floats

CANVAS, PRESENT = INPUTS["canvas"], INPUTS["present"]
_CUT = math.prod(CANVAS)


def opened(folder: Path) -> Engine:
    """Open the model in a folder."""
    manifest = load(folder)
    return open_engine(manifest.run_by(ClassifierSettings().overrule(manifest.engine)))


def answer(engine: Engine, questions: Sequence[bytes | Floats]) -> list[bytes]:
    """Answer questions in one call of the engine."""
    asked = [np.frombuffer(question, "<f4") for question in questions]
    canvas = _together([values[:_CUT].reshape(CANVAS) for values in asked])
    said = engine.run(canvas, _together([values[_CUT:] for values in asked]))
    return [in_bytes(said.rows(number, number + 1)) for number in range(len(asked))]


def in_bytes(said: Answer) -> bytes:
    """Return an answer as it is sent."""
    return b"".join(getattr(said, name).tobytes() for name in OUTPUTS)


def _together(rows: Sequence[Floats]) -> Floats:
    """Return rows as one array; a single one is not copied."""
    return rows[0][None] if len(rows) == 1 else np.stack(rows)
