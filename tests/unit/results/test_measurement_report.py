"""The structured report, against its templates, its sources and dciodvfy."""

import io
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR
from scintiflow.dicom.identity import is_our_result
from scintiflow.results import DISCLAIMER, ENCODERS, Reading, measurement_report
from tests import dciodvfy
from tests.unit.results.readings import (
    HEART,
    UPTAKE,
    both_views,
    finding,
    left_out,
    reading,
    scan,
    secondary_capture_scan,
    shows,
)
from tests.unit.results.template import dcm, name_of, walk


def encoded(subject: Reading, kind: str = "report") -> Dataset:
    """Return the result as a PACS reads it: written and read back."""
    file = io.BytesIO()
    ENCODERS[kind](subject).save_as(file, enforce_file_format=True)
    return dcmread(io.BytesIO(file.getvalue()))


def coded(value: str, scheme: str, meaning: str) -> Dataset:
    """Return a code sequence item."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def requested(source: Dataset) -> Dataset:
    """Return `source` with what a worklist gave it: a request, a procedure and issuers."""
    request = Dataset()
    request.RequestedProcedureID = "RP-77"
    request.ScheduledProcedureStepID = "SPS-1"
    issuer = Dataset()
    issuer.LocalNamespaceEntityID = "RIS"
    source.RequestAttributesSequence = [request]
    source.ProcedureCodeSequence = [coded("NM-BONE", "99HOSPITAL", "Bone scan, whole body")]
    source.AccessionNumber = "A-4711"
    source.IssuerOfPatientID = "HOSPITAL"
    source.IssuerOfAccessionNumberSequence = [issuer]
    return source


def two_objects() -> Reading:
    """Return a reading of two one-frame objects, the posterior told first."""
    front, back = scan(1), scan(1, SOPInstanceUID="2.25.1234")
    return reading(front, back, found=finding([shows(VIEW_POSTERIOR, back), shows(VIEW_ANTERIOR, front)]))


def doubtful() -> Reading:
    """Return the reading about which most must be said."""
    source = scan(1, SyntheticData="YES", TimezoneOffsetFromUTC="+0100")
    view = shows(VIEW_ANTERIOR, source, rule="detector order", confidence="low", flags=["Two views say different."])
    found = finding([view], notes=["Tracer unknown."], revision=2)
    return reading(
        source, found=found, others=[left_out("cardiac", "posterior view missing")], earlier=encoded(reading())
    )


def cardiac() -> Reading:
    """Return a reading of the model with a private question, and a negative answer."""
    source = scan()
    return reading(source, found=finding(both_views(source), 0.2, model="cardiac", question=UPTAKE, site=HEART))


def secondary_capture() -> Reading:
    """Return a reading of one view that is an object by itself."""
    source = secondary_capture_scan()
    return reading(source, found=finding([shows(VIEW_ANTERIOR, source)]))


READINGS = {
    "one object, two frames": reading,
    "two objects": two_objects,
    "low confidence, revised, synthetic": doubtful,
    "private question": cardiac,
    "scan in a Secondary Capture": secondary_capture,
    "requested": lambda: reading(requested(scan())),
    "name in Cyrillic": lambda: reading(scan(SpecificCharacterSet="ISO_IR 144", PatientName="Чехов^Антон")),
}


@pytest.mark.parametrize("case", READINGS)
def test_every_report_keeps_to_its_templates(case: str) -> None:
    """A report on any kind of scan walks TIDs 1500, 1600, 1501 and 4019 without a fault."""
    assert walk(encoded(READINGS[case]())) == []


@pytest.mark.peers
@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("case", READINGS)
def test_dciodvfy_finds_no_error(case: str, kind: str, peer: Callable[[str], str], tmp_path: Path) -> None:
    """dciodvfy reports no error on any report or picture, but for an attribute that it is too old to know."""
    result = ENCODERS[kind](READINGS[case]())
    assert dciodvfy.errors(peer("/usr/bin/dciodvfy"), result, tmp_path) == []


def children(parent: Dataset, name: tuple[str, str]) -> list[Dataset]:
    """Return the children of `parent` called `name`."""
    return [item for item in parent.ContentSequence if name_of(item) == name]


def group_of(report: Dataset) -> Dataset:
    """Return the one measurement group of `report`."""
    return children(children(report, dcm("126010"))[0], dcm("125007"))[0]


def library_of(report: Dataset) -> list[Dataset]:
    """Return the image library's entries."""
    group = children(children(report, dcm("111028"))[0], dcm("126200"))[0]
    return [item for item in group.ContentSequence if item.ValueType == "IMAGE"]


def drop(parent: Dataset, name: tuple[str, str]) -> None:
    """Take every child called `name` out of `parent`."""
    parent.ContentSequence = [item for item in parent.ContentSequence if name_of(item) != name]


def measure_in_bananas(report: Dataset) -> None:
    """Invent a unit."""
    unit = children(group_of(report), dcm("122157"))[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    unit.CodeValue = unit.CodeMeaning = "bananas"


def measure_in_percent(report: Dataset) -> None:
    """Measure the probability in another, existing unit."""
    unit = children(group_of(report), dcm("122157"))[0].MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0]
    unit.CodeValue, unit.CodeMeaning = "%", "Percent"


def call_it_otherwise(report: Dataset) -> None:
    """Give a code another meaning."""
    children(group_of(report), ("94222008", "SCT"))[0].ConceptNameCodeSequence[0].CodeMeaning = "Healthy bone"


def answer_otherwise(report: Dataset) -> None:
    """Answer with what is no answer."""
    item = children(group_of(report), ("94222008", "SCT"))[0]
    item.ConceptCodeSequence = [coded("272673000", "SCT", "Bone")]


def rename_measurements(report: Dataset) -> None:
    """Put the measurements where derived ones belong."""
    container = children(report, dcm("126010"))[0]
    container.ConceptNameCodeSequence = [coded("126011", "DCM", "Derived Imaging Measurements")]


def rename_group(report: Dataset) -> None:
    """Put an image library where the measurement group belongs."""
    group_of(report).ConceptNameCodeSequence = [coded("111028", "DCM", "Image Library")]


def forget_evidence(report: Dataset) -> None:
    """Leave out the evidence."""
    del report.CurrentRequestedProcedureEvidenceSequence


def point_at_another_image(report: Dataset) -> None:
    """Point at an image that is no evidence."""
    library_of(report)[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "2.25.99"


BREAKS: dict[str, Callable[[Dataset], None]] = {
    "no procedure": lambda report: drop(report, dcm("121058")),
    "no observer": lambda report: drop(report, dcm("121005")),
    "no observer UID": lambda report: drop(report, dcm("121012")),
    "no tracking identifier": lambda report: drop(group_of(report), dcm("112039")),
    "no tracking UID": lambda report: drop(group_of(report), dcm("112040")),
    "wrong unit": measure_in_bananas,
    "right unit, wrong measurement": measure_in_percent,
    "wrong code meaning": call_it_otherwise,
    "wrong answer": answer_otherwise,
    "wrong container": rename_measurements,
    "wrong group": rename_group,
    "missing evidence": forget_evidence,
    "other evidence": point_at_another_image,
    "no language": lambda report: drop(report, dcm("121049")),
    "no image library": lambda report: drop(report, dcm("111028")),
    "no view": lambda report: drop(library_of(report)[1], dcm("111031")),
    "no algorithm name": lambda report: drop(group_of(report), dcm("111001")),
    "no algorithm version": lambda report: drop(group_of(report), dcm("111003")),
    "no probability": lambda report: drop(group_of(report), dcm("122157")),
    "no source": lambda report: drop(group_of(report), dcm("121112")),
    "other template": lambda report: setattr(report.ContentTemplateSequence[0], "TemplateIdentifier", "2000"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_the_walk_finds_each_fault(broken: str) -> None:
    """A report broken in one place is found out, also where dciodvfy finds nothing."""
    report = deepcopy(encoded(reading()))
    BREAKS[broken](report)
    assert walk(report) != []


def comments(report: Dataset) -> list[str]:
    """Return what the report says in words."""
    return [item.TextValue for item in children(group_of(report), dcm("121106"))]


def test_the_question_is_answered_and_never_a_finding() -> None:
    """Bony metastasis is asked and answered present, absent or undetermined; no item is called Finding."""
    source = scan()
    answers = []
    for found in (
        finding(both_views(source), 0.93),
        finding(both_views(source), 0.07),
        finding(both_views(source), 0.5, positive=None),
    ):
        group = group_of(encoded(reading(source, found=found)))
        answers.append(children(group, ("94222008", "SCT"))[0].ConceptCodeSequence[0].CodeMeaning)
        assert children(group, dcm("121071")) == []
    assert answers == ["Present", "Absent", "Undetermined"]


def test_the_answer_can_be_traced_to_its_model() -> None:
    """The report holds the probability, and the model's name, version, threshold, digest, engine and precision."""
    group = group_of(encoded(reading()))
    assert float(children(group, dcm("122157"))[0].MeasuredValueSequence[0].NumericValue) == 0.93
    assert [item.TextValue for item in children(group, dcm("111002"))] == [
        "threshold=0.5",
        f"digest={finding([]).model_digest}",
        "engine=openvino 2026.4.1",
        "precision=bf16",
    ]
    assert children(group, dcm("111001"))[0].TextValue == "metastasis"
    assert children(group, dcm("111003"))[0].TextValue == "0.1.0"
    assert children(group, dcm("111000"))[0].ConceptCodeSequence[0].CodeValue == "123110"


def test_everything_that_a_reader_must_know_is_said() -> None:
    """Disclaimer, revision, synthetic data, a missing view, notes, doubts and models left out are all comments."""
    assert comments(encoded(doubtful())) == [
        DISCLAIMER,
        "This is revision 2.",
        "The scan is marked as synthetic data.",
        "Only the anterior view was read.",
        "Tracer unknown.",
        "Low confidence that one view is the anterior: decided by detector order.",
        "Two views say different.",
        "cardiac: not assessed: posterior view missing.",
    ]


def test_the_library_tells_which_frame_shows_which_view() -> None:
    """There is one library entry a frame, anterior first, whichever way the scan came."""
    for subject, frames in ((reading(), [1, 2]), (two_objects(), [1, 1])):
        entries = library_of(encoded(subject))
        views = [children(entry, dcm("111031"))[0].ConceptCodeSequence[0].CodeMeaning for entry in entries]
        assert views == ["Anterior projection", "Posterior projection"]
        assert [entry.ReferencedSOPSequence[0].ReferencedFrameNumber for entry in entries] == frames


def test_a_source_without_frames_is_named_without_a_frame_number() -> None:
    """An object that has no frames to count is referenced whole."""
    entry = library_of(encoded(secondary_capture()))[0]
    assert "ReferencedFrameNumber" not in entry.ReferencedSOPSequence[0]


def test_a_revision_names_what_it_revises() -> None:
    """The report of a revision points at the earlier report in Predecessor Documents."""
    earlier = encoded(reading())
    report = encoded(reading(earlier=earlier))
    named = report.PredecessorDocumentsSequence[0].ReferencedSeriesSequence[0]
    assert named.SeriesInstanceUID == earlier.SeriesInstanceUID
    assert named.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == earlier.SOPInstanceUID


def test_a_private_question_says_whose_code_it_is() -> None:
    """A report with a private code identifies the coding scheme, and the site is the model's own."""
    report = encoded(cardiac())
    assert report.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99SCINTIFLOW"
    assert children(group_of(report), ("363698007", "SCT"))[0].ConceptCodeSequence[0].CodeMeaning == "Heart"


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_result_files_itself_under_patient_study_and_request(kind: str) -> None:
    """Patient, study, accession number, issuers and request of the scan are in its results."""
    source = requested(scan())
    result = encoded(reading(source), kind)
    for keyword in ("PatientID", "PatientName", "IssuerOfPatientID", "StudyInstanceUID", "StudyID", "AccessionNumber"):
        assert result[keyword].value == source[keyword].value
    assert result.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS"
    asked = result.ReferencedRequestSequence if kind == "report" else result.RequestAttributesSequence
    assert asked[0].RequestedProcedureID == "RP-77"


def test_the_reported_procedure_is_the_one_that_was_done() -> None:
    """Procedure codes of the study are copied; without any, it is a radionuclide scan of the whole body."""
    for subject, code in ((reading(requested(scan())), "NM-BONE"), (reading(), "42175-0")):
        item = children(encoded(subject), dcm("121058"))[0]
        assert item.ConceptCodeSequence[0].CodeValue == code


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize(
    ("character_set", "name"),
    [
        ("ISO_IR 144", "Чехов^Антон"),
        ("ISO_IR 192", "Müller^Jürgen"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
    ],
)
def test_names_in_any_script_survive(character_set: str | list[str], name: str, kind: str) -> None:
    """A name keeps its characters and the result its source's character set."""
    result = encoded(reading(scan(SpecificCharacterSet=character_set, PatientName=name)), kind)
    assert result.SpecificCharacterSet == character_set
    assert str(result.PatientName) == name


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ENCODERS)
def test_what_is_not_legal_is_left_out_and_the_rest_kept(kind: str) -> None:
    """A scan with values that DICOM forbids still gets its results, without those values and with none altered."""
    odd = scan(StudyDate="195x", StudyDescription="x" * 80, AdmissionID="A\\B", TimezoneOffsetFromUTC="+9999")
    odd.PatientName, odd.AccessionNumber = "Doe^Jane\x1b[2J", "A1\n"
    result = encoded(reading(odd), kind)
    assert (result.StudyDate, str(result.PatientName), result.AccessionNumber) == ("", "", "")
    assert not {"StudyDescription", "AdmissionID", "TimezoneOffsetFromUTC"} & set(result.dir())
    assert (result.PatientID, result.StudyInstanceUID) == (odd.PatientID, odd.StudyInstanceUID)


FILED_BY = {
    "PatientID": "P" * 80,
    "IssuerOfPatientID": "a ward\\a house",
    "PatientName": "Doe^Jane^^^^^^",
    "PatientBirthDate": "1950-02-28",
    "PatientSex": "female",
    "StudyID": "S" * 40,
    "AccessionNumber": "A23456789012345678",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", ENCODERS)
def test_what_a_study_is_filed_by_is_repeated_as_it_is(kind: str) -> None:
    """An accession number of 18 characters, or a sex in words, is how the PACS knows the study: its results say so."""
    source = scan(**FILED_BY)
    result = encoded(reading(source), kind)
    assert {keyword: result[keyword].value for keyword in FILED_BY} == {
        keyword: source[keyword].value for keyword in FILED_BY
    }


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_character_set_that_is_none_costs_texts_and_no_result(kind: str) -> None:
    """A scan whose character set nobody can decode still gets its results."""
    odd = scan(SpecificCharacterSet="hex")
    result = encoded(reading(odd), kind)
    assert (result.SpecificCharacterSet, result.StudyInstanceUID) == ("ISO_IR 192", odd.StudyInstanceUID)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("case", READINGS)
def test_the_same_reading_gives_the_same_bytes(case: str, kind: str) -> None:
    """Encoding twice gives one object, so that a retry can never put a second one into a PACS."""
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        ENCODERS[kind](READINGS[case]()).save_as(file, enforce_file_format=True)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("case", READINGS)
def test_what_is_settled_is_written_as_pydicom_would_have_written_it(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To spare pydicom its search at every level changes no byte."""
    files = [io.BytesIO(), io.BytesIO()]
    ENCODERS["report"](READINGS[case]()).save_as(files[0], enforce_file_format=True)
    monkeypatch.setattr(measurement_report, "settle", lambda result: result)
    ENCODERS["report"](READINGS[case]()).save_as(files[1], enforce_file_format=True)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("kind", ENCODERS)
def test_times_are_those_of_encoding_in_the_study_s_zone(kind: str) -> None:
    """Content date and time come from the first encoding, in the time zone that the study is in."""
    plain, shifted = encoded(reading(), kind), encoded(reading(scan(TimezoneOffsetFromUTC="+0130")), kind)
    assert (plain.ContentDate, plain.ContentTime) == ("20260301", "123015.250000")
    assert (shifted.ContentTime, shifted.TimezoneOffsetFromUTC) == ("140015.250000", "+0130")


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_result_is_recognised_as_ours(kind: str) -> None:
    """A result that a PACS sends back to us is known by what it is and who made it, and is marked unverified."""
    result = encoded(reading(), kind)
    assert is_our_result(result)
    assert "research only" in result.SeriesDescription
    if kind == "report":
        assert (result.VerificationFlag, result.PreliminaryFlag) == ("UNVERIFIED", "PRELIMINARY")


@pytest.mark.parametrize("kind", ENCODERS)
def test_results_of_synthetic_scans_are_marked_synthetic(kind: str) -> None:
    """Synthetic Data is copied from the scan, and absent from results of scans that do not have it."""
    assert encoded(doubtful(), kind).SyntheticData == "YES"
    assert "SyntheticData" not in encoded(reading(), kind)


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("latin_first", [True, False])
def test_objects_in_two_character_sets_are_said_whole(kind: str, latin_first: bool) -> None:
    """Of a scan whose views are told in two character sets, no letter of a name or a text is lost in a result."""
    latin, cyrillic = (
        scan(1, SpecificCharacterSet="ISO_IR 100", name=""),
        scan(1, SOPInstanceUID="2.25.1234", name="Иванов^Иван"),
    )
    latin.StudyDescription = ""
    cyrillic.SpecificCharacterSet, cyrillic.StudyDescription = "ISO_IR 192", "Сцинтиграфия"
    views = [shows(VIEW_ANTERIOR, latin), shows(VIEW_POSTERIOR, cyrillic)]
    sources = (latin, cyrillic) if latin_first else (cyrillic, latin)
    result = encoded(reading(*sources, found=finding(views)), kind)
    assert (str(result.PatientName), result.StudyDescription) == ("Иванов^Иван", "Сцинтиграфия")
    assert (latin.SpecificCharacterSet, cyrillic.SpecificCharacterSet) == ("ISO_IR 100", "ISO_IR 192")


def test_a_procedure_is_named_in_its_own_hospital_s_words() -> None:
    """Codes that are equal but for their meaning, which is anybody's text, are not taken for each other."""
    for meaning in ("Bone scan ordered for Smith^John", "Bone scan", "Scan of bone"):
        source = scan()
        source.ProcedureCodeSequence = [coded("NM-1", "99LOCAL", meaning)]
        (item,) = children(encoded(reading(source)), dcm("121058"))
        assert item.ConceptCodeSequence[0].CodeMeaning == meaning


def test_a_procedure_is_named_in_the_letters_of_each_hospital() -> None:
    """The same procedure with an umlaut, said in Latin-1 and then in UTF-8, is the same words in both reports."""
    for names in ("ISO_IR 100", "ISO_IR 192"):
        source = scan(SpecificCharacterSet=names)
        source.ProcedureCodeSequence = [coded("NM-1", "99HOSPITAL", "Ganzkörperszintigrafie")]
        items = encoded(reading(source)).ContentSequence
        meanings = [code.CodeMeaning for item in items for code in item.get("ConceptCodeSequence", ())]
        assert "Ganzkörperszintigrafie" in meanings
