"""Views -> findings: asks the classifier over HTTP (Open Inference Protocol v2, binary tensors)."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from scintiflow.contracts.v1.finding_pb2 import Code, Finding, HeatMap
from scintiflow.contracts.v1.study_pb2 import StudyReady, View
from scintiflow.decode import Decoded
from scintiflow.dicom.eligibility import CARDIAC_ONLY
from scintiflow.errors import Failed, Unavailable

_VIEWS = {"anterior": View.VIEW_ANTERIOR, "posterior": View.VIEW_POSTERIOR}
_HEART = "80891009"  # SCT
_LATER = {404, 408, 429, 500, 502, 503, 504}  # 404: models come and go, and no study is to blame for it


@dataclass(frozen=True)
class Model:
    """What the classifier says of one model it serves."""

    name: str
    facts: Mapping[str, Any]


def ready_models(classifier: httpx.Client, wanted: Callable[[str], bool]) -> list[Model]:
    """Ask for the wanted models among those that are served, ordered by name.

    Raises:
        Unavailable: the classifier does not answer, or a wanted model is not ready.
    """
    index = {entry["name"]: entry["state"] for entry in _json(_ask(classifier, "POST", "/v2/repository/index"))}
    if not index:
        raise Unavailable("The classifier serves no model yet.")
    names = sorted(filter(wanted, index))
    for name in names:
        if index[name] != "READY":
            raise Unavailable(f"The model {name} is not ready; `scintiflow status` says why.")
    return [Model(name, _json(_ask(classifier, "GET", f"/v2/models/{name}"))["parameters"]) for name in names]


def find(classifier: httpx.Client, model: Model, ready: StudyReady, decoded: Decoded, *, shadow: bool) -> Finding:
    """Return what `model` says about the decoded views, or why this scan is not for it.

    Raises:
        Unavailable: the classifier is away, overloaded, or gave no usable numbers.
    """
    finding = _question(model, ready)
    if reason := _why_not(finding, model.facts["requires"]):
        finding.status, finding.reason = Finding.STATUS_NOT_ASSESSED, reason
        return finding
    answer, tensors = _infer(classifier, model.name, decoded)
    probability, heat = _usable(model.name, tensors)
    finding.status = Finding.STATUS_SHADOW if shadow else Finding.STATUS_ASSESSED
    finding.probability = probability
    finding.positive = probability >= finding.threshold
    finding.engine, finding.precision = answer["engine"], answer["precision"]
    finding.model_digest = answer["digest"]
    finding.map.CopyFrom(HeatMap(height=heat.shape[0], width=heat.shape[1], values=heat.astype("<f4").tobytes()))
    return finding


def _why_not(finding: Finding, requires: list[str]) -> str:
    """Return why the model must not answer, or an empty string."""
    there = {view.view for view in finding.views}
    missing = [name for name in requires if _VIEWS[name] not in there]
    if missing:
        return " and ".join(f"{name} view missing" for name in missing)
    if CARDIAC_ONLY in finding.notes and finding.site.value != _HEART:
        return "pyrophosphate scans are for cardiac models only"
    return ""


def _question(model: Model, ready: StudyReady) -> Finding:
    facts = model.facts
    return Finding(
        study=ready.study,
        revision=ready.revision,
        model=model.name,
        model_version=facts["version"],
        model_digest=facts["digest"],
        label=facts["label"],
        question=Code(**facts["question"]),
        site=Code(**facts["site"]) if facts.get("site") else None,
        threshold=facts["threshold"],
        views=ready.views,
        notes=[*ready.notes, f"Model evidence: {facts['evidence']}."],
        found_at=time.time(),
    )


def _infer(
    classifier: httpx.Client, model: str, decoded: Decoded
) -> tuple[Mapping[str, Any], dict[str, NDArray[np.float32]]]:
    """Ask for one scan; return what answered (engine, precision, digest) and the tensors `probability` and `map`."""
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
    response = _ask(
        classifier,
        "POST",
        f"/v2/models/{model}/infer",
        content=head + b"".join(blobs.values()),
        headers={"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"},
    )
    try:
        size = int(response.headers["Inference-Header-Content-Length"])
        answer = json.loads(response.content[:size])
        parameters, tensors = answer["parameters"], _tensors(answer["outputs"], response.content[size:])
        wanted = {name: parameters[name] for name in ("engine", "precision", "digest")}
        return wanted, {name: tensors[name] for name in ("probability", "map")}
    except (KeyError, ValueError, IndexError) as error:
        raise Unavailable(f"The classifier's answer for {model} cannot be read.") from error


def _usable(model: str, tensors: Mapping[str, NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    """Return probability and map [h, w] of one scan; NaN and wrong shapes are the engine's trouble, not the study's."""
    probability, heat = tensors["probability"], tensors["map"]
    if probability.shape != (1, 1) or heat.ndim != 4 or heat.shape[:2] != (1, 1):
        raise Unavailable(f"The model {model} answered with tensors of the wrong shape.")
    if not (0.0 <= probability[0, 0] <= 1.0 and np.isfinite(heat).all()):
        raise Unavailable(f"The model {model} answered with something that is no probability.")
    return float(probability[0, 0]), heat[0, 0]


def _tensors(outputs: list[Mapping[str, Any]], body: bytes) -> dict[str, NDArray[np.float32]]:
    tensors, at = {}, 0
    for output in outputs:
        size = output["parameters"]["binary_data_size"]
        tensors[output["name"]] = np.frombuffer(body[at : at + size], "<f4").reshape(output["shape"])
        at += size
    return tensors


def _ask(classifier: httpx.Client, method: str, path: str, **request: Any) -> httpx.Response:
    try:
        response = classifier.request(method, path, **request)
    except httpx.HTTPError as error:
        raise Unavailable(f"The classifier does not answer ({type(error).__name__}).") from error
    if response.status_code in _LATER:
        raise Unavailable(f"The classifier cannot answer now (HTTP {response.status_code}).")
    if response.status_code != httpx.codes.OK:
        raise Failed(f"The classifier refuses the question (HTTP {response.status_code}).")
    return response


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable("The classifier's answer is not JSON.") from error
