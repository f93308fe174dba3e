"""The coded terms that we write, read off samples and off what models ask."""

from collections.abc import Iterable, Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.sample import Sample
from scintiflow.cli.conformance.table import table
from scintiflow.dicom.writing import TRACERS
from scintiflow.results.reading import ABSENT, PRESENT, UNDETERMINED

PRIVATE = "99SCINTIFLOW"
_REPEATED = ("ProcedureCodeSequence", "RequestAttributesSequence", "ReferencedRequestSequence")


def standard_terms(samples: Sequence[Sample]) -> str:
    """Return the table of terms in results that others have defined."""
    used = {term for sample in samples for result in sample.results.values() for term in _terms(result)}
    used |= {_term(answer) for answer in (PRESENT, ABSENT, UNDETERMINED)}
    return _table(term for term in used if term[0] != PRIVATE)


def private_terms(installation: Installation) -> str:
    """Return the table of our own terms: what models ask, and tracers of scans that we make."""
    asked = {
        (concept.scheme, concept.value, concept.meaning)
        for model in installation.models
        for concept in (model.question, model.site)
        if concept is not None
    }
    tracers = {_term(tracer) for tracer in TRACERS.values()}
    return _table(term for term in asked | tracers if term[0] == PRIVATE)


def questions(installation: Installation) -> str:
    """Return the table of what each model asks, and of which site."""
    rows = (
        (
            f"{model.name} {model.version}",
            f'({model.question.value}, {model.question.scheme}, "{model.question.meaning}")',
            model.site.meaning if model.site else codes.SCT.Bone.meaning,
            " and ".join(model.requires),
        )
        for model in installation.models
    )
    return table(("Model", "Question, the name of the answer", "Finding site", "Views that it needs"), rows)


def _terms(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    if "CodeValue" in dataset:
        yield dataset.CodingSchemeDesignator, dataset.CodeValue, dataset.CodeMeaning
    for element in dataset:
        if element.VR == "SQ" and element.keyword not in _REPEATED:
            for item in element.value:
                yield from _terms(item)


def _term(code: Code) -> tuple[str, str, str]:
    return code.scheme_designator, code.value, code.meaning


def _table(terms: Iterable[tuple[str, str, str]]) -> str:
    return table(("Scheme", "Code value", "Code meaning"), sorted(terms))
