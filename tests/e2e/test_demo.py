"""The demo is the first thing a newcomer runs."""

import subprocess
from pathlib import Path

import psutil
import pytest
from PIL import Image

from scintiflow.inference.manifest import discover
from tests.stack import SCINTIFLOW, SHIPPED


@pytest.mark.slow
def test_the_demo_shows_every_expected_end_and_stops(tmp_path: Path) -> None:
    """`scintiflow demo` ends well in a minute: a table, a contact sheet, and what to know of the real scan."""
    done = subprocess.run(
        [SCINTIFLOW, "demo", "--into", str(tmp_path)], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr + (tmp_path / "up.log").read_text()[-5000:]
    assert "Everything came as expected" in done.stdout
    assert "posterior view missing" in done.stdout
    assert "2097:1" in done.stdout
    assert "tracer unknown" in done.stdout
    assert "lossy image" in done.stdout
    for model in discover(SHIPPED):
        assert model.label in done.stdout
    assert "not for diagnostic use" in done.stdout
    with Image.open(tmp_path / "contact-sheet.png") as sheet:
        assert sheet.width > 1000
    left = [process for process in psutil.process_iter(["cmdline"]) if str(tmp_path) in str(process.info["cmdline"])]
    assert left == []
