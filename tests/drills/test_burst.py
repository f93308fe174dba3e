"""An archive forwards old studies, all at once, while a scanner sends a new one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
from pydicom import Dataset

from tests.pacs import Tally
from tests.stack import CONFIGURATION, EXAMPLES, Stack, copies, running_stack, send
from tests.waiting import wait_for

ARCHIVES, SCANNER = ("ARCHIVE_A", "ARCHIVE_B"), "SCANNER"
ALLOW = "".join(f'[[allow]]\nae_title = "{title}"\n' for title in (*ARCHIVES, SCANNER))
STUDIES = 150
ASSOCIATIONS = 3  # of each archive
RESULTS_A_STUDY = 2
GROWTH_MIB = 200


def test_a_burst_holds_no_other_sender_up_and_loses_nothing(tmp_path: Path) -> None:
    """A study sent after 150 of others is back before half of them; each result comes once; memory stays bounded."""
    with Tally() as pacs, running_stack(tmp_path, ALLOW + CONFIGURATION.format(port=pacs.port)) as stack:
        first, late, *many = copies(EXAMPLES, STUDIES + 2)
        assert send(stack.dicom_port, [first], calling=SCANNER) == [0]
        stack.outcome(first.StudyInstanceUID)
        before = mebibytes(stack)
        forward(stack, many)
        assert send(stack.dicom_port, [late], calling=SCANNER) == [0]
        assert stack.outcome(late.StudyInstanceUID, seconds=120).state == "delivered"
        still_waiting = RESULTS_A_STUDY * (STUDIES + 2) - len(pacs.stored_at)
        assert still_waiting >= RESULTS_A_STUDY * STUDIES / 2
        wait_for(lambda: len(pacs.stored_at) == RESULTS_A_STUDY * (STUDIES + 2), seconds=300, every=0.2)
        assert {stack.outcome(study.StudyInstanceUID).state for study in many} == {"delivered"}
        assert pacs.transmissions == RESULTS_A_STUDY * (STUDIES + 2)
        assert mebibytes(stack) - before < GROWTH_MIB


def forward(stack: Stack, studies: list[Dataset]) -> None:
    """Send all studies over several associations of both archives at once; each is acknowledged."""
    callers = ARCHIVES * ASSOCIATIONS
    shares = [(caller, studies[place :: len(callers)]) for place, caller in enumerate(callers)]
    with ThreadPoolExecutor(len(callers)) as senders:
        for statuses in senders.map(lambda share: send(stack.dicom_port, share[1], calling=share[0]), shares):
            assert set(statuses) == {0}


def mebibytes(stack: Stack) -> float:
    """Return the resident memory of all processes of the line."""
    return sum(process.memory_info().rss for process in psutil.Process(stack.process.pid).children(True)) / 2**20
