"""What the probe says of a line that does not bring its scan back."""

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from scintiflow.config import PROBE_TITLE
from scintiflow.dicom.identity import PROBE_PATIENT
from scintiflow.probe.go_round import Probe
from scintiflow.probe.metrics import Outcome
from scintiflow.probe.returns import Returns
from tests.pacs import Pacs
from tests.ports import free_port
from tests.stack import send

NO_ROOM = 0xA700


@pytest.fixture
def returns() -> Iterator[Returns]:
    """Where results of the probe come back."""
    returns = Returns(PROBE_TITLE, "127.0.0.1", free_port())
    yield returns
    returns.close()


@pytest.fixture
def line() -> Iterator[Pacs]:
    """A receiver that takes scans, behind which nothing happens."""
    with Pacs(ae_title="SCINTIFLOW") as line:
        yield line


def counted(outcome: Outcome) -> float:
    """Return how often the probe's scan ended so."""
    return REGISTRY.get_sample_value("scintiflow_probe_rounds_total", {"outcome": outcome}) or 0.0


def goes_round(port: int, returns: Returns, outcome: Outcome) -> Probe:
    """Let a probe go round once; it ends with `outcome`, which is counted."""
    before, probe = counted(outcome), Probe("127.0.0.1", port, "SCINTIFLOW", returns, patience=0.2)
    probe.go_round()
    assert counted(outcome) == before + 1
    return probe


def test_no_receiver_is_unreachable(returns: Returns) -> None:
    """Where nobody listens, the probe says that it got no association."""
    assert "no association" in str(goes_round(free_port(), returns, "unreachable").trouble())


def test_a_receiver_that_takes_nothing_refuses(returns: Returns, line: Pacs) -> None:
    """A scan that is put off is not waited for."""
    line.answer = lambda uid: NO_ROOM
    assert "did not take" in str(goes_round(line.port, returns, "refused").trouble())


def test_a_line_that_answers_nothing_is_late(returns: Returns, line: Pacs) -> None:
    """The scan was taken, marked as synthetic and as the probe's, and no report came in time."""
    assert "in time" in str(goes_round(line.port, returns, "late").trouble())
    (scan,) = line.datasets()
    assert (scan.SyntheticData, scan.PatientID, scan.NumberOfFrames) == ("YES", PROBE_PATIENT, 2)


def test_what_is_not_the_report_is_not_waited_for(returns: Returns, line: Pacs) -> None:
    """Another object of the same study, such as the scan itself, is no result of it."""
    goes_round(line.port, returns, "late")
    (scan,) = line.datasets()

    def sent_back() -> None:
        assert send(returns.port, [scan], called=PROBE_TITLE) == [0x0000]

    assert not returns.brings_report(scan.StudyInstanceUID, sent_back, 0.2)
