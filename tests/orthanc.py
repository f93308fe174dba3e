"""A real Orthanc that forwards every stable study to us, as a hospital's PACS does."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from pydicom import Dataset

from tests.ports import free_port
from tests.waiting import wait_for

AUTO_FORWARD = """
function OnStableStudy(studyId, tags, metadata)
  RestApiPost('/modalities/scintiflow/store', DumpJson({Resources = {studyId}, Synchronous = false}))
end
"""


@dataclass(frozen=True)
class Orthanc:
    """One running Orthanc, spoken to over REST."""

    dicom_port: int
    http: httpx.Client

    def upload(self, dataset: Dataset) -> None:
        """Put one object into it, as a modality would."""
        file = BytesIO()
        dataset.save_as(file, enforce_file_format=True)
        self.http.post("/instances", content=file.getvalue()).raise_for_status()

    def objects(self, study_uid: str, modality: str | None = None) -> list[dict[str, Any]]:
        """Return the main tags of every object it holds of a study."""
        query = {"Level": "Instance", "Expand": True, "Query": {"StudyInstanceUID": study_uid}}
        found = self.http.post("/tools/find", content=json.dumps(query)).json()
        tags = [self.http.get(f"/instances/{one['ID']}/simplified-tags").json() for one in found]
        return [one for one in tags if modality in (None, one["Modality"])]

    def forwarded(self) -> int:
        """Return how many forwards have succeeded; fail when one has failed."""
        jobs = self.http.get("/jobs?expand").json()
        failed = [job for job in jobs if job["State"] == "Failure"]
        assert not failed, failed
        return sum(job["State"] == "Success" for job in jobs)


@contextmanager
def running_orthanc(
    program: str, folder: Path, *, scintiflow_port: int, ae_title: str, dicom_port: int
) -> Iterator[Orthanc]:
    """Run Orthanc on `dicom_port` with an auto-forward rule to scintiflow until the block ends."""
    http_port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "forward.lua").write_text(AUTO_FORWARD)
    configuration = {
        "Name": ae_title,
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": http_port,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomPort": dicom_port,
        "DicomAet": ae_title,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "StableAge": 1,
        "LuaScripts": [str(folder / "forward.lua")],
        "DicomModalities": {"scintiflow": {"AET": "SCINTIFLOW", "Host": "127.0.0.1", "Port": scintiflow_port}},
        "OverwriteInstances": True,
        "JobsHistorySize": 1000,
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    log = (folder / "orthanc.log").open("wb")
    with log, subprocess.Popen([program, str(folder / "orthanc.json")], stdout=log, stderr=log) as process:
        http = httpx.Client(base_url=f"http://127.0.0.1:{http_port}", timeout=20)
        try:
            wait_for(lambda: _answers(http), seconds=60)
            yield Orthanc(dicom_port, http)
        finally:
            process.terminate()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/system").status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
