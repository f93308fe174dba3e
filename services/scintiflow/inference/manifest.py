"""What a served model says about itself: `models/<name>/manifest.toml`, and the graph that it vouches for."""

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scintiflow.errors import Refused

EngineName = Literal["openvino", "onnxruntime"]
Precision = Literal["auto", "bf16", "f16", "f32", "int8"]
Device = Literal["cpu", "cuda", "tensorrt"]
"""Where ONNX Runtime runs a graph, by its provider: TensorRT builds engines for one GPU, CUDA runs as it comes."""
Mode = Literal["latency", "throughput"]
"""What OpenVINO does with the cores: all of them for one row after another, or one for each of several rows at once."""

# onnx.proto, TensorProto.external_data: weights kept in another file name it under this key.
_EXTERNAL_DATA = b"\n\x08location"


class Fact(BaseModel):
    """A table of the manifest: every key is known, nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Concept(Fact):
    """A coded concept: DICOM PS3.3 section 8."""

    value: str
    scheme: str
    meaning: str


class Tolerance(Fact):
    """How far an engine may be from the golden outputs.

    `probability` is absolute; `map` is a fraction of the golden map's maximum.
    """

    probability: float = Field(gt=0, lt=1)
    map: float = Field(gt=0, lt=1)


class EngineChoice(Fact):
    """What runs the model unless the operator says otherwise.

    `auto` is f16 on a GPU, on a CPU bf16 where OpenVINO has it, else f32; int8 is another graph, which not every model
    has (see `Int8`). With `fallback` the next device down is taken where one cannot be had, and every finding says so;
    without it the model does not answer. With `cached` OpenVINO keeps what it compiles for the next start.
    """

    name: EngineName = "openvino"
    precision: Precision = "auto"
    device: Device = "cpu"
    fallback: bool = False
    mode: Mode = "latency"
    cached: bool = False


GPU_PRECISIONS: Mapping[Device, tuple[Precision, ...]] = {
    "tensorrt": ("f16",),  # its f32 is TF32, which ONNX Runtime has no option against
    "cuda": ("f16", "f32"),
}
"""What ONNX Runtime can run a graph in on a GPU, the fastest first."""

FileName = Annotated[str, Field(pattern=r"^[\w-][\w.-]*$")]
"""Of a file beside the manifest."""


class Model(Fact):
    """What every kind of model says of itself."""

    folder: Path
    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    version: str = Field(min_length=1)
    file: FileName
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    golden: FileName
    evidence: str

    def graph(self) -> bytes:
        """Return the ONNX graph, exactly the bytes that the digest names.

        Raises:
            Refused: the file is missing, differs from its digest, or keeps weights in other files, which
                the digest would not cover.
        """
        try:
            graph = (self.folder / self.file).read_bytes()
        except OSError as error:
            raise Refused(f"{self.name}: {self.file} cannot be read; build or fetch the model again.") from error
        if hashlib.sha256(graph).hexdigest() != self.digest:
            raise Refused(f"{self.name}: {self.file} differs from the digest in its manifest; build the model again.")
        if _EXTERNAL_DATA in graph:
            raise Refused(f"{self.name}: {self.file} keeps weights in other files; export it as one file.")
        return graph


class Int8(Fact):
    """The same network with convolutions in eight bits, which its maker judged against the graph itself."""

    file: FileName
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")
    tolerance: Tolerance


class Manifest(Model):
    """One classifier, as its folder describes it."""

    kind: Literal["classifier"]
    label: str
    requires: tuple[Literal["anterior", "posterior"], ...]
    threshold: float = Field(gt=0, lt=1)
    question: Concept
    site: Concept | None = None
    tolerance: Tolerance
    engine: EngineChoice = EngineChoice()
    int8: Int8 | None = None

    def run_by(self, choice: EngineChoice) -> "Manifest":
        """Return what the manifest says when `choice` runs the model: with int8, of another graph.

        Raises:
            Refused: the model has none.
        """
        if choice.precision != "int8":
            return self.model_copy(update={"engine": choice})
        if self.int8 is None:
            raise Refused(f"{self.name} has no graph in int8: set the precision to auto.")
        graph = {name: getattr(self.int8, name) for name in Int8.model_fields}
        return self.model_copy(update={"engine": choice, **graph})


AnyModel = TypeVar("AnyModel", bound=Model)


def load(folder: Path) -> Manifest:
    """Read the manifest of the classifier in `folder` and check its graphs against it (see `load_as`)."""
    manifest = load_as(Manifest, folder)
    if manifest.int8 is not None:
        manifest.run_by(EngineChoice(precision="int8")).graph()
    return manifest


def load_as(kind: type[AnyModel], folder: Path) -> AnyModel:
    """Read the manifest in `folder` as one of a `kind` of model, and check the graph against it.

    Raises:
        Refused: the manifest breaks a rule (each fault is named with its place), or `Model.graph` refuses.
    """
    tables = _tables(folder)
    try:
        manifest = kind.model_validate({"folder": folder, **tables.pop("model"), **tables})
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Refused(f"{folder.name}/manifest.toml: {faults}") from error
    if manifest.name != folder.name:
        raise Refused(f"{folder.name}/manifest.toml names the model {manifest.name}; a folder is called as its model.")
    manifest.graph()
    return manifest


def folders(models: Path) -> tuple[Path, ...]:
    """Return the folders of all classifiers under `models` in order of name, sound or not.

    A manifest that cannot be read counts: what it is cannot be told, and silence would hide it.
    """
    return tuple(path.parent for path in sorted(models.glob("*/manifest.toml")) if _may_classify(path.parent))


def discover(models: Path) -> tuple[Manifest, ...]:
    """Load every classifier under `models`; raises Refused at the first that `load` refuses."""
    return tuple(load(folder) for folder in folders(models))


def _tables(folder: Path) -> dict[str, dict[str, object]]:
    try:
        tables = tomllib.loads((folder / "manifest.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{folder.name}/manifest.toml cannot be read: {error}") from error
    if not isinstance(tables.get("model"), dict):
        raise Refused(f"{folder.name}/manifest.toml has no [model] table.")
    return tables


def _may_classify(folder: Path) -> bool:
    try:
        return _tables(folder)["model"].get("kind") == "classifier"
    except Refused:
        return True
