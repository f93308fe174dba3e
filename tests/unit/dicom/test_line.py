"""Data that are written straight to the line, and a peer that does not take them."""

import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.pdu import P_DATA_TF
from pynetdicom.pdu_primitives import P_DATA

from scintiflow.dicom.c_store import c_store
from scintiflow.dicom.line import pdus
from tests.builders import scan
from tests.ports import free_port
from tests.waiting import wait_for

_MORE_THAN_BUFFERS_HOLD = (2, 8192, 2048)


@pytest.fixture(scope="module")
def large() -> Dataset:
    """An object of 64 MiB."""
    return scan(np.zeros(_MORE_THAN_BUFFERS_HOLD, np.uint16))


@pytest.fixture
def pacs(peer: Callable[[str], str]) -> Iterator[tuple[psutil.Process, int]]:
    """DCMTK's storescp, and where it listens."""
    port = free_port()
    with subprocess.Popen([peer("/usr/bin/storescp"), "--ignore", str(port)], stderr=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid), port
        finally:
            process.kill()


def associated(port: int, image: Dataset, seconds: float) -> Association:
    """Open an association over which `image` may be sent, and on which nothing is waited for longer than `seconds`."""
    entity = AE("MODALITY")
    entity.dimse_timeout = seconds
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)

    def established() -> Association | None:
        association = entity.associate("127.0.0.1", port)
        return association if association.is_established else None

    return wait_for(established)


@given(st.lists(st.tuples(st.integers(0, 127).map(lambda n: 2 * n + 1), st.binary(min_size=1)), min_size=1, max_size=3))
def test_values_are_encoded_as_the_standard_has_it(values: list[tuple[int, bytes]]) -> None:
    """Each value is written as pynetdicom writes it in a PDU of its own."""
    together, each = P_DATA(), []
    together.presentation_data_value_list = [list(value) for value in values]
    for value in values:
        alone = P_DATA()
        alone.presentation_data_value_list = [list(value)]
        each.append(P_DATA_TF(alone).encode())
    assert list(pdus(together)) == each


def test_more_than_the_buffers_hold_arrives(pacs: tuple[psutil.Process, int], large: Dataset) -> None:
    """An object larger than what the kernel keeps in between arrives, and the next one over the same association."""
    association = associated(pacs[1], large, seconds=30)
    assert [c_store(association, large).Status for _ in range(2)] == [0, 0]
    association.release()


def test_a_peer_that_takes_nothing_is_not_waited_for_for_ever(pacs: tuple[psutil.Process, int], large: Dataset) -> None:
    """A PACS that stopped reading in the middle of an object costs `dimse_timeout`, and its association is over."""
    process, port = pacs
    association = associated(port, large, seconds=0.5)
    process.suspend()
    began = time.monotonic()
    assert "Status" not in c_store(association, large)
    assert time.monotonic() - began < 10, "seconds"
    wait_for(lambda: not association.is_established)


def test_a_peer_that_dies_in_the_middle_is_noticed(pacs: tuple[psutil.Process, int], large: Dataset) -> None:
    """A PACS that is killed while it takes an object leaves no answer, and nobody waits."""
    process, port = pacs
    association = associated(port, large, seconds=60)
    process.suspend()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(c_store, association, large)
        with pytest.raises(TimeoutError):
            answer.result(0.5)
        process.kill()
        assert "Status" not in answer.result(20)
    wait_for(lambda: not association.is_established)
