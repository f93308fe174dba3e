"""The structured report: Comprehensive 3D SR after TID 1500, with TIDs 1600, 1501 and 4019 (DICOM PS3.16)."""

from collections.abc import Sequence
from functools import cache, lru_cache

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    LanguageOfContentItemAndDescendants,
    Measurement,
    NumContentItem,
    ObserverContext,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import Comprehensive3DSRStorage

from scintiflow.contracts.v1.finding_pb2 import Code as ContractCode
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView, View
from scintiflow.dicom.identity import EQUIPMENT, IMPLEMENTATION_UID, result_uid
from scintiflow.dicom.recurring import encoded, recurring, settle
from scintiflow.results.envelope import envelope, evidence, first_with, reference, selected_frames
from scintiflow.results.reading import DISCLAIMER, Reading, answer, remarks, views_in_order

KIND = "report"
VERSION = "2"
SERIES = (9001, "AI report, research only")

_CONTAINS, _MODIFIER, _ACQUISITION = "CONTAINS", "HAS CONCEPT MOD", "HAS ACQ CONTEXT"

_MODELS = 16
"""Are told of in reports at any time, with another engine each."""

_ENGLISH = Code("en", "RFC5646", "English")
_PIXELS = Code("{pixels}", "UCUM", "Pixels")
_WHOLE_BODY_SCAN = Code("42175-0", "LN", "Radionuclide scan of whole body")
_PROJECTIONS: dict[View, Code] = {
    VIEW_ANTERIOR: codes.SCT.AnteriorProjection,
    VIEW_POSTERIOR: codes.SCT.PosteriorProjection,
}

_REQUEST = (  # types 1 and 2 of an item of Referenced Request Sequence (PS3.3 C.17.2)
    "StudyInstanceUID",
    "ReferencedStudySequence",
    "AccessionNumber",
    "PlacerOrderNumberImagingServiceRequest",
    "FillerOrderNumberImagingServiceRequest",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedureCodeSequence",
)


def encode(reading: Reading) -> Dataset:
    """Return the report on one assessed finding, ready for `save_as(..., enforce_file_format=True)`."""
    report = envelope(reading, Comprehensive3DSRStorage, KIND, VERSION, SERIES)
    report.Modality = "SR"
    report.CompletionFlag = "COMPLETE"
    report.VerificationFlag = "UNVERIFIED"
    report.PreliminaryFlag = "PRELIMINARY"
    report.ReferencedPerformedProcedureStepSequence = []
    report.PerformedProcedureCodeSequence = []
    report.CurrentRequestedProcedureEvidenceSequence = [evidence(reading.scan.sources)]
    if requests := _requests(reading.scan.sources):
        report.ReferencedRequestSequence = requests
    if reading.predecessor:
        report.PredecessorDocumentsSequence = [evidence([reading.predecessor])]
    if reading.finding.question.scheme.startswith("99"):
        report.CodingSchemeIdentificationSequence = [_private_scheme(reading.finding.question.scheme)]
    report.update(_measurement_report(reading))
    return settle(report)


def _measurement_report(reading: Reading) -> Dataset:
    """TID 1500 Measurement Report."""
    procedures = (_said(codes.DCM.ProcedureReported, code, _MODIFIER) for code in _procedures(reading.scan.sources))
    items = [
        *_language_and_observer(),
        *procedures,
        _image_library(reading),
        _container(codes.DCM.ImagingMeasurements, [_measurement_group(reading)]),
    ]
    return _container(codes.DCM.ImagingMeasurementReport, items, template="1500", relationship=None)


@cache
def _language_and_observer() -> tuple[Dataset, ...]:
    """TID 1204, 1002 and 1004, the same in every report: English, and the observer is a device, and it is us."""
    device = DeviceObserverIdentifyingAttributes(
        uid=IMPLEMENTATION_UID,
        manufacturer_name=EQUIPMENT.manufacturer,
        model_name=EQUIPMENT.model,
        serial_number=EQUIPMENT.version,
    )
    return tuple(
        map(encoded, (*LanguageOfContentItemAndDescendants(_ENGLISH), *ObserverContext(codes.DCM.Device, device)))
    )


def _procedures(sources: Sequence[Dataset]) -> list[Code]:
    """Return the procedures that the study names, else a whole-body scan."""
    source = first_with(sources, "ProcedureCodeSequence")
    named = [
        Code(item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning[:64])
        for item in (source.ProcedureCodeSequence if source else ())
        if all(item.get(part) for part in ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"))
    ]
    return named or [_WHOLE_BODY_SCAN]


def _image_library(reading: Reading) -> Dataset:
    """TID 1600 Image Library: one entry a frame, because one object can show the patient from both sides."""
    sources = {source.SOPInstanceUID: source for source in reading.scan.sources}
    group = [
        _said(codes.DCM.Modality, codes.DCM.NuclearMedicine, _ACQUISITION),
        _said(codes.DCM.TargetRegion, codes.SCT.EntireBody, _ACQUISITION),
        *(_entry(sources[view.sop_instance_uid], view) for view in views_in_order(reading.finding)),
    ]
    return _container(codes.DCM.ImageLibrary, [_container(codes.DCM.ImageLibraryGroup, group)])


def _entry(source: Dataset, view: SelectedView) -> Dataset:
    """TID 1601 and 1602: one frame, which side it shows and how large it is."""
    entry = _image(source, [view.frame])
    entry.ContentSequence = [
        _said(codes.DCM.ImageView, _PROJECTIONS[view.view], _ACQUISITION),
        _pixels(codes.DCM.PixelDataRows, source.Rows),
        _pixels(codes.DCM.PixelDataColumns, source.Columns),
    ]
    return entry


def _measurement_group(reading: Reading) -> Dataset:
    """TID 1501: the question, its answer, how sure the model is, and what else must be said."""
    finding = reading.finding
    tracking_uid = result_uid(finding, "tracking", VERSION)
    site = _code(finding.site) if finding.HasField("site") else codes.SCT.Bone
    sources = [_image(source, frames) for source, frames in selected_frames(reading)]
    for source in sources:
        source.ConceptNameCodeSequence = [CodedConcept.from_code(codes.DCM.SourceOfMeasurement)]
    items = [
        *TrackingIdentifier(tracking_uid, f"{finding.model} {finding.model_version}"),
        _site(site),
        *_algorithm(
            finding.model,
            finding.model_version,
            f"threshold={finding.threshold:g}",
            f"digest={finding.model_digest}",
            f"engine={finding.engine}",
            f"precision={finding.precision}",
        ),
        *Measurement(codes.DCM.Probability, round(finding.probability, 6), codes.UCUM.NoUnits),
        _said(_code(finding.question), answer(finding), _CONTAINS),
        *map(_comment, (DISCLAIMER, *remarks(reading))),
        *sources,
    ]
    return _container(codes.DCM.MeasurementGroup, items, template="1501")


@lru_cache(_MODELS)
def _algorithm(model: str, version: str, *parameters: str) -> tuple[Dataset, ...]:
    """TID 4019: which model, and everything needed to get the same answer again."""
    items = AlgorithmIdentification(
        name=model,
        version=version,
        manufacturer=EQUIPMENT.manufacturer,
        parameters=parameters,
        family=codes.DCM.ArtificialIntelligence,
    )
    return tuple(map(encoded, items))


@recurring
def _said(name: Code, value: Code, relationship: str) -> Dataset:
    item: Dataset = CodeContentItem(name, value, relationship)
    return item


@recurring
def _site(site: Code) -> Dataset:
    item: Dataset = FindingSite(site)
    return item


@recurring
def _pixels(name: Code, number: int) -> Dataset:
    item: Dataset = NumContentItem(name, number, _PIXELS, relationship_type=_ACQUISITION)
    return item


@recurring
def _comment(text: str) -> Dataset:
    item: Dataset = TextContentItem(codes.DCM.Comment, text, _CONTAINS)
    return item


def _container(
    name: Code, items: Sequence[Dataset], template: str | None = None, relationship: str | None = _CONTAINS
) -> Dataset:
    """Return a CONTAINER that accepts any items; highdicom's own refuses an image without a name (TID 1601)."""
    container = Dataset()
    container.update(_empty(name, template, relationship))
    container.ContentSequence = items
    return container


@recurring
def _empty(name: Code, template: str | None, relationship: str | None) -> Dataset:
    item: Dataset = ContainerContentItem(name, False, template, relationship)
    return item


def _image(source: Dataset, frames: Sequence[int]) -> Dataset:
    """Return an IMAGE content item without a name, pointing at frames of `source`."""
    image = Dataset()
    image.RelationshipType = _CONTAINS
    image.ValueType = "IMAGE"
    image.ReferencedSOPSequence = [reference(source, frames)]
    return image


def _code(code: ContractCode) -> Code:
    return Code(code.value, code.scheme, code.meaning)


def _requests(sources: Sequence[Dataset]) -> list[Dataset]:
    """Return the requests that the scan answers (PS3.3 C.17.2, Referenced Request Sequence)."""
    source = first_with(sources, "RequestAttributesSequence")
    return [_request(item, source) for item in source.RequestAttributesSequence] if source else []


def _request(attributes: Dataset, source: Dataset) -> Dataset:
    """Return one request; what its own attributes leave out is taken from the scan, or left empty."""
    request = Dataset()
    for keyword in _REQUEST:
        holder = attributes if keyword in attributes else source
        if keyword in holder:
            request.add(holder[keyword])
        else:
            setattr(request, keyword, [] if keyword.endswith("Sequence") else "")
    return request


def _private_scheme(designator: str) -> Dataset:
    """Say whose private codes these are (PS3.3 C.12.1, Coding Scheme Identification Sequence)."""
    scheme = Dataset()
    scheme.CodingSchemeDesignator = designator
    scheme.CodingSchemeName = f"{EQUIPMENT.manufacturer} private codes"
    scheme.CodingSchemeResponsibleOrganization = EQUIPMENT.manufacturer
    return scheme
