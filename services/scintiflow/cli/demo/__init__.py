"""`scintiflow demo`: the whole line at work, with a PACS beside it, in under a minute."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from scintiflow.cli.demo.case import Case, cases
from scintiflow.cli.demo.seen import look_back
from scintiflow.cli.demo.sheet import draw
from scintiflow.cli.demo.table import agreement, table
from scintiflow.cli.send import Peer, find, transmit
from scintiflow.cli.status import look
from scintiflow.config import Deployment
from scintiflow.dicom.identity import study_folder
from scintiflow.errors import Failed
from scintiflow.records import ENDS, read_record
from scintiflow.store import Store
from scintiflow.up import reserved, taken_ports

_START_SECONDS, _READ_SECONDS, _STOP_SECONDS = 60.0, 90.0, 15.0

_CONFIGURATION = """\
[[allow]]
ae_title = "DEMO"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "127.0.0.1"
port = {port}
synthetic = "too"
"""

_UP = """
import signal
from scintiflow.lifetime import die_with_parent
die_with_parent(signal.SIGTERM)
from scintiflow.cli import app
app()
"""


def demo(
    folder: Annotated[Path, typer.Option("--into", help="Where the demo keeps what it makes.")] = Path("demo"),
) -> None:
    """Show the whole line at work: start it, send example scans through DICOM, look at what a PACS gets back.

    Nothing else is touched: it has its own folder, its own ports, and a PACS of its own.
    """
    screen = Console(highlight=False)
    studies = cases(Deployment().models)
    installation = _make_room(folder)
    with _pacs(folder / "pacs") as port:
        installation.config.write_text(_CONFIGURATION.format(port=port))
        with _line(installation, folder / "up.log"):
            _send_and_wait(installation, studies, screen)
    seen = [look_back(case, Store(installation.data), folder / "pacs") for case in studies]
    draw(folder / "contact-sheet.png", [tile for each in seen for tile in each.tiles()])
    screen.print(table(seen))
    screen.print(agreement(seen))
    for each in seen:
        for remark in each.remarks():
            screen.print(f"{each.case.name}. {remark}", markup=False)
    screen.print("AI results, not for diagnostic use, research only. The patients are simulated.")
    screen.print(f"Pictures: {folder / 'contact-sheet.png'}   What the PACS got: {folder / 'pacs'}")
    if faults := [fault for each in seen for fault in each.faults()]:
        raise Failed("\n".join(["Not everything came as expected:", *faults, f"See {folder / 'up.log'}."]))
    screen.print("Everything came as expected.", style="green")


def _make_room(folder: Path) -> Deployment:
    """Empty the demo's folder of an earlier run and choose free ports.

    Raises:
        Refused: another demo is running there, or no ports are free.
    """
    data = folder / "data"
    for offset in range(20_000, 21_600, 100):
        installation = Deployment(data=data, config=folder / "scintiflow.toml", redis_url=None, port_offset=offset)
        if not taken_ports(installation):
            break
    with reserved(installation):
        shutil.rmtree(folder / "pacs", ignore_errors=True)
        shutil.rmtree(data)
    (folder / "pacs").mkdir()
    return installation


@contextmanager
def _pacs(folder: Path) -> Iterator[int]:
    """Run a PACS in a process of its own; yield its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "scintiflow.cli.demo.pacs", str(folder)], stdout=subprocess.PIPE, text=True
    ) as pacs:
        try:
            yield int(pacs.stdout.readline())  # type: ignore[union-attr]  # a pipe was asked for
        finally:
            pacs.terminate()


@contextmanager
def _line(installation: Deployment, log: Path) -> Iterator[None]:
    """Run `scintiflow up`, its lines in the file `log`."""
    where = ["--data", installation.data, "--config", installation.config, "--port-offset", installation.port_offset]
    with log.open("wb") as lines:
        up = subprocess.Popen([sys.executable, "-c", _UP, "up", *map(str, where)], stderr=lines)
    try:
        yield
    finally:
        up.terminate()
        up.wait(_STOP_SECONDS)


def _send_and_wait(installation: Deployment, studies: list[Case], screen: Console) -> None:
    """Send every case as soon as the line is ready; return when all have come to an end."""
    store = Store(installation.data)

    def unready() -> list[str]:
        return [process["name"] for process in look(installation)["processes"] if not process["ready"]]

    def open_cases() -> list[str]:
        records = {case.name: read_record(store, study_folder(case.study_uid)) for case in studies}
        return [name for name, record in records.items() if record.outcome.state not in ENDS]

    _wait("Starting", unready, _START_SECONDS, screen)
    files, _ = find(path for case in studies for path in case.paths)
    peer = Peer("SCINTIFLOW", "127.0.0.1", installation.port("dicom"))
    for sent in transmit(files, peer, "DEMO"):
        if sent.trouble:
            raise Failed(f"{sent.path.name} was not taken: {sent.trouble}")
    screen.print(f"Sent {len(files)} scans of {len(studies)} studies to {peer}")
    _wait("Reading", open_cases, _READ_SECONDS, screen)


def _wait(doing: str, missing: Callable[[], list[str]], seconds: float, screen: Console) -> None:
    """Wait until nothing is missing, for at most `seconds`; raises Failed."""
    began = time.monotonic()
    with screen.status(doing) as spinner:
        while left := missing():
            if time.monotonic() > began + seconds:
                raise Failed(f"{doing} took too long: {', '.join(left)}. The demo's up.log says why.")
            spinner.update(f"{doing}: waiting for {', '.join(left)}")
            time.sleep(0.2)
    screen.print(f"{doing} took {time.monotonic() - began:.1f} s")
