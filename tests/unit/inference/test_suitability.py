"""Whether a scan is for a model."""

import pytest

from scintiflow.dicom.eligibility import CARDIAC_ONLY, TRACER_UNKNOWN
from scintiflow.inference.manifest import Concept
from scintiflow.inference.suitability import why_not

BOTH = ("anterior", "posterior")
HEART = Concept(value="80891009", scheme="SCT", meaning="Heart")
PYROPHOSPHATE = "pyrophosphate scans are for cardiac models only"


@pytest.mark.parametrize(
    ("views", "requires", "reason"),
    [
        (BOTH, BOTH, ""),
        (BOTH, ("anterior",), ""),
        (("anterior",), ("anterior",), ""),
        (("anterior",), BOTH, "posterior view missing"),
        (("posterior",), ("anterior",), "anterior view missing"),
        ((), BOTH, "anterior view missing and posterior view missing"),
    ],
)
def test_a_model_is_asked_when_the_views_it_requires_are_there(
    views: tuple[str, ...], requires: tuple[str, ...], reason: str
) -> None:
    """More views than it requires do no harm, and the reason names each one that is missing."""
    assert why_not(views, [TRACER_UNKNOWN], requires=requires, site=None) == reason


@pytest.mark.parametrize(
    ("site", "reason"),
    [(HEART, ""), (None, PYROPHOSPHATE), (HEART.model_copy(update={"scheme": "99OTHER"}), PYROPHOSPHATE)],
)
def test_a_pyrophosphate_scan_is_for_the_heart_alone(site: Concept | None, reason: str) -> None:
    """What a model judges is told by its coded site, scheme and value."""
    assert why_not(BOTH, [CARDIAC_ONLY], requires=BOTH, site=site) == reason
