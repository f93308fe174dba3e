"""What an operator may say about engines, whatever they run."""

from typing import TypeVar

from pydantic_settings import BaseSettings

from scintiflow.inference.manifest import Device, EngineChoice, EngineName, Precision

Choice = TypeVar("Choice", bound=EngineChoice)


class EngineSettings(BaseSettings):
    """What runs a model, and where, instead of what its manifest says."""

    engine: EngineName | None = None
    precision: Precision | None = None
    device: Device | None = None
    """To ask for a GPU is to ask for the engine that can use one."""
    fallback: bool | None = None
    """Whether the next device down may be used where that one cannot be had; every finding then says so."""

    def overrule(self, choice: Choice) -> Choice:
        """Return the choice of a manifest with what the operator says instead."""
        on_gpu = self.device not in (None, "cpu")
        said = {
            "name": self.engine or ("onnxruntime" if on_gpu else None),
            "precision": self.precision or ("auto" if on_gpu else None),
            "device": self.device,
            "fallback": self.fallback,
        }
        return choice.model_copy(update={key: value for key, value in said.items() if value is not None})
