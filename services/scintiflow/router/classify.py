"""Views -> findings: asks the classifier over HTTP (Open Inference Protocol v2, binary tensors)."""

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter

from scintiflow.contracts.v1.finding_pb2 import Code, Finding, HeatMap
from scintiflow.contracts.v1.study_pb2 import StudyReady, View
from scintiflow.decode import Decoded
from scintiflow.dicom.eligibility import CARDIAC_ONLY
from scintiflow.errors import Unavailable
from scintiflow.inference.manifest import Concept
from scintiflow.router.ask import ask

_VIEWS = {"anterior": View.VIEW_ANTERIOR, "posterior": View.VIEW_POSTERIOR}
_HEART = "80891009"  # SCT
_FLOAT_BYTES = 4

T = TypeVar("T")


class _Listed(BaseModel):
    """One entry of the repository index."""

    name: str
    state: str


class Facts(BaseModel):
    """What a model's manifest says; the same rules hold here, because the classifier may be another release."""

    version: str = Field(min_length=1)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    label: str
    requires: tuple[Literal["anterior", "posterior"], ...]
    threshold: float = Field(gt=0, lt=1)
    evidence: str
    question: Concept
    site: Concept | None = None


class _Described(BaseModel):
    """The metadata of one model."""

    parameters: Facts


class _Ran(BaseModel):
    """What gave an answer."""

    engine: str
    precision: str
    digest: str


class _Size(BaseModel):
    binary_data_size: int


class _Output(BaseModel):
    """One tensor of an answer; its values follow the header."""

    name: str
    datatype: Literal["FP32"]
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    parameters: _Size


class _Head(BaseModel):
    """The header of an answer."""

    model_name: str
    parameters: _Ran
    outputs: list[_Output]


@dataclass(frozen=True)
class Model:
    """What the classifier says of one model it serves."""

    name: str
    facts: Facts


def ready_models(classifier: httpx.Client, wanted: Callable[[str], bool]) -> list[Model]:
    """Ask for the wanted models among those that are served, ordered by name.

    Raises:
        Unavailable: the classifier does not answer, or a wanted model is not ready.
    """
    listed = _parsed(TypeAdapter(list[_Listed]), ask(classifier, "POST", "/v2/repository/index").body)
    index = {entry.name: entry.state for entry in listed}
    if not index:
        raise Unavailable("The classifier serves no model yet.")
    names = sorted(filter(wanted, index))
    for name in names:
        if index[name] != "READY":
            raise Unavailable(f"The model {name} is not ready; `scintiflow status` says why.")
    return [Model(name, _facts(classifier, name)) for name in names]


def find(classifier: httpx.Client, model: Model, ready: StudyReady, decoded: Decoded, *, shadow: bool) -> Finding:
    """Return what `model` says about the decoded views, or why this scan is not for it.

    Raises:
        Unavailable: the classifier is away, overloaded, or gave no usable numbers.
        Failed: it finds fault with the question.
    """
    finding = _question(model, ready)
    if reason := _why_not(finding, model.facts.requires):
        finding.status, finding.reason = Finding.STATUS_NOT_ASSESSED, reason
        return finding
    ran, tensors = _infer(classifier, model, decoded)
    probability, heat = _usable(model.name, tensors)
    finding.status = Finding.STATUS_SHADOW if shadow else Finding.STATUS_ASSESSED
    finding.probability = probability
    finding.positive = probability >= finding.threshold
    finding.engine, finding.precision = ran.engine, ran.precision
    finding.map.CopyFrom(HeatMap(height=heat.shape[0], width=heat.shape[1], values=heat.astype("<f4").tobytes()))
    return finding


def _why_not(finding: Finding, requires: tuple[str, ...]) -> str:
    """Return why the model must not answer, or an empty string."""
    there = {view.view for view in finding.views}
    missing = [name for name in requires if _VIEWS[name] not in there]
    if missing:
        return " and ".join(f"{name} view missing" for name in missing)
    if CARDIAC_ONLY in finding.notes and finding.site.value != _HEART:
        return "pyrophosphate scans are for cardiac models only"
    return ""


def _facts(classifier: httpx.Client, name: str) -> Facts:
    return _parsed(TypeAdapter(_Described), ask(classifier, "GET", f"/v2/models/{name}").body).parameters


def _question(model: Model, ready: StudyReady) -> Finding:
    facts = model.facts
    return Finding(
        study=ready.study,
        revision=ready.revision,
        model=model.name,
        model_version=facts.version,
        model_digest=facts.digest,
        label=facts.label,
        question=Code(**facts.question.model_dump()),
        site=Code(**facts.site.model_dump()) if facts.site else None,
        threshold=facts.threshold,
        views=ready.views,
        notes=[*ready.notes, f"Model evidence: {facts.evidence}."],
        found_at=time.time(),
    )


def _infer(classifier: httpx.Client, model: Model, decoded: Decoded) -> tuple[_Ran, dict[str, NDArray[np.float32]]]:
    """Ask for one scan; return what answered and its tensors by name."""
    inputs = {"canvas": decoded.canvas[None], "present": decoded.present[None]}
    blobs = {name: np.ascontiguousarray(array, "<f4").tobytes() for name, array in inputs.items()}
    header = {
        "inputs": [
            {
                "name": name,
                "shape": array.shape,
                "datatype": "FP32",
                "parameters": {"binary_data_size": len(blobs[name])},
            }
            for name, array in inputs.items()
        ],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(header).encode()
    answer = ask(
        classifier,
        "POST",
        f"/v2/models/{model.name}/infer",
        content=head + b"".join(blobs.values()),
        headers={"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"},
    )
    length = answer.headers.get("Inference-Header-Content-Length", "")
    if not length.isdecimal():
        raise Unavailable(f"The classifier's answer for {model.name} has no header.")
    said = _parsed(TypeAdapter(_Head), answer.body[: int(length)])
    if (said.model_name, said.parameters.digest) != (model.name, model.facts.digest):
        raise Unavailable(f"The model {model.name} was replaced while it was asked.")
    return said.parameters, _tensors(said.outputs, answer.body[int(length) :])


def _usable(model: str, tensors: Mapping[str, NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    """Return probability and map [h, w] of one scan; NaN and wrong shapes are the engine's trouble, not the study's."""
    probability, heat = tensors.get("probability"), tensors.get("map")
    if probability is None or heat is None:
        raise Unavailable(f"The model {model} answered without probability or map.")
    if probability.shape != (1, 1) or heat.ndim != 4 or heat.shape[:2] != (1, 1) or heat.shape[3] % 2:
        raise Unavailable(f"The model {model} answered with tensors of the wrong shape.")
    if not (0.0 <= probability[0, 0] <= 1.0 and np.isfinite(heat).all() and (heat >= 0).all()):
        raise Unavailable(f"The model {model} answered with something that is no probability.")
    return float(probability[0, 0]), heat[0, 0]


def _tensors(outputs: list[_Output], body: bytes) -> dict[str, NDArray[np.float32]]:
    """Cut the values apart; sizes, shapes and the bytes that came must agree."""
    tensors, at = {}, 0
    for output in outputs:
        size = output.parameters.binary_data_size
        values = body[at : at + size]
        if not len(values) == size == math.prod(output.shape) * _FLOAT_BYTES:
            raise Unavailable("The classifier's answer is shorter than it says.")
        tensors[output.name] = np.frombuffer(values, "<f4").reshape(output.shape)
        at += size
    if at != len(body):
        raise Unavailable("The classifier's answer is longer than it says.")
    return tensors


def _parsed(kind: TypeAdapter[T], body: bytes) -> T:
    """Read JSON; whatever is wrong with it is the classifier's trouble, and no study is to blame."""
    try:
        return kind.validate_json(body)
    except ValueError as error:
        raise Unavailable("The classifier's answer cannot be read.") from error
