"""What of a scan's header may be said again: whole or not at all, for a name cut short could be somebody else's.

What a PACS files a result by is repeated as the scan has it, also where DICOM forbids it: 18 characters of an
accession number, a sex in words. The PACS knows the study under nothing else, and a result that does not find its
study is worse than a validator's complaint. Only what nobody can read back as it was, or what might command a screen,
stays away. Everything else is legal DICOM.
"""

import unicodedata

from pydicom import config
from pydicom.charset import python_encoding
from pydicom.datadict import dictionary_has_tag, dictionary_VM, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag
from pydicom.valuerep import DA, validate_value

FILED_BY = frozenset(
    {
        "PatientID",
        "IssuerOfPatientID",
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "StudyID",
        "AccessionNumber",
    }
)
"""What a PACS files a result by: repeated as the scan has it."""

_MOST_CARETS = 4
_ANY_CHARACTER_SET = "ISO_IR 192"  # UTF-8
_UNDECODED = "\N{REPLACEMENT CHARACTER}"


def legal(header: Dataset) -> Dataset:
    """Return the standard elements of `header` that have a value and may be written again as they stand."""
    kept = Dataset()
    for tag in sorted(header.keys()):
        element = _element(header, tag)
        if element is not None and _is_legal(element):
            kept.add(element)
    if "SpecificCharacterSet" in header and "SpecificCharacterSet" not in kept:
        kept.SpecificCharacterSet = _ANY_CHARACTER_SET
    return kept


def _element(header: Dataset, tag: BaseTag) -> DataElement | None:
    """Return an element with its value read; None if it cannot be, or was left on disk for its length."""
    raw = header.get_item(tag, keep_deferred=True)
    if tag.is_private or (isinstance(raw, RawDataElement) and raw.value is None):
        return None
    try:
        return header[tag]
    except Exception:  # pydicom's converters raise whatever they meet
        return None


def _is_legal(element: DataElement) -> bool:
    if not dictionary_has_tag(element.tag) or element.VR not in dictionary_VR(element.tag) or element.is_empty:
        return False
    if isinstance(element.value, Sequence):
        return all(_is_legal(inner) or inner.is_empty for item in element.value for inner in item)
    several = element.value if isinstance(element.value, MultiValue | list) else [element.value]
    if len(several) > 1 and dictionary_VM(element.tag) == "1" and element.keyword not in FILED_BY:
        return False
    try:
        return all(_is_legal_value(element, value) for value in several)
    except Exception:  # decoding a text, or telling a date
        return False


def _is_legal_value(element: DataElement, value: object) -> bool:
    """Tell whether one value has the form of its value representation (DICOM PS3.5 6.2), or is needed as it is.

    Raises:
        Exception: it has not.
    """
    said = str(value)
    if not _is_readable(said):
        return False
    if element.keyword in FILED_BY:
        return True
    match element.VR:
        case "UI":  # some begin a component with 0, and are what a PACS knows the study by
            return len(said) <= 64 and said.replace(".", "").isdecimal()
        case "PN":
            validate_value("PN", said, config.RAISE)
            return all(group.count("^") <= _MOST_CARETS for group in said.split("="))
        case "DA":
            return DA(said) is not None
        case "CS" if element.keyword == "SpecificCharacterSet":
            return said in python_encoding
        case "IS" | "DS":
            validate_value(element.VR, said, config.RAISE)
            return True
        case _:
            validate_value(element.VR, value, config.RAISE)
            return True


def _is_readable(said: str) -> bool:
    """Tell whether every character is one of the declared set, and none controls whatever shows it."""
    return not any(letter == _UNDECODED or unicodedata.category(letter) == "Cc" for letter in said)
