"""`scintiflow synthesize`: labelled synthetic scans from the synthesizer, unpacked into a folder."""

import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scintiflow.cli.deployment import OffsetOption, deployment
from scintiflow.errors import Failed, Refused, ScintiflowError, Unavailable

_AT_ONCE = 64
_PATIENCE_SECONDS = 120.0
"""How long a service that went away may take to come back."""
_LOOK_SECONDS = 0.5
_LONGEST_ANSWER_SECONDS = 180.0
_LATER = frozenset({429, 503})
_REFUSED = frozenset({404, 409, 413, 415, 422, 507})
_INTERRUPTED = 130
_DOING = "synthetic scans"

T = TypeVar("T")


def synthesize(
    label: Annotated[str, typer.Option(help="normal, bone_metastases, cardiac_uptake or both.")],
    count: Annotated[int, typer.Option(min=1, help="How many scans.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder for scans and labels.")],
    seed: Annotated[
        int | None, typer.Option(help="The same one makes the same scans again.", show_default="drawn, and told")
    ] = None,
    load: Annotated[
        float | None, typer.Option(help="Bone scan index in percent, with metastases.", show_default="drawn for each")
    ] = None,
    perugini: Annotated[
        int | None, typer.Option(help="Grade of cardiac uptake, 0 to 3.", show_default="drawn for each")
    ] = None,
    tracer: Annotated[str | None, typer.Option(help="As the generator has learnt it.", show_default="open")] = None,
    scanner: Annotated[str | None, typer.Option(help="The same.", show_default="open")] = None,
    sex: Annotated[str | None, typer.Option(help="F or M.", show_default="open")] = None,
    counts: Annotated[int | None, typer.Option(help="Mean counts of a view.", show_default="as usual")] = None,
    format: Annotated[str, typer.Option(help="dicom, npz or png.")] = "dicom",
    port_offset: OffsetOption = None,
) -> None:
    """Make labelled synthetic scans, any number; a service that restarts meanwhile is waited for.

    Few come at once. More are a batch at the synthesizer: Ctrl-C says how to fetch it later, or to cancel it.
    """
    given = {"seed": seed, "load": load, "perugini": perugini, "tracer": tracer, "scanner": scanner, "sex": sex}
    wanted = {"label": label, "count": count, "counts": counts, "format": format, **given}
    asked = {name: value for name, value in wanted.items() if value is not None}
    _require_empty(out)
    url = f"http://127.0.0.1:{deployment(port_offset=port_offset).port('synthesizer')}"
    out.parent.mkdir(parents=True, exist_ok=True)
    with (
        httpx.Client(base_url=url, timeout=_LONGEST_ANSWER_SECONDS) as synthesizer,
        tempfile.TemporaryFile(dir=out.parent) as archive,
        _bar(count) as bar,
    ):
        if count <= _AT_ONCE:
            archive.write(_answer(synthesizer, "POST", "/v1/generate", json=asked).content)
        else:
            _fetch_batch(synthesizer, asked, archive, bar)
        with zipfile.ZipFile(archive) as scans:
            scans.extractall(out)
            used = json.loads(scans.read("labels.json"))[0]["seed"]
    Console(stderr=True, highlight=False).print(
        f"{count} scans of seed {used}, and their labels: {out}", soft_wrap=True
    )


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(
            f"{folder} is not empty, and labels.csv is to name every scan there; name another folder with --out."
        )


@contextmanager
def _bar(count: int) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        progress.add_task(_DOING, total=count)
        yield progress


def _fetch_batch(synthesizer: httpx.Client, asked: dict[str, Any], archive: IO[bytes], bar: Progress) -> None:
    """Have a batch made, wait for it, write its archive to `archive`, and let it be removed."""
    batch = _answer(synthesizer, "POST", "/v1/batches", json=asked).headers["Location"]
    with _told_how_to_go_on(f"{str(synthesizer.base_url).rstrip('/')}{batch}", bar):
        while (found := _patiently(lambda: _answer(synthesizer, "GET", batch).json()))["state"] != "done":
            if found["state"] == "failed":
                raise Failed(f"The batch failed. {found['reason']}")
            bar.update(bar.task_ids[0], completed=found["done"], description=found["reason"] or _DOING)
            time.sleep(_LOOK_SECONDS)
        bar.update(bar.task_ids[0], completed=found["done"], description="fetching them")
        _patiently(lambda: _download(synthesizer, found["archive"], archive))
    _answer(synthesizer, "DELETE", batch)


@contextmanager
def _told_how_to_go_on(batch: str, bar: Progress) -> Iterator[None]:
    """Say how to fetch or cancel the batch when the block is left early; Ctrl-C then ends the command."""
    try:
        yield
    except (KeyboardInterrupt, ScintiflowError) as error:
        bar.stop()
        Console(stderr=True, highlight=False).print(
            "The batch is kept at the synthesizer, and goes on there if it can.\n"
            f"Look:      curl {batch}\n"
            f"Fetch it:  curl -o scans.zip {batch}/archive\n"
            f"Cancel it: curl -X DELETE {batch}",
            soft_wrap=True,
        )
        if isinstance(error, KeyboardInterrupt):
            raise typer.Exit(_INTERRUPTED) from error
        raise


def _patiently(call: Callable[[], T]) -> T:
    """Call until the service is there, or has been away for too long."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return call()
        except Unavailable:
            if time.monotonic() > until:
                raise
            time.sleep(_LOOK_SECONDS)


def _download(synthesizer: httpx.Client, path: str, archive: IO[bytes]) -> None:
    """Write an archive to an empty file; raises Unavailable where it breaks off."""
    archive.seek(0)
    archive.truncate()
    try:
        with synthesizer.stream("GET", path) as answer:
            answer.raise_for_status()
            for piece in answer.iter_bytes():
                archive.write(piece)
    except httpx.HTTPError as error:
        raise Unavailable("The synthesizer broke off while it sent the archive.") from error


def _answer(synthesizer: httpx.Client, method: str, path: str, **body: Any) -> httpx.Response:
    """Ask the synthesizer.

    Raises:
        Unavailable: it does not answer, or puts us off.
        Refused: it says what is wrong with the request.
        Failed: it says that something went wrong there.
    """
    try:
        answer = synthesizer.request(method, path, **body)
    except httpx.HTTPError as error:
        raise Unavailable(
            f"Nothing answers at {synthesizer.base_url}; start it with `scintiflow up`, where there is a generator"
            " among the models."
        ) from error
    if answer.is_success:
        return answer
    kind = Refused if answer.status_code in _REFUSED else Unavailable if answer.status_code in _LATER else Failed
    raise kind(_said(answer))


def _said(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.url} answers with HTTP {answer.status_code}; another program may have taken the port."
