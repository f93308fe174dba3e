"""`scintiflow models`: what is served, and whether this machine computes what its makers saw."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from scintiflow.cli.deployment import JsonOption, deployment
from scintiflow.errors import Refused
from scintiflow.inference.manifest import Manifest, folders, load

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
        needs, threshold = " + ".join(manifest.requires), f"{manifest.threshold:g}"
        table.add_row(
            manifest.name, manifest.version, manifest.label, needs, threshold, manifest.evidence, manifest.digest[:12]
        )
    Console().print(table)


@models.command()
def verify(names: NamesArgument = None) -> None:
    """Run each model's golden scans on this machine's engine and compare probabilities and maps."""
    from scintiflow.inference.engine import check_golden, open_engine

    failed = False
    for manifest in _manifests(names):
        try:
            engine = open_engine(manifest)
            check_golden(engine, manifest)
            facts = engine.describe()
            print(f"{manifest.name} {manifest.version}: the same answers with {facts.engine} in {facts.precision}")
        except Refused as error:
            failed = True
            print(f"{manifest.name} {manifest.version}: {error}")
    if failed:
        raise typer.Exit(1)


def _manifests(names: list[str] | None) -> list[Manifest]:
    """Load the models called `names`, or all; raises Refused where one is missing or unsound."""
    folder = deployment().models
    found = {path.name: path for path in folders(folder)}
    unknown = sorted(set(names or ()) - found.keys())
    if unknown or not found:
        what = f"no model called {', '.join(unknown)}" if unknown else "no model"
        raise Refused(f"There is {what} in {folder}; name another folder with SCINTIFLOW_MODELS.")
    return [load(found[name]) for name in names or sorted(found)]
