"""What an operator sees: studies, parked work, health, configuration; read from a DATA that a test has written."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scintiflow import __version__
from scintiflow.cli import app
from scintiflow.contracts.v1 import finding_pb2
from scintiflow.contracts.v1.finding_pb2 import Finding, ResultReady
from scintiflow.contracts.v1.study_pb2 import StudyReady
from scintiflow.dicom.identity import study_folder
from scintiflow.dicom.privacy import log_names
from scintiflow.records import as_json, finding_path, marker_path, note, read_record, result_path
from scintiflow.store import Store
from tests.builders import scan
from tests.corpus.words import everywhere
from tests.graphs import generator_folder, skeleton, spoil_golden
from tests.ports import free_offset

UID = "1.2.826.0.1.3680043.8.498.1"
DIGEST = "d" * 64


def run(*arguments: str | Path | int) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def shown(*arguments: str | Path | int) -> Any:
    """Run the command for its JSON."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A DATA with one study, read and handed to two destinations, one of which has it."""
    store, folder = Store(tmp_path), study_folder(UID)
    objects = store.study(folder) / "objects"
    objects.mkdir(parents=True)
    scan(study_uid=UID).save_as(objects / f"{DIGEST}.dcm", enforce_file_format=True)
    ready = StudyReady(study=folder, revision=1, last_stored_at=time.time() - 3)
    note(store, folder, "selected", reason="revision 1", objects=[DIGEST], ready=ready, revision=1)
    finding = Finding(
        study=folder,
        revision=1,
        model="metastasis",
        model_version="0.1.0",
        model_digest=DIGEST,
        status=finding_pb2.Finding.STATUS_ASSESSED,
        label="bone metastases",
        probability=0.75,
        threshold=0.5,
        positive=True,
        engine="openvino",
        precision="bf16",
    )
    store.put_once(finding_path(store, finding), as_json(finding))
    result = finding_pb2.Result(name="r1-metastasis-report", kind="report", model="metastasis")
    deliveries = [ResultReady(study=folder, revision=1, destination=name, results=[result]) for name in ("pacs", "ws")]
    store.put_once(result_path(store, folder, result.name), b"a report")
    note(store, folder, "reported", revision=1, deliveries=deliveries)
    marker = json.dumps({"at": time.time()}).encode()
    store.put_once(marker_path(store, folder, "pacs", result.name), marker)
    return store


def park(store: Store) -> None:
    """The second destination refuses."""
    note(store, study_folder(UID), "parked", stage="send", destination="ws", revision=1, reason="ws refuses the report")


@pytest.mark.parametrize("damage", ["a character set that nobody can look up", "cut short", "empty"])
def test_an_object_that_cannot_be_read_hides_no_study(store: Store, damage: str) -> None:
    """One odd or damaged object costs its own study the UID in the list, and the other studies nothing."""
    odd = everywhere(b"odd", charset=b"NO\0SET")().file()
    data = {"cut short": odd[:333], "empty": b""}.get(damage, odd)
    store.put_once(store.study("0" * 32) / "objects" / f"{DIGEST}.dcm", data)
    assert {study["study_uid"] for study in shown("studies", "--data", store.data)} == {UID, None}


def test_studies_tell_state_and_findings(store: Store) -> None:
    """`studies --json` gives each study its UID, state, findings and destinations, in the agreed shape."""
    (study,) = shown("studies", "--data", store.data)
    assert set(study) == {
        "study_uid", "state", "reason", "findings", "destinations", "received_at", "seconds",
    }  # fmt: skip
    assert (study["study_uid"], study["state"], study["seconds"]) == (UID, "delivering", None)
    assert study["destinations"] == [{"name": "pacs", "state": "delivered"}, {"name": "ws", "state": "delivering"}]
    assert study["findings"] == [
        {
            "model": "metastasis",
            "version": "0.1.0",
            "digest": DIGEST,
            "status": "assessed",
            "reason": None,
            "label": "bone metastases",
            "probability": 0.75,
            "threshold": 0.5,
            "positive": True,
            "engine": "openvino",
            "precision": "bf16",
        }
    ]


def test_the_end_has_a_reason_and_its_seconds(store: Store) -> None:
    """A study that came to its end says why, and how long it took from its last needed object."""
    park(store)
    (study,) = shown("studies", UID, "--data", store.data)
    assert (study["state"], study["reason"]) == ("parked", "ws refuses the report")
    assert 2.9 < study["seconds"] < 60


def test_a_study_outlives_its_objects(store: Store) -> None:
    """Once retention has removed the objects, the study is still listed, without its UID."""
    for path in (store.study(study_folder(UID)) / "objects").iterdir():
        path.unlink()
    note(store, study_folder(UID), "expired", reason="its time is over")
    (study,) = shown("studies", "--data", store.data)
    assert study["study_uid"] is None
    assert study["findings"][0]["probability"] == 0.75


def test_the_newest_studies_come_first(store: Store) -> None:
    """`--limit` keeps the newest ones."""
    note(store, study_folder("2.25.1"), "declined", reason="a CT", objects=[])
    assert [study["state"] for study in shown("studies", "--data", store.data)] == ["declined", "delivering"]
    assert [study["state"] for study in shown("studies", "--limit", "1", "--data", store.data)] == ["declined"]


def test_an_unknown_study_is_a_sentence(store: Store) -> None:
    """Asking for a study that never came says so."""
    result = run("studies", "2.25.404", "--data", store.data)
    assert (result.exit_code, "No study with this UID" in result.stderr) == (1, True)


def test_a_study_in_the_log_is_found(store: Store) -> None:
    """What a log line or a trace calls a study leads to it."""
    for name in log_names(store.salt, study_folder(UID)).values():
        assert shown("studies", name, "--data", store.data) == shown("studies", UID, "--data", store.data)


def test_people_see_a_table(store: Store) -> None:
    """Without --json the finding is said in words."""
    assert "0.75" in run("studies", "--data", store.data).stdout


def test_parked_work_is_listed_with_its_reason(store: Store) -> None:
    """Parked work has a key, a place and a reason; without any the list says so."""
    assert "Nothing is parked" in run("parked", "list", "--data", store.data).stdout
    park(store)
    listed = run("parked", "list", "--data", store.data).stdout
    assert study_folder(UID)[:12] in listed
    assert "send ws" in listed


@pytest.mark.parametrize("which", [UID, study_folder(UID)[:12]])
def test_a_parked_study_tells_its_story(store: Store, which: str) -> None:
    """`show` takes a UID or a key, lists what happened, and says what to do."""
    park(store)
    told = run("parked", "show", which, "--data", store.data).stdout
    assert "ws refuses the report" in told
    assert "Correct the destination" in told


def test_a_replay_tries_again(store: Store) -> None:
    """After a replay the study is on its way again."""
    park(store)
    assert run("parked", "replay", UID, "--data", store.data).exit_code == 0
    assert read_record(store, study_folder(UID)).outcome.state == "delivering"
    assert run("parked", "replay", UID, "--data", store.data).exit_code == 1


def test_all_parked_work_is_tried_again(store: Store) -> None:
    """`replay --all` needs no names, and a replay of nothing in particular is refused."""
    park(store)
    assert run("parked", "replay", "--data", store.data).exit_code == 1
    assert "trying again: send ws" in run("parked", "replay", "--all", "--data", store.data).stdout


def test_what_retention_removed_cannot_be_replayed(store: Store) -> None:
    """A replay whose results are gone says to send the study again, and changes nothing."""
    park(store)
    result_path(store, study_folder(UID), "r1-metastasis-report").unlink()
    result = run("parked", "replay", UID, "--data", store.data)
    assert (result.exit_code, "send the study again" in result.stderr) == (1, True)
    assert read_record(store, study_folder(UID)).outcome.state == "parked"


def test_status_works_when_nothing_runs(store: Store, tmp_path: Path) -> None:
    """With everything down, `status` says so of each process, and still counts what is parked on disk."""
    (tmp_path / "rules.toml").write_text(
        '[[destinations]]\nname = "ws"\nae_title = "WS"\nhost = "127.0.0.1"\nport = 104\n'
    )
    park(store)
    found = shown("status", "--data", store.data, "--config", tmp_path / "rules.toml", "--port-offset", free_offset())
    assert {process["alive"] for process in found["processes"]} == {False}
    assert all("scintiflow up" in process["reason"] for process in found["processes"] if process["name"] != "redis")
    assert found["streams"][-1] == {
        "name": "results:ws", "depth": None, "pending": None, "oldest_seconds": None, "parked": 1,
    }  # fmt: skip
    assert found["engines"] == []
    assert found["disk"]["free_bytes"] > 0
    assert "parked list" in run("status", "--data", store.data, "--config", tmp_path / "rules.toml").stdout


def test_a_sound_configuration_is_explained(tmp_path: Path) -> None:
    """`check` says in sentences what a configuration does."""
    path = tmp_path / "scintiflow.toml"
    path.write_text('[[allow]]\nae_title = "CT1"\nhost = "10.0.0.1"\n\n[models.cardiac]\nmode = "shadow"\n')
    said = run("check", path)
    assert said.exit_code == 0
    assert "CT1 (10.0.0.1)" in said.stdout
    assert "findings are only recorded" in said.stdout
    assert "cardiac: shadow" in said.stdout


def test_each_fault_of_a_configuration_has_its_place(tmp_path: Path) -> None:
    """`check` names every fault with its place and exits 1; a missing file is a fault too."""
    path = tmp_path / "scintiflow.toml"
    path.write_text('[[allow]]\nae_title = ""\n\n[[allow]]\nae_titel = "X"\n')
    said = run("check", path)
    assert said.exit_code == 1
    assert "allow.1.ae_title" in said.stderr
    assert "allow.2.ae_titel" in said.stderr
    assert run("check", tmp_path / "missing.toml").exit_code == 1


def test_models_are_listed_and_verified() -> None:
    """Each shipped model is listed with its digest, and reproduces its golden outputs here."""
    listed = shown("models", "list")
    assert "metastasis" in [model["name"] for model in listed]
    assert {len(model["digest"]) for model in listed} == {64}
    verified = run("models", "verify")
    assert (verified.exit_code, verified.stdout.count("the same answers")) == (0, len(listed))
    assert run("models", "verify", "nonesuch").exit_code == 1


def test_a_generator_is_listed_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator stands beside the classifiers, and is verified by its golden scans."""
    monkeypatch.setenv("SCINTIFLOW_MODELS", str(skeleton(tmp_path)))
    folder = generator_folder(tmp_path)
    assert [model["name"] for model in shown("models", "list")] == ["generator", "skeleton"]
    assert "generator" in run("models", "list").stdout
    assert run("models", "verify", "generator").stdout.startswith("generator 0.1.0: the same answers")
    spoil_golden(folder, "rate")
    verified = run("models", "verify")
    assert (verified.exit_code, "rate is off by" in verified.stdout) == (1, True)


def test_help_teaches_and_the_version_is_said() -> None:
    """`--help` names the way in, `--version` the version."""
    assert "scintiflow demo" in run("--help").stdout
    assert run("--version").stdout == f"scintiflow {__version__}\n"
