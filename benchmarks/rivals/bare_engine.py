"""The engine called in a loop, and nothing else: `python -m benchmarks.rivals.bare_engine MODEL_FOLDER`.

Each line of its input says for how many seconds, and how many scans would wait in a service: as many go into a call as
it would put into a batch. Each line of its output is, in JSON, the scans in a call and the milliseconds of every call.
The first one comes once it is ready.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.rivals.engine import CANVAS, PRESENT, opened


def main() -> None:
    """Run until the input ends."""
    engine = opened(Path(sys.argv[1]))
    canvas, present = np.random.default_rng(1).random(CANVAS, np.float32), np.ones(PRESENT, np.float32)
    _say(0, [])
    for line in sys.stdin:
        seconds, waiting = line.split()
        rows = min(int(waiting), engine.sizes[-1])
        scans = np.stack([canvas] * rows), np.stack([present] * rows)
        _say(rows, repeated(partial(engine.run, *scans), float(seconds)))


def repeated(call: Callable[[], object], seconds: float) -> list[float]:
    """Call something again and again for so many seconds; return the milliseconds of each call."""
    took = []
    began = last = time.perf_counter()
    while last - began < seconds:
        call()
        now = time.perf_counter()
        took.append(1000 * (now - last))
        last = now
    return took


def _say(rows: int, milliseconds: list[float]) -> None:
    print(json.dumps([rows, milliseconds]), flush=True)


if __name__ == "__main__":
    main()
