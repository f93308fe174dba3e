"""The bodies of the Open Inference Protocol v2: JSON tensors, and the binary tensor data extension.

A binary body is the JSON header, `Inference-Header-Content-Length` bytes long, followed by the raw
little-endian values of those tensors that carry `binary_data_size`, in the order of the header.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, NonNegativeInt, ValidationError

from scintiflow.errors import Refused
from scintiflow.inference.engine import INPUTS, OUTPUTS, Answer
from scintiflow.inference.session import Floats

DATATYPE = "FP32"
_VALUE = np.dtype("<f4")
_BULK = 2
"""The lower of the two priorities; whoever does not choose gets the higher."""
_MICROSECONDS = 1e-6


@dataclass(frozen=True)
class Asked:
    """A checked inference request: N rows, and which outputs are wanted, each in JSON (False) or binary (True)."""

    id: str | None
    canvas: Floats
    present: Floats
    outputs: Mapping[str, bool]
    bulk: bool = False
    """Whether nobody waits for just this."""
    within: float | None = None
    """Seconds after which the client has no use for the answer any more."""


class _Binary(BaseModel):
    binary_data_size: NonNegativeInt | None = None
    binary_data: bool | None = None


class _Parameters(BaseModel):
    """Of a whole request; `priority` and `timeout` as in Triton's schedule policy extension."""

    binary_data_output: bool = False
    priority: int = Field(default=0, ge=0, le=2)
    """1 is the highest, 0 is as if it had not been said."""
    timeout: int = Field(default=0, ge=0, lt=1 << 64)
    """Microseconds; 0 is as if it had not been said."""


class _Input(BaseModel):
    name: str
    shape: list[NonNegativeInt]
    datatype: str
    parameters: _Binary = _Binary()
    data: list[Any] | None = None


class _Output(BaseModel):
    name: str
    parameters: _Binary = _Binary()


class _Request(BaseModel):
    id: str | None = None
    parameters: _Parameters = _Parameters()
    inputs: list[_Input]
    outputs: list[_Output] = Field(default_factory=list)


def parse(body: bytes, header_length: int | None) -> Asked:
    """Read an inference request; `header_length` is None when the whole body is JSON.

    Raises:
        Refused: the body breaks the protocol, or holds other tensors than a classifier takes.
    """
    if header_length is not None and not 0 < header_length <= len(body):
        raise Refused("Inference-Header-Content-Length is not the length of a JSON header within the body.")
    header = _header(body[:header_length])
    tensors = _tensors(header.inputs, memoryview(body)[len(body) if header_length is None else header_length :])
    for name in INPUTS:
        if name not in tensors:
            raise Refused(f"The input {name} is missing.")
    canvas, present = tensors["canvas"], tensors["present"]
    if len(canvas) != len(present):
        raise Refused(f"canvas holds {len(canvas)} scans and present {len(present)}; send one row for each scan.")
    return Asked(
        header.id,
        canvas,
        present,
        _outputs(header),
        bulk=header.parameters.priority == _BULK,
        within=header.parameters.timeout * _MICROSECONDS or None,
    )


def render(asked: Asked, answer: Answer, facts: Mapping[str, Any]) -> tuple[bytes, int | None]:
    """Write the response: `facts` (model_name, model_version, parameters) and the wanted outputs.

    Returns the body, and the length of its JSON header when binary values follow, else None.
    """
    outputs, blobs = [], []
    for name, binary in asked.outputs.items():
        values: Floats = getattr(answer, name)
        output: dict[str, Any] = {"name": name, "shape": values.shape, "datatype": DATATYPE}
        if binary:
            blobs.append(values.astype(_VALUE, copy=False).tobytes())
            output["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            output["data"] = values.ravel().tolist()
        outputs.append(output)
    identity = {} if asked.id is None else {"id": asked.id}
    header = json.dumps({**facts, **identity, "outputs": outputs}).encode()
    return header + b"".join(blobs), len(header) if blobs else None


def _header(text: bytes) -> _Request:
    try:
        return _Request.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise Refused(
            f"The request is not an inference request: {place + ': ' if place else ''}{fault['msg']}."
        ) from error


def _tensors(inputs: list[_Input], blobs: memoryview) -> dict[str, Floats]:
    tensors: dict[str, Floats] = {}
    at = 0
    for tensor in inputs:
        if tensor.name not in INPUTS or tensor.name in tensors:
            raise Refused(f"The inputs are {' and '.join(INPUTS)}, each once; {tensor.name[:32]!r} is not expected.")
        size = tensor.parameters.binary_data_size
        _check_shape(tensor)
        values = _from_json(tensor) if size is None else _from_binary(tensor, blobs[at : at + size], size)
        if not np.isfinite(values).all():
            raise Refused(f"{tensor.name} holds values that are no finite numbers.")
        tensors[tensor.name] = values.reshape(tensor.shape)
        at += size or 0
    if at != len(blobs):
        raise Refused(f"{len(blobs)} bytes follow the header, but the inputs claim {at}.")
    return tensors


def _check_shape(tensor: _Input) -> None:
    row = INPUTS[tensor.name]
    if tensor.datatype != DATATYPE:
        raise Refused(f"{tensor.name} has the datatype {DATATYPE}, not {tensor.datatype[:32]!r}.")
    if tuple(tensor.shape[1:]) != row or not tensor.shape[0]:
        expected = ", ".join(map(str, row))
        raise Refused(f"{tensor.name} has the shape [N, {expected}] with N of 1 or more, not {tensor.shape[:8]}.")


def _from_binary(tensor: _Input, blob: memoryview, size: int) -> Floats:
    if tensor.data is not None:
        raise Refused(f"{tensor.name} has both data and binary_data_size; send one of them.")
    wanted = int(np.prod(tensor.shape)) * _VALUE.itemsize
    if size != wanted or len(blob) != size:
        raise Refused(f"{tensor.name} takes {wanted} bytes; {size} are claimed and {len(blob)} are there.")
    return np.frombuffer(blob, _VALUE)


def _from_json(tensor: _Input) -> Floats:
    if tensor.data is None:
        raise Refused(f"{tensor.name} has neither data nor binary_data_size.")
    try:
        values = np.asarray(tensor.data)
    except ValueError as error:
        raise Refused(f"The rows of {tensor.name} differ in length.") from error
    if values.dtype.kind not in "fiu" or values.shape not in {(values.size,), tuple(tensor.shape)}:
        raise Refused(f"The data of {tensor.name} are numbers, flat or nested like its shape.")
    if values.size != np.prod(tensor.shape):
        raise Refused(f"{tensor.name} holds {values.size} values, its shape {int(np.prod(tensor.shape))}.")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused with the rest
        return values.astype(np.float32)


def _outputs(header: _Request) -> dict[str, bool]:
    """Return the wanted outputs in order; without a choice all of them."""
    wanted: dict[str, bool] = {}
    for output in header.outputs or [_Output(name=name) for name in OUTPUTS]:
        if output.name not in OUTPUTS or output.name in wanted:
            raise Refused(f"The outputs are {', '.join(OUTPUTS)}, each once; {output.name[:32]!r} is not expected.")
        own = output.parameters.binary_data
        wanted[output.name] = header.parameters.binary_data_output if own is None else own
    return wanted
