"""The whole statement (DICOM PS3.2 Annex N)."""

from scintiflow.cli.conformance import network, overview
from scintiflow.cli.conformance.attributes import LEGEND, attributes
from scintiflow.cli.conformance.content import TEMPLATES, tree
from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.sample import Sample, samples
from scintiflow.cli.conformance.sop_classes import named
from scintiflow.cli.conformance.table import table
from scintiflow.cli.conformance.terms import private_terms, questions, standard_terms
from scintiflow.dicom.identity import EQUIPMENT
from scintiflow.results import measurement_report, secondary_capture
from scintiflow.results.legality import FILED_BY


def statement(installation: Installation) -> str:
    """Return the conformance statement of an installation, in Markdown."""
    made = samples(installation.models)
    created = {kind: str(result.SOPClassUID) for kind, result in made[0].results.items()}
    sections = (
        overview.cover(),
        overview.overview(created),
        overview.contents(),
        overview.introduction(),
        overview.model(installation),
        overview.services(installation),
        network.configuration(installation),
        network.communication(installation, created),
        network.security(installation),
        _objects(made),
        _content(made),
        _rest(),
        _codes(installation, made),
    )
    return "\n\n".join(sections) + "\n"


def _objects(made: tuple[Sample, ...]) -> str:
    report, picture = measurement_report, secondary_capture
    first = made[0].results
    return f"""\
## Annex A Information object definitions

### A.1 Shared

{LEGEND}

Attributes whose value in the scan is not legal DICOM are left out, but {", ".join(sorted(FILED_BY))} are
repeated as they are, because a PACS files by them. SOP Instance UIDs follow from the study, the frames that were read,
the model, the kind and the encoder's version.
Equipment is ours: {EQUIPMENT.manufacturer}, {EQUIPMENT.model} {EQUIPMENT.version}.
Private attributes are never written.

### A.2 {named(first[report.KIND].SOPClassUID)}: report

Modality {first[report.KIND].Modality}, series {report.SERIES[0]}, encoder version {report.VERSION}.

{attributes(made, report.KIND)}

### A.3 {named(first[picture.KIND].SOPClassUID)}: picture

Modality {first[picture.KIND].Modality}, series {picture.SERIES[0]}, encoder version {picture.VERSION}. The scan as it
is beside the scan under the heat map, and the answer in words; nothing drawn names the patient.

{attributes(made, picture.KIND)}"""


def _content(made: tuple[Sample, ...]) -> str:
    return f"""\
## Annex B Structured report content encoding

Templates, from the root down (PS3.16):

{table(("TID", "Name"), TEMPLATES.items())}

Content items that reports may have, each once, in their order; the same report has one question and one answer:

{tree(made)}"""


def _rest() -> str:
    return """\
## Annex C Security details

None.

## Annex D Mapping of attributes

Source SRC in Annex A: an attribute is repeated under its own tag, from the first object that was read and has it. In
the report, Referenced Request Sequence is made of the scan's Request Attributes Sequence."""


def _codes(installation: Installation, made: tuple[Sample, ...]) -> str:
    return f"""\
## Annex E Code set usage

### E.1 Questions

{questions(installation)}

### E.2 Standard terms

Beside them, procedure codes of the scan are repeated.

{standard_terms(made)}

### E.3 Private terms

Coding scheme designator 99SCINTIFLOW; a report that uses it says whose it is (Coding Scheme Identification Sequence).

{private_terms(installation)}"""
