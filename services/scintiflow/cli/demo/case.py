"""What the demo sends: the example scans of every model, and a real scan of which one view is missing."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from pydicom.data import get_testdata_file

from scintiflow.errors import Refused
from scintiflow.inference.manifest import discover

ONE_VIEW = "NEMA, one view"
BLUR = "JPEG2000.dcm"
_NEMA = ("JPGExtended.dcm", BLUR)
"""Two files of the same NEMA scan in the pydicom package: one view, the second one compressed to a blur."""

_SIMULATED = ("normal", "metastases", "cardiac", "both")
_SICK = {"metastasis": "metastases", "cardiac": "cardiac"}
"""How the names of examples begin, and which of them has what a model of ours asks for; `both` has all."""


@dataclass(frozen=True)
class Case:
    """One study that is sent, and the models that can read it."""

    name: str
    study_uid: str
    paths: tuple[Path, ...]
    readers: frozenset[str]

    def truth(self, model: str) -> bool | None:
        """Tell whether the patient was simulated with what `model` asks for; None of a patient who was not."""
        what = self.name.partition("-")[0]
        return what in (_SICK[model], "both") if what in _SIMULATED and model in _SICK else None


def cases(models: Path) -> list[Case]:
    """Return the studies to send; raises Refused where there are no examples."""
    examples = sorted(models.glob("*/examples/*.dcm"))
    if not examples:
        raise Refused(f"{models} holds no example scans; run the demo in a checkout of the repository.")
    served = discover(models)
    content = frozenset(manifest.name for manifest in served if "posterior" not in manifest.requires)
    everybody = frozenset(manifest.name for manifest in served)
    nema = tuple(Path(str(get_testdata_file(name, download=False))) for name in _NEMA)
    return [
        *(Case(path.stem, _study_uid(path), (path,), everybody) for path in examples),
        Case(ONE_VIEW, _study_uid(nema[0]), nema, content),
    ]


def _study_uid(path: Path) -> str:
    return str(dcmread(path, stop_before_pixels=True).StudyInstanceUID)
