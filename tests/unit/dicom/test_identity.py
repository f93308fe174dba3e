"""Names and UIDs that follow from content alone."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID, Comprehensive3DSRStorage

from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.dicom.identity import (
    EQUIPMENT,
    IMPLEMENTATION_UID,
    IMPLEMENTATION_VERSION,
    is_our_result,
    is_probe,
    result_uid,
    series_uid,
    study_folder,
)
from scintiflow.dicom.privacy import log_name, log_names
from scintiflow.probe.scan import probe_scan
from tests.builders import having, our_result, scan

VIEWS = st.lists(
    st.builds(
        SelectedView,
        view=st.sampled_from([VIEW_ANTERIOR, VIEW_POSTERIOR]),
        sop_instance_uid=st.from_regex(r"[0-9]{1,9}(\.[0-9]{1,9}){0,5}", fullmatch=True),
        frame=st.integers(1, 64),
    ),
    min_size=1,
    max_size=2,
)
WORDS = st.text(max_size=70)


def found(views: list[SelectedView], **said: str) -> Finding:
    """What a model found on views of a study."""
    return Finding(**{"study": "0" * 32, "model": "m", "model_digest": "digest"} | said, views=views)


@given(views=VIEWS, digest=WORDS, kind=WORDS, version=WORDS)
def test_a_result_has_one_valid_uid(views: list[SelectedView], digest: str, kind: str, version: str) -> None:
    """The same inputs give the same UID, in whatever order the views come; it is valid and at most 64 characters."""
    finding = found(views, model_digest=digest)
    uid = result_uid(finding, kind, version)
    assert uid == result_uid(found(list(reversed(views)), model_digest=digest), kind, version)
    assert UID(uid).is_valid
    assert len(uid) <= 64
    assert uid.startswith("2.25.")
    assert series_uid(finding, kind, version).is_valid


@given(views=VIEWS, other=VIEWS)
def test_other_views_give_other_uids(views: list[SelectedView], other: list[SelectedView]) -> None:
    """A result's UID changes exactly when the selected frames do."""
    named = [sorted((one.sop_instance_uid, one.frame, one.view) for one in some) for some in (views, other)]
    same = named[0] == named[1]
    for uid in (result_uid, series_uid):
        assert (uid(found(views), "report", "1") == uid(found(other), "report", "1")) == same


def test_study_model_kind_and_encoder_are_part_of_a_result() -> None:
    """The same views filed under another study, another model, also of the same graph, another kind or a new encoder
    make another instance; the series is shared by the models of a study."""
    views = [SelectedView(view=VIEW_ANTERIOR, sop_instance_uid="1.2", frame=1)]
    finding, filed_anew = found(views), found(views, study="1" * 32)
    others = found(views, model_digest="other"), found(views, model="another")
    uids = {
        *(result_uid(each, "report", "1") for each in (finding, filed_anew, *others)),
        result_uid(finding, "picture", "1"),
        result_uid(finding, "report", "2"),
        *(series_uid(each, "report", "1") for each in (finding, filed_anew, *others)),
        series_uid(finding, "picture", "1"),
    }
    assert len(uids) == 6 + 3


def test_result_uids_stay_what_they_are() -> None:
    """A new release must not send stored results again under new UIDs."""
    views = [SelectedView(view=VIEW_ANTERIOR, sop_instance_uid="1.2", frame=1)]
    assert result_uid(found(views), "report", "1") == "2.25.124462583156424688365601605430962956460"
    assert study_folder("1.2.3") == "c47f5b18b8a430e698b9fe15e51f6119"


@given(uid=st.text())
def test_a_study_folder_is_a_plain_name(uid: str) -> None:
    """Nothing in a Study Instance UID, however hostile, reaches the file system."""
    assert len(study_folder(uid)) == 32
    assert set(study_folder(uid)) <= set("0123456789abcdef")


def test_screens_see_a_short_name() -> None:
    """A screen names a study by the first 12 digits of its folder."""
    assert log_name(study_folder("1.2.3")) == study_folder("1.2.3")[:12]


def test_logs_of_two_installations_do_not_tell_that_a_study_is_the_same() -> None:
    """What logs and traces call a study depends on the salt, and holds nothing of its folder."""
    folder = study_folder("1.2.3")
    here, there = log_names(b"here", folder), log_names(b"there", folder)
    assert here == log_names(b"here", folder)
    assert set(here.values()).isdisjoint(there.values())
    assert here["trace_id"].startswith(here["study"])
    assert len(here["trace_id"]) == 32
    assert folder[:12] not in here.values()


def test_scans_of_the_probe_are_recognised_by_patient_and_mark() -> None:
    """What is not marked as synthetic is somebody's scan, whatever its patient is called."""
    sent = probe_scan(datetime(2026, 1, 2, 12))
    assert is_probe(sent)
    assert not is_probe(having(probe_scan(datetime(2026, 1, 2, 12)), SyntheticData="NO"))
    assert not is_probe(scan(synthetic=True))


def test_our_results_are_recognised_by_class_and_equipment() -> None:
    """SR and Secondary Capture of our equipment are ours; equipment alone decides nothing."""
    result = our_result(scan())
    assert is_our_result(result)
    assert is_our_result(having(our_result(scan()), SOPClassUID=Comprehensive3DSRStorage))
    ours = having(scan(), Manufacturer=EQUIPMENT.manufacturer, ManufacturerModelName=EQUIPMENT.model)
    assert not is_our_result(ours)
    assert not is_our_result(having(our_result(scan()), ManufacturerModelName="whole body image"))


def test_we_introduce_ourselves_within_the_standard() -> None:
    """Implementation UID and version name fit their elements (PS3.7 D.3.3.2)."""
    assert IMPLEMENTATION_UID.is_valid
    assert len(IMPLEMENTATION_VERSION) <= 16
