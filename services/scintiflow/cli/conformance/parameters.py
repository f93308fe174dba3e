"""What can be configured about DICOM: settings in the environment, tables in scintiflow.toml."""

from collections.abc import Iterator

from pydantic_settings import BaseSettings

from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.table import table
from scintiflow.config import Configuration


def settings_table(settings: BaseSettings) -> str:
    """Return the table of one process' settings, each with its default and its value here."""
    prefix = str(settings.model_config["env_prefix"])
    rows = (
        (f"`{prefix}{name.upper()}`", _shown(field.default), _shown(getattr(settings, name)), _told(field.description))
        for name, field in type(settings).model_fields.items()
    )
    return table(("Variable", "Default", "Here", "What it says"), rows)


def rules_table(installation: Installation) -> str:
    """Return the table of who may send here and who gets results."""
    return table(("Role", "AE title", "Address", "Which results"), _peers(installation.configuration))


def _peers(configuration: Configuration) -> Iterator[tuple[str, ...]]:
    for allowed in configuration.allow:
        yield "may send", f"`{allowed.ae_title}`", allowed.host or "any", ""
    for destination in configuration.destinations:
        where = f"{destination.host}:{destination.port}"
        yield "gets results", f"`{destination.ae_title}`", where, f"of synthetic studies: {destination.synthetic}"
    if not configuration.allow:
        yield "may send", "nobody", "", ""
    if not configuration.destinations:
        yield "gets results", "nobody", "", ""


def _shown(value: object) -> str:
    if value == "":
        return "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _told(description: str | None) -> str:
    return " ".join((description or "").split())
