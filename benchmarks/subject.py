"""What `benchmarks.engines` measures: a classifier or the generator, with the gate that every engine passes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.errors import Refused
from scintiflow.inference import engine, generator
from scintiflow.inference.generator_manifest import GeneratorManifest, load_generator
from scintiflow.inference.manifest import EngineChoice, Manifest, load
from scintiflow.inference.session import EngineFacts
from scintiflow.synthesizer.settings import SynthesizerSettings


@dataclass(frozen=True)
class Subject:
    """What is run, and how an engine shows that it computes the same."""

    manifest: Manifest | GeneratorManifest
    inputs: Mapping[str, tuple[int, ...]]
    """Name of each input and the shape of one row."""
    choice: EngineChoice
    """What our service runs it with on this machine."""
    graph: Callable[[EngineChoice], bytes]
    """What an engine loads; raises Refused where the model has nothing for it."""
    proven: Callable[[EngineChoice], EngineFacts]
    """Says what runs, once that has passed the golden gate; raises Refused where it does not."""


def subject(folder: Path) -> Subject:
    """Return the model in a folder."""
    return _generator(load_generator(folder.parent)) if folder.name == "generator" else _classifier(load(folder))


def _classifier(manifest: Manifest) -> Subject:
    def graph(asked: EngineChoice) -> bytes:
        return manifest.run_by(asked).graph()

    def proven(asked: EngineChoice) -> EngineFacts:
        answers = engine.open_engine(manifest.run_by(asked))
        engine.check_golden(answers, manifest.run_by(asked))
        return answers.describe()

    return Subject(manifest, engine.INPUTS, ClassifierSettings().overrule(manifest.engine), graph, proven)


def _generator(manifest: GeneratorManifest) -> Subject:
    def graph(asked: EngineChoice) -> bytes:
        if asked.precision == "int8":
            raise Refused(f"{manifest.name} has no graph in int8.")
        return manifest.graph()

    def proven(asked: EngineChoice) -> EngineFacts:
        graph(asked)
        draws = generator.open_generator(manifest, manifest.engine.model_copy(update=dict(asked)))
        generator.check_golden(draws, manifest)
        return draws.describe()

    choice = SynthesizerSettings().overrule(manifest.engine)
    return Subject(manifest, _shapes(manifest.graph()), choice, graph, proven)


def _shapes(graph: bytes) -> dict[str, tuple[int, ...]]:
    ports = onnx.load_model_from_string(graph).graph.input
    return {port.name: tuple(size.dim_value for size in port.type.tensor_type.shape.dim[1:]) for port in ports}
