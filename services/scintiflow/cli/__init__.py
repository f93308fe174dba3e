"""The `scintiflow` command, one file a verb group."""

from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from scintiflow import __version__
from scintiflow.cli.check import check
from scintiflow.cli.conformance import conformance
from scintiflow.cli.demo import demo
from scintiflow.cli.models import models
from scintiflow.cli.parked import parked
from scintiflow.cli.send import send
from scintiflow.cli.status import status
from scintiflow.cli.studies import studies
from scintiflow.cli.synthesize import synthesize
from scintiflow.cli.up import up
from scintiflow.errors import ScintiflowError


class _InSentences(TyperGroup):
    """Ends a command that failed with the sentence that its error is, and exit status 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ScintiflowError as error:
            Console(stderr=True).print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error


app = typer.Typer(
    cls=_InSentences,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,  # they may hold what a patient is called
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(up)
app.command()(demo)
app.command()(send)
app.command()(status)
app.command()(studies)
app.command()(check)
app.command()(conformance)
app.command()(synthesize)
app.add_typer(parked, name="parked")
app.add_typer(models, name="models")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"scintiflow {__version__}")
        raise typer.Exit


@app.callback()
def scintiflow(
    _version_asked: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Read whole-body bone scans that a PACS forwards, and send DICOM results back.

    **Research only, not for diagnosis.**

    Start with `scintiflow demo`, which shows the whole line with example scans. Then write `scintiflow.toml` (who may
    send, who gets results), test it with `scintiflow check`, start everything with `scintiflow up`, and point your PACS
    at DICOM port 11112, AE title SCINTIFLOW. Look in with `scintiflow status`, `scintiflow studies` and
    `scintiflow parked list`. `scintiflow synthesize` makes scans of patients who do not exist.
    """
