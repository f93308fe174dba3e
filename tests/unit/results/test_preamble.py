"""A file can be DICOM and a program at once (CVE-2019-11687); ours never are."""

import io
from pathlib import Path

import pytest
from pydicom import dcmread

from scintiflow.results import ENCODERS
from tests.unit.results.readings import reading, scan

POLYGLOT = (b"MZ\x90\0" + b"polyglot" * 16)[:128]


@pytest.mark.parametrize("kind", sorted(ENCODERS))
def test_a_received_preamble_never_reaches_a_result(kind: str, tmp_path: Path) -> None:
    """What the scan had before its DICM is not in the result, whose own preamble is zeros."""
    path = tmp_path / "polyglot.dcm"
    source = scan()
    source.preamble = POLYGLOT
    source.save_as(path, enforce_file_format=True)
    assert path.read_bytes().startswith(POLYGLOT)
    file = io.BytesIO()
    ENCODERS[kind](reading(dcmread(path))).save_as(file, enforce_file_format=True)
    assert file.getvalue()[:132] == bytes(128) + b"DICM"
    assert b"polyglot" not in file.getvalue()
