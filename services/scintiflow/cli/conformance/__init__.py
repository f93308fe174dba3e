"""`scintiflow conformance`: what this installation does in DICOM, as a conformance statement (PS3.2 Annex N)."""

import typer

from scintiflow.cli.conformance.installation import Installation
from scintiflow.cli.conformance.statement import statement
from scintiflow.cli.deployment import ConfigOption, OffsetOption, configuration, deployment, settings
from scintiflow.errors import Refused
from scintiflow.inference.manifest import discover
from scintiflow.receiver.settings import Settings as ReceiverSettings
from scintiflow.sender.settings import SenderSettings


def conformance(config: ConfigOption = None, port_offset: OffsetOption = None) -> None:
    """Print the DICOM conformance statement of this installation, in Markdown."""
    deployed = deployment(config=config, port_offset=port_offset)
    if not (models := discover(deployed.models)):
        raise Refused(f"{deployed.models} holds no classifier; what results hold is told by what they would become.")
    installation = Installation(
        port=deployed.port("dicom"),
        receiver=settings(ReceiverSettings),
        sender=settings(SenderSettings),
        configuration=configuration(deployed),
        models=models,
    )
    typer.echo(statement(installation), nl=False)
