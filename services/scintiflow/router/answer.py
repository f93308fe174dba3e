"""What the classifier says, checked: what is wrong with it is the classifier's trouble, and no study is to blame."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter

from scintiflow.errors import Unavailable
from scintiflow.inference.manifest import Concept

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_FLOAT_BYTES = 4

T = TypeVar("T")


class Listed(BaseModel):
    """One entry of the repository index."""

    name: str
    state: str

    @property
    def ready(self) -> bool:
        """Tell whether it may be asked, under a name that may become part of a file's."""
        return self.state == "READY" and _NAME.fullmatch(self.name) is not None


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


class Described(BaseModel):
    """The metadata of one model."""

    parameters: Facts


class Ran(BaseModel):
    """What gave an answer."""

    engine: str
    precision: str
    digest: str


class _Size(BaseModel):
    binary_data_size: int


class Output(BaseModel):
    """One tensor of an answer; its values follow the header."""

    name: str
    datatype: Literal["FP32"]
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    parameters: _Size


class Head(BaseModel):
    """The header of an answer."""

    model_name: str
    parameters: Ran
    outputs: list[Output]


def parsed(kind: TypeAdapter[T], body: bytes) -> T:
    """Read JSON.

    Raises:
        Unavailable: it is no JSON, or not this.
    """
    try:
        return kind.validate_json(body)
    except ValueError as error:
        raise Unavailable("The classifier's answer cannot be read.") from error


def tensors_of(outputs: list[Output], body: bytes) -> dict[str, NDArray[np.float32]]:
    """Cut the values apart.

    Raises:
        Unavailable: sizes, shapes and the bytes that came do not agree.
    """
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


def usable(model: str, tensors: Mapping[str, NDArray[np.float32]]) -> tuple[float, NDArray[np.float32]]:
    """Return probability and map [h, w] of one scan.

    Raises:
        Unavailable: one is missing, of another shape, or no number that it may be.
    """
    probability, heat = tensors.get("probability"), tensors.get("map")
    if probability is None or heat is None:
        raise Unavailable(f"The model {model} answered without probability or map.")
    if probability.shape != (1, 1) or heat.ndim != 4 or heat.shape[:2] != (1, 1) or heat.shape[3] % 2:
        raise Unavailable(f"The model {model} answered with tensors of the wrong shape.")
    if not (0.0 <= probability[0, 0] <= 1.0 and np.isfinite(heat).all() and (heat >= 0).all()):
        raise Unavailable(f"The model {model} answered with something that is no probability.")
    return float(probability[0, 0]), heat[0, 0]
