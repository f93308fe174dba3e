"""The attributes of a kind of result, read off samples: where each value comes from, and when it is there."""

from collections.abc import Iterable, Sequence

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.tag import Tag

from scintiflow.cli.conformance.sample import Sample
from scintiflow.cli.conformance.table import table
from scintiflow.results.envelope import COPIED, REQUIRED

LEGEND = """\
*Source*: SRC, repeated from the scan that was read; AUTO, made by us for each result; FIXED, always the same, the value
shown. *Presence*: ALWAYS, there with a value; VNAP, there, but empty where the scan says nothing; ANAP, there only
where there is something to say; EMPTY, there without a value."""

_REPEATED = {int(Tag(keyword)) for keyword in (*REQUIRED, *COPIED)}

_Found = Sequence[tuple[Sample, DataElement | None]]


def attributes(samples: Sequence[Sample], kind: str) -> str:
    """Return the table of every attribute that results of `kind` may have, file meta information left out."""
    tags = {int(element.tag) for sample in samples for element in sample.results[kind]} | _REPEATED
    heads = ("Attribute", "Tag", "VR", "Source", "Presence", "Value")
    return table(heads, (_row([(each, each.results[kind].get(tag)) for each in samples], tag) for tag in sorted(tags)))


def _row(found: _Found, tag: int) -> Iterable[object]:
    source = _source(found, tag)
    shown = _shown(found[0][1]) if source == "FIXED" else ""
    where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
    return keyword_for_tag(tag), where, dictionary_VR(tag), source, _presence(found), shown


def _shown(element: DataElement | None) -> str:
    if element is None or element.is_empty or element.VR == "SQ":
        return ""
    values = element.value if element.VM > 1 else [element.value]
    return f"`{'/'.join(map(str, values))}`"


def _source(found: _Found, tag: int) -> str:
    if tag in _REPEATED:
        return "SRC"
    if all(element == found[0][1] for _, element in found):
        return "FIXED"
    told = [(sample.source.get(tag), element) for sample, element in found if element is not None]
    return "SRC" if all(element == theirs for theirs, element in told) else "AUTO"


def _presence(found: _Found) -> str:
    filled = [element is not None and not element.is_empty for _, element in found]
    if any(element is None for _, element in found):
        return "ANAP"
    if all(filled):
        return "ALWAYS"
    return "VNAP" if any(filled) else "EMPTY"
