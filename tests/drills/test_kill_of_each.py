"""Nothing acknowledged is lost: kill -9 of everything, while studies stream in."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from pydicom import Dataset

from tests.graphs import skeleton_and_heart
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for

STUDIES = 20
STUDIES_BETWEEN_FAULTS = 2
IN_FLIGHT = 3
RESULTS_A_STUDY = 4


def kill(words: str, *, youngest: bool = False) -> Callable[[Stack], None]:
    """Return a fault: kill -9 of the oldest (or youngest) process whose command line holds `words`."""

    def fault(stack: Stack) -> None:
        found = wait_for(lambda: stack.running(words), seconds=20)
        sorted(found, key=lambda process: process.create_time(), reverse=youngest)[0].kill()

    return fault


def kill_redis_and_its_data(stack: Stack) -> None:
    """Kill -9 of Redis with everything it had on disk."""
    server = wait_for(lambda: stack.running("redis-server"), seconds=20)[0]
    server.suspend()
    for path in (stack.data / "redis").iterdir():
        if not path.is_socket():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    server.kill()


FAULTS: dict[str, Callable[[Stack], None]] = {
    "receiver": kill("scintiflow.receiver"),
    "one listener of the receiver": kill("scintiflow.receiver", youngest=True),
    "keeper": kill("scintiflow.keeper"),
    "router": kill("scintiflow.router"),
    "a decoder of the router": kill("scintiflow.decode.child"),
    "classifier": kill("scintiflow.classifier"),
    "worker of the classifier": kill("_bentoml_impl.worker"),
    "sender": kill("scintiflow.sender"),
    "Redis with its data": kill_redis_and_its_data,
}


def stream_in(stack: Stack, pacs: Pacs, studies: list[Dataset], results: int) -> None:
    """Send as a PACS does: each study again and again until the answer is 0000, a few ahead of their `results` each."""
    for number, study in enumerate(studies):
        wait_for(lambda number=number: len(pacs.objects) >= results * (number - IN_FLIGHT), seconds=120)
        wait_for(lambda study=study: accepted(stack, study), seconds=60, every=0.3)


def accepted(stack: Stack, study: Dataset) -> bool:
    """Send one study; tell whether it was acknowledged."""
    try:
        return send(stack.dicom_port, [study]) == [0x0000]
    except (AssertionError, RuntimeError):  # no association, or one that is over before the study is sent
        return False


def test_every_acknowledged_study_comes_back_whatever_is_killed(tmp_path: Path) -> None:
    """kill -9 of each process once, and of Redis with its data: each study is delivered once, two results a model."""
    studies, models = copies(EXAMPLES, STUDIES), skeleton_and_heart(tmp_path / "models")
    with Pacs() as pacs, running_stack(tmp_path, CONFIGURATION.format(port=pacs.port), models=models) as stack:
        sending = threading.Thread(target=stream_in, args=(stack, pacs, studies, RESULTS_A_STUDY))
        sending.start()
        for number, fault in enumerate(FAULTS.values(), start=1):
            reached = number * STUDIES_BETWEEN_FAULTS * RESULTS_A_STUDY
            wait_for(lambda reached=reached: len(pacs.objects) >= reached, seconds=90)
            fault(stack)
        sending.join(180)
        assert not sending.is_alive()
        outcomes = [stack.outcome(study.StudyInstanceUID, seconds=90) for study in studies]
        results = [pacs.of_study(study.StudyInstanceUID) for study in studies]
    assert [outcome.state for outcome in outcomes] == ["delivered"] * STUDIES
    assert [sorted(result.Modality for result in found) for found in results] == [["OT", "OT", "SR", "SR"]] * STUDIES
    for uid in pacs.objects:
        assert len({digest for sent, digest in pacs.received if sent == uid}) == 1, "one instance, one content"
