"""`scintiflow up`: start everything on this machine and stay."""

from rich.console import Console

from scintiflow import __version__
from scintiflow.cli.check import meaning
from scintiflow.cli.deployment import ConfigOption, DataOption, OffsetOption, configuration, deployment, settings
from scintiflow.config import Configuration, Deployment

NOBODY = """\
Nobody may send yet. Write these lines to {path}, with the AE titles of your PACS, and start again:

[[allow]]                 # who may send; add host = "..." to bind the title to an address
ae_title = "PACS"

[[destinations]]          # who gets results
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = 104"""


def up(data: DataOption = None, config: ConfigOption = None, port_offset: OffsetOption = None) -> None:
    """Start the whole line on this machine and keep it alive; Ctrl-C stops it.

    Receiver, keeper, router, classifier and sender, the synthesizer where there is a generator among the models, and a
    Redis of its own unless SCINTIFLOW_REDIS_URL names one.
    What dies is started again.
    """
    from scintiflow.up import reserved, run

    installation = deployment(data=data, config=config, port_offset=port_offset)
    rules = configuration(installation)
    with reserved(installation):
        Console(stderr=True).print(_greeting(installation, rules), markup=False, highlight=False, soft_wrap=True)
        run(installation)


def _greeting(installation: Deployment, rules: Configuration) -> str:
    from scintiflow.receiver.settings import Settings as ReceiverSettings

    where = f"--data {installation.data} --config {installation.config} --port-offset {installation.port_offset}"
    lines = [
        "",
        f"scintiflow {__version__}: research only, not for diagnosis",
        "",
        f"DICOM:       {settings(ReceiverSettings).ae_title} at port {installation.port('dicom')} of this machine",
        *(meaning(rules) if rules.allow else []),
        f"DATA:        {installation.data.resolve()}",
        f"Health:      scintiflow status {where}",
        "Stop:        Ctrl-C",
        "",
    ]
    return "\n".join(lines if rules.allow else [*lines, NOBODY.format(path=installation.config), ""])
