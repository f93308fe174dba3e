"""The generator of a served folder, run by ONNX Runtime as `scintilab.graph` writes golden outputs: in float32."""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from scintiflow.errors import Refused
from scintiflow.inference.session import Floats
from scintilab.phantom.streams import stream
from scintilab.studies.samples import Labels


@dataclass(frozen=True)
class Shipped:
    """A graph that makes expected counts from noise and conditions."""

    name: str
    digest: str
    conditions: tuple[Mapping[str, Any], ...]
    session: onnxruntime.InferenceSession

    def samples(self, seed: int, first: int, conditions: Labels) -> Floats:
        """Return expected counts on any scale, [n, 2, 512, 256], one scan at a time."""
        condition = np.concatenate([self._slots(each, conditions) for each in self.conditions], axis=1)
        width = self.session.get_inputs()[0].shape[1]
        rates = []
        for row in range(len(condition)):
            noise = stream(seed, first + row, "latent").standard_normal((1, width)).astype(np.float32)
            asked = condition[row : row + 1]
            told = {"noise": noise, "condition": asked, "known": np.ones_like(asked)}
            rates.append(self.session.run(["rate"], told)[0])
        return np.concatenate(rates)

    def _slots(self, condition: Mapping[str, Any], labels: Labels) -> Floats:
        """Return the slots of one condition, [n, k].

        Raises:
            Refused: it is none that labels have, or of a value that the generator has not learnt.
        """
        column: NDArray[Any] | None = labels._asdict().get(condition["name"])
        if column is None:
            raise Refused(f"The generator asks for {condition['name']}, which no label has.")
        if condition["kind"] == "flag":
            return np.asarray(column, np.float32)[:, None]
        if condition["kind"] == "number":
            scale = np.log1p if condition["scale"] == "log1p" else np.asarray
            low, high = scale(condition["low"]), scale(condition["high"])
            within = np.clip(column, condition["low"], condition["high"])
            return np.asarray((scale(within) - low) / (high - low), np.float32)[:, None]
        chosen = column.astype(str)[:, None] == np.array(condition["values"])
        if not chosen.any(1).all():
            raise Refused(f"The generator has learnt {condition['name']} {', '.join(condition['values'])} alone.")
        return np.asarray(chosen, np.float32)


def shipped(folder: Path) -> Shipped:
    """Open the generator of a folder.

    Raises:
        Refused: there is none, or not the one that the manifest names.
    """
    try:
        manifest = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
        graph = (folder / manifest["model"]["file"]).read_bytes()
    except (OSError, KeyError) as error:
        raise Refused(f"{folder} holds no generator: make it first.") from error
    model = manifest["model"]
    if hashlib.sha256(graph).hexdigest() != model["digest"]:
        raise Refused(f"{folder / model['file']} is not the graph that the manifest names: export it again.")
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return Shipped(f"{model['name']} {model['version']}", model["digest"], tuple(manifest["condition"]), session)
