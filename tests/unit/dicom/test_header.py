"""What a header says, read leniently."""

import subprocess
import sys
from pathlib import Path

from tests.corpus.words import everywhere

_READ = """
import sys
import scintiflow.dicom.header
from pydicom import dcmread
print(ascii(scintiflow.dicom.header.text(dcmread(sys.argv[1]), "PatientName")))
"""


def test_a_character_set_that_is_none_reaches_no_log(tmp_path: Path) -> None:
    """The reader keeps its complaints to itself: they quote line feeds that would forge a line of a process's log."""
    path = tmp_path / "scan.dcm"
    path.write_bytes(everywhere(b"Injected\xff", charset=b"none\n2026-01-01 [info] delivered")().file())
    read = subprocess.run([sys.executable, "-c", _READ, path], capture_output=True, text=True, check=True)
    assert (read.stdout, read.stderr) == ("'Injected\\xff'\n", "")
