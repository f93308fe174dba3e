"""Folders that others change while we look: what vanishes meanwhile is not there, and is no error."""

import os
from pathlib import Path


def files_below(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]


def everything_below(folder: Path) -> list[Path]:
    """Return every file and every folder below a folder."""
    return [Path(parent, name) for parent, folders, names in os.walk(folder) for name in (*folders, *names)]
