"""Models run by their engines with nothing around them: what no line and no server can beat."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scintiflow.inference.engine import open_engine
from scintiflow.inference.manifest import Manifest, discover


def bare_engines(models: Path) -> dict[str, Callable[[], float]]:
    """Return for each model in a folder what runs it once, without the line around it, and says how long that took."""
    return {manifest.name: bare_engine(manifest) for manifest in discover(models)}


def bare_engine(manifest: Manifest) -> Callable[[], float]:
    """Return what runs one model once."""
    engine = open_engine(manifest)
    with np.load(manifest.folder / manifest.golden) as golden:
        canvas = golden["canvas"][:1].astype(np.float32)
        present = golden["present"][:1].astype(np.float32)

    def once() -> float:
        began = time.perf_counter()
        engine.run(canvas, present)
        return time.perf_counter() - began

    once()
    return once
