"""Scans that the synthesizer made, sent to the line's own door: read like any other, and kept from clinics."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom import Dataset, dcmread

from tests.graphs import generator_folder, skeleton
from tests.pacs import Pacs
from tests.stack import CLINIC_AND_RESEARCH, Stack, running_stack, send
from tests.waiting import wait_for


@pytest.fixture
def pacs() -> Iterator[tuple[Pacs, Pacs]]:
    """A clinical archive and one for research."""
    with Pacs(ae_title="CLINIC") as clinic, Pacs(ae_title="RESEARCH") as research:
        yield clinic, research


@pytest.fixture
def stack(tmp_path: Path, pacs: tuple[Pacs, Pacs]) -> Iterator[Stack]:
    """The line with a generator beside its classifier, and with a clinical destination."""
    models = skeleton(tmp_path / "models")
    generator_folder(models)
    clinic, research = pacs
    with running_stack(
        tmp_path, CLINIC_AND_RESEARCH.format(clinic=clinic.port, research=research.port), models=models
    ) as stack:
        yield stack


def synthetic(stack: Stack, count: int) -> list[Dataset]:
    """Ask the stack's synthesizer for scans."""
    asked = {"label": "bone_metastases", "count": count, "tracer": "DPD"}
    answer = httpx.post(f"http://127.0.0.1:{stack.ports['synthesizer']}/v1/generate", json=asked, timeout=60)
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return [dcmread(io.BytesIO(archive.read(name))) for name in archive.namelist() if name.endswith(".dcm")]


def test_synthetic_scans_never_reach_a_clinic(stack: Stack, pacs: tuple[Pacs, Pacs]) -> None:
    """Read by the line, their results go to the archive that asks for synthetic ones, and to no other."""
    clinic, research = pacs
    scans = synthetic(stack, 3)
    assert send(stack.dicom_port, scans) == [0x0000] * 3
    for scan in scans:
        assert stack.outcome(scan.StudyInstanceUID).state == "delivered"
        assert stack.record(scan.StudyInstanceUID).destinations == ("research",)
    wait_for(lambda: len(research.objects) == 6)
    assert {each.SyntheticData for each in research.datasets()} == {"YES"}
    assert not clinic.objects


def test_where_there_is_a_generator_the_synthesizer_is_kept_alive(stack: Stack) -> None:
    """`up` starts it beside the others, and again after kill -9."""
    assert "synthesizer" in stack.ports
    before = min(stack.running("scintiflow.synthesizer"), key=lambda process: process.create_time())
    before.kill()
    before.wait(30)
    wait_for(lambda: stack.running("scintiflow.synthesizer") and stack.ready(), seconds=45, every=0.2)
