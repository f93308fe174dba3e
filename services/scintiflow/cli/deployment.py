"""Where the installation is: the options that commands share, and the settings they give."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from scintiflow.config import Configuration, Deployment
from scintiflow.errors import Refused

Settings = TypeVar("Settings", bound=BaseSettings)

DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="SCINTIFLOW_DATA", help="The folder DATA.", show_default="./var"),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", envvar="SCINTIFLOW_CONFIG", help="Who may send, who gets results.", show_default="./scintiflow.toml"
    ),
]
OffsetOption = Annotated[
    int | None,
    typer.Option(
        "--port-offset",
        envvar="SCINTIFLOW_PORT_OFFSET",
        help="Moves every port by this number, so that stacks run side by side.",
        show_default="0",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def deployment(*, data: Path | None = None, config: Path | None = None, port_offset: int | None = None) -> Deployment:
    """Return the settings of the installation; what is not given comes from the environment."""
    given = {"data": data, "config": config, "port_offset": port_offset}
    return settings(Deployment, **{name: value for name, value in given.items() if value is not None})


def settings(kind: type[Settings], **given: Any) -> Settings:
    """Read settings from the environment, except those given.

    Raises:
        Refused: a value breaks a rule; one line a fault.
    """
    try:
        return kind(**given)
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        faults = [f"{prefix}{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in error.errors()]
        raise Refused("\n".join(faults)) from error


def configuration(installation: Deployment) -> Configuration:
    """Read the installation's rules; raises Refused with the faults of its `scintiflow.toml`."""
    return installation.rules()
