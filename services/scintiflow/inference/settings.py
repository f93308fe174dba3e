"""What an operator may say about engines, whatever they run."""

from typing import TypeVar

from pydantic_settings import BaseSettings

from scintiflow.inference.manifest import GPU_PRECISIONS, Device, EngineChoice, EngineName, Mode, Precision

Choice = TypeVar("Choice", bound=EngineChoice)


class EngineSettings(BaseSettings):
    """What runs a model, and where, instead of what its manifest says."""

    engine: EngineName | None = None
    precision: Precision | None = None
    device: Device | None = None
    """To ask for a GPU is to ask for the engine that can use one."""
    fallback: bool | None = None
    """Whether the next device down may be used where that one cannot be had; every finding then says so."""
    mode: Mode | None = None
    """Of OpenVINO: `throughput` answers more scans a second where many wait, and takes longer for each."""
    cached: bool | None = None
    """Whether OpenVINO keeps what it compiles; that saves half of compiling, which is little beside the golden gate."""

    def overrule(self, choice: Choice) -> Choice:
        """Return the choice of a manifest with what the operator says instead."""
        name, precision = self.engine, self.precision
        if (able := GPU_PRECISIONS.get(self.device or choice.device)) is not None:
            name = name or "onnxruntime"
            precision = precision or (choice.precision if choice.precision in able else "auto")
        said = {"name": name, "precision": precision}
        said |= self.model_dump(include={"device", "fallback", "mode", "cached"})
        return choice.model_copy(update={key: value for key, value in said.items() if value is not None})
