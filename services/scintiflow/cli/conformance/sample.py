"""Results to read off what we send: every encoder at work on scans that say much and on scans that say little."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from pydicom.dataset import Dataset

from scintiflow.contracts.v1.finding_pb2 import Code, Finding, HeatMap
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, SelectedView
from scintiflow.dicom.writing import Patient, whole_body_image
from scintiflow.inference.manifest import Concept, Manifest
from scintiflow.results import ENCODERS, Reading, Scan
from scintiflow.results.envelope import COPIED

_ROWS, _COLUMNS = 256, 64
_VIEWS = (VIEW_ANTERIOR, VIEW_POSTERIOR)


@dataclass(frozen=True)
class Sample:
    """What an encoder made of one reading: the scan and the results, by kind."""

    source: Dataset
    results: Mapping[str, Dataset]


def samples(models: tuple[Manifest, ...]) -> tuple[Sample, ...]:
    """Return what each model's findings become, on a scan that says little and as a revision on one that says much."""
    return tuple(sample for number, model in enumerate(models) for sample in _of(model, number))


def _of(model: Manifest, number: int) -> Iterator[Sample]:
    first = _encoded(_little(number), model, None)
    yield first
    yield _encoded(_much(number), model, first)


def _encoded(source: Dataset, model: Manifest, earlier: Sample | None) -> Sample:
    frames = {view: np.ones((_ROWS, _COLUMNS), np.float32) for view in _VIEWS}
    scan = Scan(frames, (2.4, 2.4), (source,))

    def reading(kind: str) -> Reading:
        return Reading(
            finding=_finding(source, model, revision=2 if earlier else 1),
            others=(),
            scan=scan,
            predecessor=earlier.results[kind] if earlier else None,
            encoded_at=datetime.fromisoformat(f"{source.AcquisitionDate}T{source.AcquisitionTime}").replace(tzinfo=UTC),
        )

    return Sample(source, {kind: encode(reading(kind)) for kind, encode in ENCODERS.items()})


def _little(number: int) -> Dataset:
    """Return a scan with a patient's name and number, and nothing that need not be there."""
    scan = _scan(Patient(f"Bare^{number}", f"B{number}", None, ""), number)
    for keyword in COPIED:
        if keyword in scan:
            delattr(scan, keyword)
    for keyword in ("StudyID", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
        setattr(scan, keyword, "")
    return scan


def _much(number: int) -> Dataset:
    """Return a scan in whose header everything is that results repeat, lossily compressed, of a request."""
    scan = _scan(Patient(f"Full^{number}", f"F{number}", date(1950 + number, 1, 1), "F"), 10 + number)
    scan.ReferringPhysicianName, scan.AccessionNumber = f"Doctor^{number}", f"A{number}"
    scan.SyntheticData = "YES"
    scan.LossyImageCompression = "01"
    scan.LossyImageCompressionRatio, scan.LossyImageCompressionMethod = 10 + number, "ISO_10918_1"
    request = Dataset()
    request.RequestedProcedureID, request.ScheduledProcedureStepID = f"R{number}", f"S{number}"
    scan.RequestAttributesSequence = [request]
    return scan


def _scan(patient: Patient, number: int) -> Dataset:
    scan = whole_body_image(
        np.ones((len(_VIEWS), _ROWS, _COLUMNS), np.uint16),
        patient=patient,
        acquired_at=datetime(2025, 1, 1 + number, 10 + number),
    )
    scan.Manufacturer = scan.ManufacturerModelName = scan.SoftwareVersions = "camera"
    scan.BodyPartExamined = "SKELETON"
    scan.SeriesDescription, scan.SeriesNumber, scan.InstanceNumber = "camera", 1000, 1000
    return scan


def _finding(source: Dataset, model: Manifest, revision: int) -> Finding:
    cells = np.ones((32, 32), "<f4")
    views = [
        SelectedView(
            view=view,
            sop_class_uid=source.SOPClassUID,
            sop_instance_uid=source.SOPInstanceUID,
            frame=frame,
            rule="view code",
            confidence="high",
        )
        for frame, view in enumerate(_VIEWS, start=1)
    ]
    return Finding(
        revision=revision,
        model=model.name,
        model_version=model.version,
        model_digest=model.digest,
        status=Finding.STATUS_ASSESSED,
        label=model.label,
        question=_code(model.question),
        site=_code(model.site) if model.site else None,
        probability=0.25 * revision,
        threshold=model.threshold,
        positive=revision > 1,
        engine=model.engine.name,
        precision=model.engine.precision,
        map=HeatMap(height=32, width=32, values=cells.tobytes()),
        views=views,
    )


def _code(concept: Concept) -> Code:
    return Code(value=concept.value, scheme=concept.scheme, meaning=concept.meaning)
