"""Views -> findings: asks the classifier over HTTP (Open Inference Protocol v2, binary tensors)."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx
import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from scintiflow.contracts.v1.finding_pb2 import Code, Finding, HeatMap
from scintiflow.contracts.v1.study_pb2 import StudyReady, View
from scintiflow.decode import Decoded
from scintiflow.errors import Unavailable
from scintiflow.inference.suitability import why_not
from scintiflow.router.answer import Described, Facts, Head, Listed, Ran, parsed, tensors_of, usable
from scintiflow.router.ask import ask

_VIEWS = {View.VIEW_ANTERIOR: "anterior", View.VIEW_POSTERIOR: "posterior"}


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
    listed = parsed(TypeAdapter(list[Listed]), ask(classifier, "POST", "/v2/repository/index").body)
    if not listed:
        raise Unavailable("The classifier serves no model yet.")
    asked = sorted((entry for entry in listed if wanted(entry.name)), key=lambda entry: entry.name)
    for entry in asked:
        if not entry.ready:
            raise Unavailable(f"The model {entry.name!r} is not ready; `scintiflow status` says why.")
    return [Model(entry.name, _facts(classifier, entry.name)) for entry in asked]


def find(classifier: httpx.Client, model: Model, ready: StudyReady, decoded: Decoded, *, shadow: bool) -> Finding:
    """Return what `model` says about the decoded views, or why this scan is not for it.

    Raises:
        Unavailable: the classifier is away, overloaded, or gave no usable numbers.
        Failed: it finds fault with the question.
    """
    finding, facts = _question(model, ready), model.facts
    views = [_VIEWS[view.view] for view in ready.views]
    if reason := why_not(views, ready.notes, requires=facts.requires, site=facts.site):
        finding.status, finding.reason = Finding.STATUS_NOT_ASSESSED, reason
        return finding
    ran, tensors = _infer(classifier, model, decoded)
    probability, heat = usable(model.name, tensors)
    finding.status = Finding.STATUS_SHADOW if shadow else Finding.STATUS_ASSESSED
    finding.probability = probability
    finding.positive = probability >= finding.threshold
    finding.engine, finding.precision = ran.engine, ran.precision
    finding.map.CopyFrom(HeatMap(height=heat.shape[0], width=heat.shape[1], values=heat.astype("<f4").tobytes()))
    return finding


def _facts(classifier: httpx.Client, name: str) -> Facts:
    return parsed(TypeAdapter(Described), ask(classifier, "GET", f"/v2/models/{name}").body).parameters


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


def _infer(classifier: httpx.Client, model: Model, decoded: Decoded) -> tuple[Ran, dict[str, NDArray[np.float32]]]:
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
    said = parsed(TypeAdapter(Head), answer.body[: int(length)])
    if (said.model_name, said.parameters.digest) != (model.name, model.facts.digest):
        raise Unavailable(f"The model {model.name} was replaced while it was asked.")
    return said.parameters, tensors_of(said.outputs, answer.body[int(length) :])
