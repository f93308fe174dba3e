"""`scintiflow send`: DICOM files and folders to any C-STORE SCP, ours unless told otherwise."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, MediaStorageDirectoryStorage
from pynetdicom import AE, _config
from pynetdicom.association import Association
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scintiflow.cli.deployment import ConfigOption, OffsetOption, configuration, deployment
from scintiflow.dicom.c_store import PROMPTLY, c_store
from scintiflow.errors import Refused, Unavailable
from scintiflow.sender.answer import ACCEPTED, REJECTED_TRANSIENT, answer_of, takes_nothing

_CONTEXTS_AT_ONCE = 128  # PS3.8 section 9.3.2.2: presentation context IDs are the odd numbers up to 255
_LAST_PORT = 65_535
_CALLING_UNKNOWN = (1, 1, 3)  # PS3.8 table 9-21: result, source, reason
_CALLED_UNKNOWN = (1, 1, 7)


@dataclass(frozen=True)
class Peer:
    """Whom we send to."""

    ae_title: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}:{self.port}"


@dataclass(frozen=True)
class File:
    """One DICOM file on disk, and the presentation context that it needs."""

    path: Path
    sop_class: UID
    transfer_syntax: UID


@dataclass(frozen=True)
class Sent:
    """What became of one file; `trouble` says what to do, or is None."""

    path: Path
    trouble: str | None = None


def send(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="DICOM files, or folders of them.")],
    to: Annotated[str | None, typer.Option(metavar="AET@host:port", show_default="SCINTIFLOW@127.0.0.1:11112")] = None,
    calling: Annotated[
        str | None,
        typer.Option("--from", metavar="AET", help="Who we say we are.", show_default="the first one allowed to send"),
    ] = None,
    config: ConfigOption = None,
    port_offset: OffsetOption = None,
) -> None:
    """Send DICOM files as they are (C-STORE), and say of each one that fails what to do."""
    installation = deployment(config=config, port_offset=port_offset)
    peer = parse_peer(to) if to else Peer("SCINTIFLOW", "127.0.0.1", installation.port("dicom"))
    if calling is None:
        allowed = configuration(installation).allow
        calling = allowed[0].ae_title if allowed else "SCINTIFLOW_SEND"
    files, unreadable = find(paths)
    began = time.perf_counter()
    troubled = [*unreadable, *_with_progress(files, peer, calling)]
    screen = Console(stderr=True, highlight=False)
    for sent in troubled:
        screen.print(f"{sent.path}: {sent.trouble}", style="red", markup=False, soft_wrap=True)
    arrived = len(files) + len(unreadable) - len(troubled)
    screen.print(f"Sent {arrived} of {arrived + len(troubled)} to {peer} in {time.perf_counter() - began:.1f} s.")
    if troubled:
        raise typer.Exit(1)


def parse_peer(text: str) -> Peer:
    """Read AET@host:port; raises Refused."""
    parts = re.fullmatch(r"([^@\\]{1,16})@(.+):(\d{1,5})", text)
    if parts is None or int(parts[3]) > _LAST_PORT:
        raise Refused(f"{text!r} is not AET@host:port; write for example PACS@10.0.0.5:104.")
    return Peer(parts[1], parts[2], int(parts[3]))


def find(paths: Iterable[Path]) -> tuple[list[File], list[Sent]]:
    """Return the DICOM files among `paths` and below, and what cannot be sent.

    In a folder whatever is not DICOM is passed over; a file named by itself must be DICOM.
    """
    files, unreadable = [], []
    for path in paths:
        inside = sorted(entry for entry in path.rglob("*") if entry.is_file()) if path.is_dir() else [path]
        for entry in inside:
            try:
                files.append(_file(entry))
            except Refused as error:
                if not path.is_dir():
                    unreadable.append(Sent(entry, str(error)))
        if path.is_dir() and not inside:
            unreadable.append(Sent(path, "This folder holds no files."))
    return [file for file in files if file.sop_class != MediaStorageDirectoryStorage], unreadable


def transmit(files: list[File], peer: Peer, calling: str) -> Iterator[Sent]:
    """Send `files` over as few associations as their presentation contexts allow; yield what became of each.

    Raises:
        Unavailable: nobody answers, or the peer is busy.
        Refused: the peer does not take an association from `calling`.
    """
    _config.STORE_SEND_CHUNKED_DATASET = True  # the stored bytes, without a decode in between
    contexts = sorted({(file.sop_class, file.transfer_syntax) for file in files})
    for first in range(0, len(contexts), _CONTEXTS_AT_ONCE):
        some = contexts[first : first + _CONTEXTS_AT_ONCE]
        association = _associate(some, peer, calling)
        try:
            for file in files:
                if (file.sop_class, file.transfer_syntax) in some:
                    yield Sent(file.path, _store(association, file))
        finally:
            association.release()


def _with_progress(files: list[File], peer: Peer, calling: str) -> list[Sent]:
    """Transmit under a progress bar; return those that failed."""
    columns = (TextColumn(f"to {peer}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        sent = progress.track(transmit(files, peer, calling), total=len(files))
        return [each for each in sent if each.trouble is not None]


def _file(path: Path) -> File:
    """Read what a file must be sent as (its file meta information, PS3.10 section 7.1); raises Refused."""
    try:
        meta = read_file_meta_info(path)
        return File(path, meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID)
    except InvalidDicomError as error:
        raise Refused("This is not a DICOM file.") from error
    except AttributeError as error:
        raise Refused("Its header does not say what it is; export it again as a DICOM file.") from error
    except OSError as error:
        raise Refused(f"It cannot be read ({error.strerror}).") from error


def _associate(contexts: Iterable[tuple[UID, UID]], peer: Peer, calling: str) -> Association:
    entity = AE(calling)
    entity.connection_timeout = 10
    for sop_class, transfer_syntax in contexts:
        entity.add_requested_context(sop_class, transfer_syntax)
    try:
        association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, evt_handlers=[*PROMPTLY])
    except OSError as error:
        raise Unavailable(f"Nobody knows where {peer.host} is ({error.strerror}); correct --to.") from error
    if not association.is_established:
        raise _no_association(association, peer, calling)
    return association


def _no_association(association: Association, peer: Peer, calling: str) -> Unavailable | Refused:
    answer = answer_of(association)
    if answer is None:
        return Unavailable(f"Nobody takes associations at {peer.host}:{peer.port}; start it, or correct --to.")
    if answer.result == ACCEPTED and takes_nothing(answer):
        return Refused(f"{peer} takes none of these files (their kind, or how they are compressed); convert them.")
    if answer.result == ACCEPTED:
        return Unavailable(f"{peer} accepted the association and broke it off; send again.")
    found = (answer.result, answer.result_source, answer.diagnostic)
    if found == _CALLING_UNKNOWN:
        return Refused(
            f"{peer} does not know {calling}. Use --from with a title that it allows, or allow this one there; for "
            f'scintiflow write to scintiflow.toml:\n\n[[allow]]\nae_title = "{calling}"'
        )
    if found == _CALLED_UNKNOWN:
        return Refused(f"{peer.host}:{peer.port} is not called {peer.ae_title}; correct --to.")
    if answer.result == REJECTED_TRANSIENT:
        return Unavailable(f"{peer} is busy ({answer.reason_str}); send again later.")
    return Refused(f"{peer} rejects the association ({answer.reason_str}); look into its log.")


def _store(association: Association, file: File) -> str | None:
    """Send one file; return what to do where it failed."""
    if not association.is_established:
        return "The association broke before its turn; send it again."
    try:
        status = c_store(association, file.path).get("Status")
    except ValueError:
        return f"The receiver takes no {file.sop_class.name} in {file.transfer_syntax.name}; convert it, or ask there."
    except (OSError, RuntimeError) as error:
        return f"It was not sent ({error}); send it again."
    return "No answer came; send it again." if status is None else _advice(status)


def _advice(status: int) -> str | None:
    """Return what to do about a C-STORE status (PS3.4 table B.2-1); None for success and warnings."""
    if status == 0x0000 or status & 0xF000 == 0xB000:
        return None
    if status & 0xFF00 == 0xA700:
        meaning = "the receiver is out of room or has too much to do; send it again later"
    elif status & 0xFF00 == 0xA900:
        meaning = "its header contradicts itself; export it again where it was made"
    elif status & 0xF000 == 0xC000:
        meaning = "the receiver cannot understand it; see the receiver's log, and export it again"
    else:
        meaning = "the receiver failed; see its log"
    return f"Refused with status {status:04X}: {meaning}."
