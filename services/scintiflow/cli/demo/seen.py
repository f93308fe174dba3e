"""What became of a case, and whether that is what must become of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread

from scintiflow.cli.demo.case import BLUR, ONE_VIEW, Case
from scintiflow.cli.studies import summary
from scintiflow.dicom.identity import study_folder
from scintiflow.records import read_record
from scintiflow.results import ENCODERS
from scintiflow.store import Store

_KNOWN = ("tracer unknown", "lossy image")
"""What everybody must be told of the NEMA scan."""


@dataclass(frozen=True)
class Seen:
    """What became of one case: what the line says, what it noted, why objects were declined, what the PACS received."""

    case: Case
    study: Mapping[str, Any]
    notes: Sequence[str]
    declined: Mapping[str, str]
    received: Mapping[tuple[str, str], Dataset]
    """Model and kind of what the PACS has of this study."""

    @property
    def findings(self) -> Mapping[str, Mapping[str, Any]]:
        """What each model said."""
        return {finding["model"]: finding for finding in self.study["findings"]}

    @property
    def caveats(self) -> list[str]:
        """What a reader must know of the scan, each by its name."""
        return [note.partition(":")[0].lower() for note in self.notes]

    def tiles(self) -> Iterator[tuple[str, NDArray[np.uint8] | str]]:
        """Yield for each model a caption and its picture, or why it has none."""
        for model, finding in self.findings.items():
            picture = self.received.get((model, "picture"))
            why = finding["reason"] or self.study["reason"]
            yield f"{self.case.name}: {finding['label']}?", picture.pixel_array if picture else f"No result: {why}."

    def remarks(self) -> Iterator[str]:
        """Say what a reader must know, which model could not read the scan, and which file was declined."""
        yield from self.notes
        for finding in self.findings.values():
            if finding["status"] == "not_assessed":
                yield f"{finding['label'].capitalize()} not assessed: {finding['reason']}."
        yield from (f"{name} is declined: {reason}" for name, reason in self.declined.items())

    def faults(self) -> list[str]:
        """Say what is not as it must be."""
        name, readers, study = self.case.name, self.case.readers, self.study
        state = "delivered" if readers else "incomplete"
        wanted = {(model, kind) for model in readers for kind in ENCODERS}
        unsaid = [note for note in self.notes for report in self._reports() if note not in report]
        checks = {
            f"{name} is {study['state']} ({study['reason']}), not {state}": study["state"] == state,
            f"{name}: the PACS has {_listed(self.received)}, not {_listed(wanted)}": self.received.keys() == wanted,
            f"{name}: a report does not say: {' '.join(unsaid)}": not unsaid,
        }
        if name == ONE_VIEW:
            checks[f"{BLUR} was not declined for its compression"] = "2097:1" in self.declined.get(BLUR, "")
            checks[f"{name} was not noted as {', '.join(_KNOWN)}"] = set(_KNOWN) <= set(self.caveats)
        return [fault for fault, holds in checks.items() if not holds]

    def _reports(self) -> list[list[str]]:
        """Return the sentences of each report."""
        reports = [dataset for (_, kind), dataset in self.received.items() if kind == "report"]
        return [[item.value for item in report.iterall() if item.keyword == "TextValue"] for report in reports]


def look_back(case: Case, store: Store, pacs: Path) -> Seen:
    """Gather what became of a case, from the disk of the line and from the folder of the PACS."""
    record = read_record(store, study_folder(case.study_uid))
    names = {dcmread(path, stop_before_pixels=True).SOPInstanceUID: path.name for path in case.paths}
    objects = store.study(record.folder) / "objects"
    declined = {names[dcmread(objects / f"{d}.dcm").SOPInstanceUID]: reason for d, reason in record.declined.items()}
    results = [result for delivery in record.deliveries for result in delivery.results]
    made = {result.sop_instance_uid: (result.model, result.kind) for result in results}
    ours = [dataset for dataset in map(dcmread, pacs.glob("*.dcm")) if dataset.StudyInstanceUID == case.study_uid]
    received = {made.get(dataset.SOPInstanceUID, ("nobody", "an object")): dataset for dataset in ours}
    notes = record.readies[-1].notes if record.readies else ()
    return Seen(case, summary(store, record), notes, declined, received)


def _listed(results: Iterable[tuple[str, str]]) -> str:
    return " and ".join(f"{kind} by {model}" for model, kind in sorted(results)) or "nothing"
