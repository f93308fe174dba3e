"""Items of requests for tests, of the generator for tests."""

from pathlib import Path
from typing import Any

from scintiflow.inference.generator_manifest import GeneratorManifest, load_generator
from scintiflow.synthesizer.item import Item
from scintiflow.synthesizer.wanted import Wanted
from tests.graphs import generator_folder


def manifest_in(models: Path) -> GeneratorManifest:
    """Write the generator for tests, and read its manifest."""
    generator_folder(models)
    return load_generator(models)


def item(index: int = 0, *, seed: int = 1, label: str = "both", **wanted: Any) -> Item:
    """Return one item of a request."""
    return Item(Wanted(label=label, count=10, **wanted), seed, index)
