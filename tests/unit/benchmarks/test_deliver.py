"""How deliveries are timed and compared, and what is delivered."""

from pathlib import Path

import pytest
from pydicom.filereader import read_file_meta_info

from benchmarks.deliver import OURS, PEERS, PYNETDICOM, Delivery, ratios, results


def test_each_study_leaves_two_reports_and_two_pictures_of_its_own(tmp_path: Path) -> None:
    """A PACS that knows what came before has not seen any of it."""
    instances = [
        {read_file_meta_info(file).MediaStorageSOPInstanceUID for file in results(tmp_path)} for _study in range(2)
    ]
    assert [len(each) for each in instances] == [4, 4]
    assert not instances[0] & instances[1]


def test_ratios_are_of_one_round() -> None:
    """A machine that slows down for a round changes both alike."""
    ours = [Delivery(milliseconds, 1) for milliseconds in (10, 40, 10)]
    other = [Delivery(2 * each.milliseconds, 1) for each in ours]
    deliveries = {(peer, name): taken for peer in PEERS for name, taken in ((OURS, ours), (PYNETDICOM, other))}
    assert ratios(deliveries) == pytest.approx(dict.fromkeys(PEERS, 2))
