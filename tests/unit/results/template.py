"""Walks a report against the templates it claims (DICOM PS3.16): TIDs 1500, 1501, 1600 and 4019.

Written from the templates and from pydicom's copy of the code tables, not from the encoder, because dciodvfy passes
a report without procedure, observer or tracking identifier, with invented units, with wrong containers and with
wrong code meanings. Three rows are stricter than the templates, because our reports promise it: library entries
tell their view, a question is answered from CID 240, and a probability has no unit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._concepts_dict import concepts
from pydicom.uid import UID

CodeKey = tuple[str, str]
"""Code value and coding scheme designator."""

CONTAINS, MODIFIER, OBSERVATION, ACQUISITION = "CONTAINS", "HAS CONCEPT MOD", "HAS OBS CONTEXT", "HAS ACQ CONTEXT"
UNNAMED: CodeKey = ("", "")


def dcm(value: str) -> CodeKey:
    """Return a code of DICOM's own scheme."""
    return value, "DCM"


@dataclass(frozen=True)
class Row:
    """One row of a template: which items it takes, how many of them, and what each of them must hold."""

    relation: str
    kind: str
    name: CodeKey | None  # None takes any name that no earlier row takes
    least: int = 1
    most: int | None = 1
    values: frozenset[CodeKey] | None = None
    unit: CodeKey | None = None
    template: str | None = None
    rows: tuple["Row", ...] = ()

    def takes(self, item: Dataset) -> bool:
        """Tell whether `item` is of this row."""
        place = (item.get("RelationshipType"), item.get("ValueType"))
        return place == (self.relation, self.kind) and self.name in (None, name_of(item))


@cache
def context_group(cid: int) -> frozenset[CodeKey]:
    """Return the codes of a DICOM context group."""
    return frozenset(
        (value, scheme)
        for scheme, keywords in cid_concepts[cid].items()
        for keyword in keywords
        for value, (_, groups) in concepts[scheme][keyword].items()
        if cid in groups
    )


@cache
def meanings() -> dict[CodeKey, set[str]]:
    """Return every meaning that the code tables know for a code."""
    known: dict[CodeKey, set[str]] = {}
    for scheme, keywords in concepts.items():
        for codes in keywords.values():
            for value, (meaning, _) in codes.items():
                known.setdefault((value, scheme), set()).add(meaning)
    return known


DEVICE_OBSERVER = (  # TID 1002, TID 1004
    Row(OBSERVATION, "CODE", dcm("121005"), values=frozenset({dcm("121007")})),
    Row(OBSERVATION, "UIDREF", dcm("121012")),
    Row(OBSERVATION, "TEXT", dcm("121013"), least=0),
    Row(OBSERVATION, "TEXT", dcm("121014"), least=0),
    Row(OBSERVATION, "TEXT", dcm("121015"), least=0),
    Row(OBSERVATION, "TEXT", dcm("121016"), least=0),
)

ALGORITHM = (  # TID 4019
    Row(MODIFIER, "TEXT", dcm("111001")),
    Row(MODIFIER, "TEXT", dcm("111003")),
    Row(MODIFIER, "TEXT", dcm("122405"), least=0),
    Row(MODIFIER, "TEXT", dcm("111002"), least=0, most=None),
    Row(MODIFIER, "CODE", dcm("111000"), least=0, values=context_group(7162)),
)

GROUP = (  # TID 1501
    Row(OBSERVATION, "TEXT", dcm("112039")),
    Row(OBSERVATION, "UIDREF", dcm("112040")),
    Row(MODIFIER, "CODE", ("363698007", "SCT"), least=0, most=None),
    *ALGORITHM,
    Row(CONTAINS, "NUM", dcm("122157"), unit=("1", "UCUM")),
    Row(CONTAINS, "IMAGE", dcm("121112"), most=None),
    Row(CONTAINS, "TEXT", None, least=0, most=None),
    Row(CONTAINS, "CODE", None, values=context_group(240)),
)

ENTRY = (  # TID 1601, TID 1602, TID 1603 row 1
    Row(ACQUISITION, "CODE", dcm("111031"), values=context_group(26)),
    Row(ACQUISITION, "NUM", dcm("110910"), unit=("{pixels}", "UCUM")),
    Row(ACQUISITION, "NUM", dcm("110911"), unit=("{pixels}", "UCUM")),
)

LIBRARY_GROUP = (  # TID 1600
    Row(ACQUISITION, "CODE", dcm("121139"), values=context_group(29)),
    Row(ACQUISITION, "CODE", dcm("123014"), least=0, values=context_group(4031)),
    Row(CONTAINS, "IMAGE", UNNAMED, most=None, rows=ENTRY),
)

REPORT = (  # TID 1500
    Row(MODIFIER, "CODE", dcm("121049")),
    *DEVICE_OBSERVER,
    Row(MODIFIER, "CODE", dcm("121058"), most=None),
    Row(
        CONTAINS,
        "CONTAINER",
        dcm("111028"),
        rows=(Row(CONTAINS, "CONTAINER", dcm("126200"), most=None, rows=LIBRARY_GROUP),),
    ),
    Row(
        CONTAINS,
        "CONTAINER",
        dcm("126010"),
        rows=(Row(CONTAINS, "CONTAINER", dcm("125007"), most=None, template="1501", rows=GROUP),),
    ),
)


def walk(report: Dataset) -> list[str]:
    """Return what is wrong with the content tree of `report`, one sentence each; nothing for a sound one."""
    return [
        *_root_faults(report),
        *_row_faults(report, REPORT, "report"),
        *(fault for item in _items(report) for fault in _item_faults(item)),
        *_evidence_faults(report),
    ]


def name_of(item: Dataset) -> CodeKey:
    """Return the concept name of a content item, or UNNAMED."""
    names = item.get("ConceptNameCodeSequence")
    return _key(names[0]) if names else UNNAMED


def _root_faults(report: Dataset) -> Iterator[str]:
    if report.get("ValueType") != "CONTAINER" or name_of(report) not in context_group(7021):
        yield "The root is no measurement report (CID 7021)."
    if _template(report) != "1500":
        yield "The root does not claim TID 1500."


def _row_faults(parent: Dataset, rows: Sequence[Row], path: str) -> Iterator[str]:
    """Give each child of `parent` to the first row that takes it, then judge the rows and what is left."""
    left = list(parent.get("ContentSequence", []))
    for row in rows:
        taken = [item for item in left if row.takes(item)]
        left = [item for item in left if item not in taken]
        here = f"{path} > {row.kind} {row.name}"
        if len(taken) < row.least or (row.most is not None and len(taken) > row.most):
            yield f"{here}: {len(taken)} instead of {row.least} to {row.most or 'many'}."
        for item in taken:
            yield from _value_faults(item, row, here)
            yield from _row_faults(item, row.rows, here)
    # The templates are extensible, but not with containers of our own making.
    yield from (f"{path}: no row takes the container {name_of(i)}." for i in left if i.get("ValueType") == "CONTAINER")


def _value_faults(item: Dataset, row: Row, path: str) -> Iterator[str]:
    if row.values is not None and _key(item.ConceptCodeSequence[0]) not in row.values:
        yield f"{path}: the value {_key(item.ConceptCodeSequence[0])} is not one of its context group."
    if row.unit is not None and _key(_measured(item).MeasurementUnitsCodeSequence[0]) != row.unit:
        yield f"{path}: the unit is not {row.unit}."
    if row.template is not None and _template(item) != row.template:
        yield f"{path}: does not claim TID {row.template}."


def _item_faults(item: Dataset) -> Iterator[str]:
    """Judge what every content item must be, wherever it stands (PS3.3 C.17.3)."""
    for code in _codes(item):
        known = meanings().get(_key(code))
        if known is not None and code.CodeMeaning not in known:
            yield f"{_key(code)} does not mean {code.CodeMeaning!r}."
        if known is None and code.CodingSchemeDesignator == "DCM":
            yield f"{_key(code)} is no code of DICOM."
        if known is None and code.CodingSchemeDesignator == "UCUM" and not code.CodeValue.startswith("{"):
            yield f"{_key(code)} is no unit."
    if item.ValueType == "NUM" and _measured(item).MeasurementUnitsCodeSequence[0].CodingSchemeDesignator != "UCUM":
        yield f"{name_of(item)} is not measured in UCUM units."
    if item.ValueType == "CONTAINER" and item.get("ContinuityOfContent") not in ("SEPARATE", "CONTINUOUS"):
        yield f"{name_of(item)} does not say whether its content is continuous."
    if item.ValueType == "UIDREF" and not UID(item.UID).is_valid:
        yield f"{name_of(item)} holds no UID."
    if item.ValueType == "TEXT" and not item.get("TextValue"):
        yield f"{name_of(item)} holds no text."


def _evidence_faults(report: Dataset) -> Iterator[str]:
    """Every image that the tree points at must stand in the evidence (PS3.3 C.17.2.3)."""
    evidence = {
        (instance.ReferencedSOPClassUID, instance.ReferencedSOPInstanceUID)
        for study in report.get("CurrentRequestedProcedureEvidenceSequence", [])
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    }
    for item in _items(report):
        for image in item.get("ReferencedSOPSequence", []):
            if (image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID) not in evidence:
                yield f"An image of {name_of(item)} is missing in the evidence."


def _items(item: Dataset) -> Iterator[Dataset]:
    yield item
    for child in item.get("ContentSequence", []):
        yield from _items(child)


def _codes(item: Dataset) -> Iterator[Dataset]:
    yield from item.get("ConceptNameCodeSequence", [])
    yield from item.get("ConceptCodeSequence", [])
    if item.ValueType == "NUM":
        yield from _measured(item).MeasurementUnitsCodeSequence


def _measured(item: Dataset) -> Dataset:
    return item.MeasuredValueSequence[0]


def _template(container: Dataset) -> str | None:
    claimed = container.get("ContentTemplateSequence")
    return claimed[0].TemplateIdentifier if claimed and claimed[0].MappingResource == "DCMR" else None


def _key(code: Dataset) -> CodeKey:
    return code.CodeValue, code.CodingSchemeDesignator
