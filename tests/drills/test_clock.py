"""The clock of the whole machine is set while work is on its way: no study waits for it, none goes."""

from collections.abc import Iterator

import pytest
from pydicom.uid import generate_uid

from scintiflow.receiver.status import STATUS
from tests.builders import one_view
from tests.clocks import HOUR, YEAR, SetClock
from tests.pacs import Pacs
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for

OUT_OF_RESOURCES = 0xA700


@pytest.fixture(scope="module")
def pacs() -> Iterator[Pacs]:
    """A PACS; each test says what it answers."""
    with Pacs() as pacs:
        yield pacs


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> SetClock:
    """The machine's clock, as the installation sees it."""
    return SetClock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pacs: Pacs, clock: SetClock) -> Iterator[Stack]:
    """An installation by that clock, Redis and all, that retries a destination after a minute."""
    settings = {"SCINTIFLOW_SENDER_RETRY_FIRST_SECONDS": "60", "SCINTIFLOW_KEEPER_QUIET_SECONDS": "2"}
    rules = CONFIGURATION.format(port=pacs.port)
    with running_stack(tmp_path_factory.mktemp("line"), rules, **settings, **clock.environment) as stack:
        yield stack


@pytest.mark.parametrize("ahead", [-HOUR, HOUR, -10 * YEAR, 10 * YEAR, 0])
def test_work_of_every_kind_goes_on_when_the_clock_is_set(
    stack: Stack, pacs: Pacs, clock: SetClock, ahead: float
) -> None:
    """A retry, a queued study and one that gathers are done within 30 s of the step, once; nothing parks or expires."""
    retried, queued = copies(EXAMPLES, 2)
    gathering = one_view(180.0, study_uid=generate_uid())
    router = stack.running("scintiflow.router")[0]
    pacs.answer, said = lambda uid: OUT_OF_RESOURCES, len(stack.log.read_text())
    assert send(stack.dicom_port, [retried]) == [STATUS["stored"]]
    wait_for(lambda: "queue=results:pacs" in stack.log.read_text()[said:])
    router.suspend()
    assert send(stack.dicom_port, [queued, gathering]) == [STATUS["stored"]] * 2
    wait_for(lambda: stack.record(queued.StudyInstanceUID).outcome.state == "queued")
    clock.set_ahead(ahead)
    pacs.answer = lambda uid: STATUS["stored"]
    router.resume()
    outcomes = [stack.outcome(study.StudyInstanceUID, 30) for study in (retried, queued, gathering)]
    assert [outcome.state for outcome in outcomes] == ["delivered", "delivered", "incomplete"]
    (after,) = copies(EXAMPLES, 1)
    assert send(stack.dicom_port, [after]) == [STATUS["stored"]]
    assert stack.outcome(after.StudyInstanceUID, 30).state == "delivered"
    for study in (retried, queued, gathering, after):
        record = stack.record(study.StudyInstanceUID)
        assert record.objects
        assert not {"parked", "expired"} & {event["event"] for event in record.events}
    assert len(pacs.received) == len(pacs.objects)
