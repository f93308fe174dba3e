"""The far end of the pipe: `python -m scintiflow.decode.child` decodes frames until its parent ends.

Requests come as lines of JSON on standard input. An answer is a JSON object after its length in four bytes, followed
by the counts (float32, little endian) it announces. Nothing is pickled, so a decoder that was taken over can say
wrong numbers to its parent, and no more.
"""

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from scintiflow.decode.pixels import counts_of, register_decoders
from scintiflow.errors import Refused
from scintiflow.lifetime import die_with_parent

_DAMAGED = "The pixels cannot be decoded, so they are damaged or cut short: send the scan again."
_GONE = "An object of the study is no longer on disk: send the study again."
_TOO_MUCH_MEMORY = "Decoding the pixels takes more memory than any scan needs: send the scan without compression."


def main() -> None:
    """Serve requests until standard input closes."""
    die_with_parent()
    out = _private_output()
    register_decoders()
    _forbid_files()
    used = _address_space()
    _answer(out, {"ready": True})
    for line in sys.stdin.buffer:
        _serve(json.loads(line), used, out)


def _serve(request: dict[str, Any], used: int, out: IO[bytes]) -> None:
    """Answer one request; whatever a decoder raises, Rust panics included, is an answer too."""
    _limit(resource.RLIMIT_AS, used + request["memory_bytes"])
    signal.setitimer(signal.ITIMER_PROF, request["cpu_seconds"])  # SIGPROF kills, and nothing catches it
    try:
        counts, pixel_mm = counts_of(Path(request["path"]), request["frames"], request["pixel_bytes"])
    except Refused as refused:
        _answer(out, {"refused": str(refused)})
    except FileNotFoundError:
        _answer(out, {"refused": _GONE})
    except MemoryError:
        _answer(out, {"refused": _TOO_MUCH_MEMORY})
    except BaseException:
        _answer(out, {"refused": _DAMAGED})
    else:
        _answer(out, {"shape": counts.shape, "pixel_mm": pixel_mm}, counts)
    signal.setitimer(signal.ITIMER_PROF, 0)


def _answer(out: IO[bytes], said: dict[str, Any], counts: NDArray[np.float32] | None = None) -> None:
    text = json.dumps(said).encode()
    out.write(len(text).to_bytes(4) + text)
    if counts is not None:
        out.write(counts.astype("<f4", copy=False).data)
    out.flush()


def _private_output() -> IO[bytes]:
    """Keep standard output for answers alone: a codec that prints would garble them."""
    out = os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    return out


def _forbid_files() -> None:
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)  # a core dump would hold pixels and names


def _limit(which: int, amount: int) -> None:
    _, hard = resource.getrlimit(which)
    resource.setrlimit(which, (amount if hard == resource.RLIM_INFINITY else min(amount, hard), hard))


def _address_space() -> int:
    """Return the bytes of address space in use: proc(5), statm."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


if __name__ == "__main__":
    main()
