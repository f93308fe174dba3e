"""`scintiflow models`: what is served, and whether this machine computes what its makers saw."""

import json
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scintiflow.cli.deployment import DataOption, JsonOption, deployment, settings
from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import GeneratorManifest, load_generator
from scintiflow.inference.manifest import Manifest, folders, load
from scintiflow.inference.session import EngineFacts

models = typer.Typer(no_args_is_help=True, help="What is served, and whether this machine gives the same answers.")

NamesArgument = Annotated[list[str] | None, typer.Argument(metavar="[MODEL]...", help="All of them, unless named.")]


@models.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models in the folder SCINTIFLOW_MODELS (default ./models)."""
    found = _manifests(None)
    if as_json:
        print(json.dumps([manifest.model_dump(mode="json", exclude={"folder"}) for manifest in found], indent=1))
        return
    table = Table("model", "version", "asks for", "needs", "threshold", "evidence", "digest")
    for manifest in found:
        table.add_row(manifest.name, manifest.version, *_asks(manifest), manifest.evidence, manifest.digest[:12])
    Console().print(table)


@models.command()
def verify(names: NamesArgument = None, data: DataOption = None) -> None:
    """Run each model's golden inputs on the engine that is configured, and compare with what its makers saw."""
    _prove(names, deployment(data=data).engines)


@models.command()
def build(names: NamesArgument = None, data: DataOption = None) -> None:
    """Verify, before anybody waits for it: what engines build on the way stays under DATA.

    With TensorRT that takes minutes a model, and another driver, ONNX Runtime, TensorRT or GPU asks for it again.
    Elsewhere there is nothing to build, but for what OpenVINO compiles where it is told to keep that.
    """
    _prove(names, deployment(data=data).engines)


def _asks(manifest: Manifest | GeneratorManifest) -> tuple[str, str, str]:
    """Return what a model is asked, the views that it needs, and its threshold."""
    if isinstance(manifest, GeneratorManifest):
        return "synthetic scans", "", ""
    return manifest.label, " + ".join(manifest.requires), f"{manifest.threshold:g}"


def _prove(names: list[str] | None, engines: Path) -> None:
    failed = False
    for manifest in _manifests(names):
        started = time.monotonic()
        try:
            facts = _proven(manifest, engines)
            print(
                f"{manifest.name} {manifest.version}: the same answers with {_told(facts)},"
                f" after {time.monotonic() - started:.1f} s"
            )
        except Refused as error:
            failed = True
            print(f"{manifest.name} {manifest.version}: {error}")
    if failed:
        raise typer.Exit(1)


def _told(facts: EngineFacts) -> str:
    return f"{facts.engine} in {facts.precision} on {facts.device}" + (f" for {facts.mode}" if facts.mode else "")


def _proven(manifest: Manifest | GeneratorManifest, engines: Path) -> EngineFacts:
    """Return what runs a model, once it has passed its golden gate; raises Refused where it does not."""
    from scintiflow.classifier.settings import ClassifierSettings
    from scintiflow.inference import engine, generator
    from scintiflow.synthesizer.settings import SynthesizerSettings

    if isinstance(manifest, GeneratorManifest):
        choice = settings(SynthesizerSettings).overrule(manifest.engine)
        draws = generator.open_generator(manifest, choice, cache=engines)
        generator.check_golden(draws, manifest)
        return draws.describe()
    manifest = manifest.run_by(settings(ClassifierSettings).overrule(manifest.engine))
    answers = engine.open_engine(manifest, cache=engines)
    engine.check_golden(answers, manifest)
    return answers.describe()


def _manifests(names: list[str] | None) -> list[Manifest | GeneratorManifest]:
    """Load the models called `names`, or all; raises Refused where one is missing or unsound."""
    installation = deployment()
    classifiers = {path.name: path for path in folders(installation.models)}
    found = sorted({*classifiers, *(["generator"] if installation.synthesizes else [])})
    unknown = sorted(set(names or ()) - set(found))
    if unknown or not found:
        what = f"no model called {', '.join(unknown)}" if unknown else "no model"
        raise Refused(f"There is {what} in {installation.models}; name another folder with SCINTIFLOW_MODELS.")
    return [
        load(classifiers[name]) if name in classifiers else load_generator(installation.models)
        for name in names or found
    ]
