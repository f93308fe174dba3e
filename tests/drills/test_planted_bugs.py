"""The crash drill finds what it is there to find: bugs planted in a copy of the product."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Plant:
    """A bug as a change of text in one file, the fault that brings it to light, and what the drill must say."""

    file: str
    right: str
    wrong: str
    fault: str
    complaint: str


PLANTS = {
    "publish before the object is in its place": Plant(
        "receiver/association.py",
        "        new = self.reception.store.put_object(part.path, folder, part.digest)\n",
        """        self.reception.notifier.stored(
            ObjectStored(study=folder, digest=part.digest, association=self.name, stored_at=time.time())
        )
        time.sleep(0.3)
        new = self.reception.store.put_object(part.path, folder, part.digest)
""",
        "keeper told",
        "the keeper is told",
    ),
    "0000 before the folder is synced": Plant(
        "store.py",
        "                os.fsync(handle)\n                self._sync_folders(objects.parent)\n",
        "                self._sync_folders(objects.parent)\n",
        "0000 sent, keeper not told, power cut",
        "was answered 0000 and is not on disk",
    ),
    "a sync of the common folder that had begun before": Plant(
        "store.py",
        """                with self._gate:
                    self._next = None  # whoever comes from now on waits for the next run
                try:
                    run.set_result(self._work())
                except BaseException as error:
                    run.set_exception(error)
""",
        """                try:
                    self._work()
                    time.sleep(0.5)
                    run.set_result(None)
                except BaseException as error:
                    run.set_exception(error)
                with self._gate:
                    self._next = None
""",
        "keeper told",
        "has a folder that is not synced",
    ),
    "marker before the C-STORE": Plant(
        "sender/deliver.py",
        "        try:\n            response = c_store(association, ",
        """        early = {"at": time.time(), "status": "0000", "sop_instance_uid": result.sop_instance_uid}
        early_path = marker_path(self.store, ready.study, self.destination.name, result.name)
        self.store.put_once(early_path, json.dumps(early).encode())
        try:
            response = c_store(association, """,
        "results leased, nothing sent",
        "has results",
    ),
    "results queued before they are written": Plant(
        "router/read.py",
        """        return data if self.store.put_once(path, data) else path.read_bytes()
""",
        """        from threading import Timer

        Timer(0.2, self.store.put_once, (path, data)).start()
        return data
""",
        "results noted, not queued",
        "the sender is told",
    ),
}


@pytest.mark.parametrize("name", PLANTS)
def test_the_drill_finds_a_planted_bug(name: str, tmp_path: Path) -> None:
    """One kill at the right point, and the drill names the promise that was broken."""
    plant = PLANTS[name]
    services = shutil.copytree("services", tmp_path / "services")
    file = services / "scintiflow" / plant.file
    text = file.read_text()
    assert text.count(plant.right) == 1, f"{plant.file} has changed; plant the bug anew"
    file.write_text(text.replace(plant.right, plant.wrong))
    assert plant.complaint in "\n".join(_violations(services, tmp_path / "stack", plant.fault))


def _violations(services: Path, folder: Path, fault: str) -> list[str]:
    """Run one kill of a drill against a copy of the product and return what it complains of."""
    drill = subprocess.run(
        [sys.executable, "-m", "tests.drills.crash.leg", str(folder), "1", "1", fault],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{services}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")},
        check=True,
    )
    violations: list[str] = json.loads(drill.stdout.splitlines()[-1])["violations"]
    return violations
