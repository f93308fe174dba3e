"""What dicom3tools' `dciodvfy` finds wrong with an object."""

import subprocess
from pathlib import Path

from pydicom.dataset import Dataset

TOO_NEW_FOR_IT = "(0x0008,0x001c)"
"""Synthetic Data came to the standard after Debian's dciodvfy."""

IODS = ("NMImage", "SCImage", "Comprehensive3DSR")


def errors(program: str, dataset: Dataset, folder: Path) -> list[str]:
    """Write `dataset` into `folder` and return dciodvfy's errors, but for the one attribute it cannot know."""
    path = folder / "object.dcm"
    dataset.save_as(path, enforce_file_format=True)
    told = subprocess.run([program, path], capture_output=True, check=False).stderr.decode(errors="replace")
    assert any(iod in told for iod in IODS), f"dciodvfy does not say what it checked: {told}"
    return [line for line in told.splitlines() if line.startswith("Error") and TOO_NEW_FOR_IT not in line]
