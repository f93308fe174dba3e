"""`scintiflow check`: is this configuration sound?"""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scintiflow.config import Configuration, read_configuration
from scintiflow.errors import Refused


def check(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="The scintiflow.toml to look at.")],
) -> None:
    """Validate a configuration: one plain line for each fault and exit status 1, or what it means."""
    if not path.exists():
        raise Refused(f"{path} does not exist; name the scintiflow.toml that you want checked.")
    for sentence in meaning(read_configuration(path)):
        Console().print(sentence, markup=False, highlight=False, soft_wrap=True)


def meaning(configuration: Configuration) -> list[str]:
    """Say in sentences what a configuration does."""
    allowed = [f"{entry.ae_title} ({entry.host or 'from any address'})" for entry in configuration.allow]
    taken = [_destination(name, configuration) for name in configuration.destination]
    return [
        f"May send:    {', '.join(allowed) or 'nobody'}",
        f"Results to:  {'; '.join(taken) or 'nobody; findings are only recorded'}",
        *(f"Model {name}: {rule.mode}" for name, rule in configuration.models.items()),
    ]


def _destination(name: str, configuration: Configuration) -> str:
    destination = configuration.destination[name]
    synthetic = {"no": "", "too": ", synthetic studies too", "only": ", synthetic studies only"}[destination.synthetic]
    taken = ", the probe's studies only" if destination.probe else synthetic
    return f"{name} = {destination.ae_title}@{destination.host}:{destination.port}{taken}"
