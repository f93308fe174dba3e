"""Whether a scan is for a model. No model guesses a view, and a pyrophosphate scan does not show the skeleton."""

from collections.abc import Collection, Iterable

from scintiflow.dicom.eligibility import CARDIAC_ONLY
from scintiflow.inference.manifest import Concept

_HEART = ("SCT", "80891009")


def why_not(views: Collection[str], notes: Collection[str], *, requires: Iterable[str], site: Concept | None) -> str:
    """Return why a model must not be asked about a scan, or an empty string.

    Args:
        views: which of "anterior" and "posterior" are there.
        notes: what the selection of the views says of the scan.
        requires: the views that the model cannot do without.
        site: what the model judges; None where that is the skeleton.
    """
    if missing := [f"{view} view missing" for view in requires if view not in views]:
        return " and ".join(missing)
    if CARDIAC_ONLY in notes and (site is None or (site.scheme, site.value) != _HEART):
        return "pyrophosphate scans are for cardiac models only"
    return ""
