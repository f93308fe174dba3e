"""The content of a structured report, item by item, read off samples."""

from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset

from scintiflow.cli.conformance.sample import Sample
from scintiflow.cli.conformance.table import table
from scintiflow.results import measurement_report

TEMPLATES = {
    "1500": "Measurement Report",
    "1204": "Language of Content Item and Descendants",
    "1002": "Observer Context",
    "1004": "Device Observer Identifying Attributes",
    "1600": "Image Library",
    "1601": "Image Library Entry",
    "1602": "Image Library Entry Descriptors",
    "1501": "Measurement and Qualitative Evaluation Group",
    "4019": "Algorithm Identification",
}
"""The templates that reports are made after (PS3.16), from the root down."""

_Item = tuple[int, Dataset]


def items(content: Dataset, depth: int = 0) -> Iterator[_Item]:
    """Yield a content item and all below it, each with its depth."""
    yield depth, content
    for child in content.get("ContentSequence", ()):
        yield from items(child, depth + 1)


def tree(samples: Sequence[Sample]) -> str:
    """Return the table of content items that the reports of `samples` have, each once, in their order."""
    rows = [_row(depth, item) for each in samples for depth, item in items(each.results[measurement_report.KIND])]
    heads = ("Nesting", "Relationship", "Value type", "Concept name", "Value or unit")
    return table(heads, dict.fromkeys(rows))


def _row(depth: int, item: Dataset) -> tuple[str, ...]:
    name = item.get("ConceptNameCodeSequence")
    relationship = item.get("RelationshipType", "")
    return ">" * depth, relationship, item.ValueType, shown(name[0]) if name else "", _value(item)


def _value(item: Dataset) -> str:
    match item.ValueType:
        case "CODE":
            return shown(item.ConceptCodeSequence[0])
        case "NUM":
            return f"in {shown(item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0])}"
        case "CONTAINER" if "ContentTemplateSequence" in item:
            return f"TID {item.ContentTemplateSequence[0].TemplateIdentifier}"
        case _:
            return ""


def shown(code: Dataset) -> str:
    """Return a code as DICOM writes it: (value, scheme, "meaning")."""
    return f'({code.CodeValue}, {code.CodingSchemeDesignator}, "{code.CodeMeaning}")'
