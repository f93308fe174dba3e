"""`python -m tests.builder FOLDER SECONDS`: wants an engine from a folder, and builds it until told to be done."""

import sys
from pathlib import Path

from scintiflow.errors import Refused, Unavailable
from scintiflow.inference.engine_folder import opened_from


def main() -> None:
    """Say what became of it."""
    folder, patience = Path(sys.argv[1]), float(sys.argv[2])
    try:
        print(opened_from(folder, lambda: _engine(folder), patience=patience), flush=True)
    except Unavailable as error:
        print(error, flush=True)


def _engine(folder: Path) -> str:
    file = folder / "engine"
    if file.exists():
        return _loaded(file)
    folder.mkdir(exist_ok=True)
    file.write_text("half")
    print("building", flush=True)
    sys.stdin.readline()
    file.write_text("whole")
    return "built"


def _loaded(file: Path) -> str:
    if file.read_text() != "whole":
        raise Refused("The engine is torn.")
    return "loaded"


if __name__ == "__main__":
    main()
