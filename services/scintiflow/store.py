"""Durable, write-once bytes under DATA: when a call returns, its bytes survive a power cut.

Objects are named by their content, results and markers by the line that makes them; nothing is ever
overwritten, so two processes that do the same work agree without talking to each other.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

from scintiflow.errors import Refused, Unavailable

_FOLDER = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_DRAFT = "draft-"


@dataclass(frozen=True)
class Store:
    """The folder DATA; every process of an installation opens the same one."""

    data: Path

    @cached_property
    def salt(self) -> bytes:
        """What makes the references of studies in logs and traces this installation's own; drawn once for all.

        Where the disk does not keep it, a process draws one for itself: what it says then is its own until it restarts.
        """
        path, drawn = self.data / "salt", secrets.token_bytes(32)
        try:
            if not path.exists():
                self.put_once(path, drawn)
            return path.read_bytes()
        except (Unavailable, OSError):
            return drawn

    def study(self, folder: str) -> Path:
        """Return where the study with this folder name lives, whether or not it exists.

        Raises:
            Refused: `folder` is not 32 hexadecimal digits, so it may point anywhere.
        """
        if not _FOLDER.fullmatch(folder):
            raise Refused("A study folder is named by 32 hexadecimal digits; list them with `scintiflow studies`.")
        return self.data / "studies" / folder

    def studies(self) -> Iterator[str]:
        """Yield the folder names of all studies on disk, in no order."""
        studies = self.data / "studies"
        if studies.is_dir():
            yield from (entry.name for entry in os.scandir(studies) if _FOLDER.fullmatch(entry.name))

    def put_object(self, part: Path, folder: str, digest: str) -> bool:
        """Move the finished file `part` to its place as an object of a study; False if its bytes were there already.

        `digest` is the SHA-256 of the bytes in hex. Either way `part` is gone and the object is durable.

        Raises:
            Unavailable: the disk did not take it, or the study is `closed`; `part` is the caller's to remove.
        """
        if not _DIGEST.fullmatch(digest):
            raise Refused("An object is named by the 64 hexadecimal digits of its SHA-256.")
        objects = self.study(folder) / "objects"
        target = objects / f"{digest}.dcm"
        with _disk_trouble():
            objects.parent.mkdir(parents=True, exist_ok=True)
            objects.mkdir(exist_ok=True)
            with _opened(objects) as handle:
                hold(handle, fcntl.LOCK_SH, "The study is being removed; try again.")
                new = not target.exists()
                if not new:
                    os.utime(part, (time.time(), target.stat().st_mtime))  # it came when it first came
                _sync(part)
                part.rename(target)  # over an equal file at worst: the name is the content
                os.fsync(handle)
                self._sync_folders(objects.parent)
                if not os.path.samestat(os.fstat(handle), objects.stat()):
                    raise Unavailable("The study was removed in the meantime; try again.")
        return new

    @contextmanager
    def closed(self, folder: str) -> Iterator[None]:
        """Let nobody put an object into a study while the block runs, so that it can be looked at and then removed.

        Raises:
            Unavailable: somebody does so now, perhaps a process that is stopped.
        """
        with _disk_trouble(), _opened(self.study(folder) / "objects") as handle:
            hold(handle, fcntl.LOCK_EX, "An object of the study is being stored; try again.")
            yield

    def put_once(self, path: Path, data: bytes) -> bool:
        """Write `data` to `path` (inside DATA) unless something is there; tell whether this call wrote it.

        The first one written wins, whoever else tries, in whatever process; nobody ever sees half of it.

        Raises:
            Unavailable: the disk did not take it.
        """
        with _disk_trouble(), self._draft(data) as draft:
            try:
                _link(draft, path)
            except FileExistsError:
                return False
            finally:
                self._sync_folders(path.parent)  # the other writer may not have come this far yet
        return True

    def require_room(self) -> None:
        """Prove that a small file can be kept now, by keeping one for a moment.

        Raises:
            Unavailable: the disk did not take it.
        """
        with _disk_trouble(), self._draft(bytes(4096)):
            pass

    @contextmanager
    def _draft(self, data: bytes) -> Iterator[Path]:
        """Keep `data`, synced, in a file under incoming/ that is locked as a lent folder is; it goes with the block."""
        path = self.data / "incoming" / f"{_DRAFT}{uuid.uuid4().hex}"
        with self._sweeping():
            handle = _lock(path)
        try:
            _write(handle, data)
            os.fsync(handle)
            yield path
        finally:
            with suppress(OSError):  # else a sweep takes it
                path.unlink(missing_ok=True)
            os.close(handle)

    def append_line(self, path: Path, line: bytes) -> None:
        """Append one line (without its line feed) to `path`, whole or, if we crash, as a torn last line.

        The next append starts on a new line, so a torn one spoils only itself: readers skip lines that do not parse.

        Raises:
            Unavailable: the disk did not take it.
        """
        with _disk_trouble():
            with _locked(path, os.O_RDWR | os.O_APPEND) as handle:
                size = os.fstat(handle).st_size
                torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
                entry = b"\n" * torn + line + b"\n"
                if os.write(handle, entry) != len(entry):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(handle)
            if size == 0:
                self._sync_folders(path.parent)

    @contextmanager
    def incoming(self, owner: str) -> Iterator[Path]:
        """Lend the private folder incoming/<owner>/ for temporary files; it goes when the block ends.

        Its lock is held meanwhile, also by a process that is stuck, and falls free however the process dies.
        """
        folder = self.data / "incoming" / owner
        with self._sweeping():
            folder.mkdir(parents=True)
            lock = _lock(folder / "lock")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    @contextmanager
    def claimed(self, path: Path) -> Iterator[bool]:
        """Tell whether the file `path` (made if need be) is ours alone while the block runs; never wait for it.

        A process gives its claim back however it dies.

        Raises:
            Unavailable: the folder is gone, or the disk failed.
        """
        with _disk_trouble():
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with _disk_trouble():
                ours = _is_ours(handle, fcntl.LOCK_EX)
            yield ours
        finally:
            os.close(handle)

    def sweep_incoming(self) -> int:
        """Remove what dead owners left under incoming/, and only that; return how many folders and files went."""
        with self._sweeping():
            return sum(_removed_if_free(entry) for entry in list((self.data / "incoming").iterdir()))

    def free_bytes(self) -> int:
        """Return how many bytes the disk under DATA can still take."""
        with _disk_trouble():
            return shutil.disk_usage(self.data).free

    @contextmanager
    def _sweeping(self) -> Iterator[None]:
        """Keep a sweep from meeting a folder whose owner has not locked it yet."""
        with _locked(self.data / "incoming" / "lock"):
            yield

    def _sync_folders(self, folder: Path) -> None:
        """Make the entries of `folder` durable, and those of the folders above it, up to DATA.

        Also if they were there: whoever made them may not have come to syncing them yet. What all studies have in
        common is synced once for all who wait for it, and above that once for ever.
        """
        for level in chain((folder,), folder.parents):
            if level == self.data / "studies":
                _shared_sync(level).join()
                _sync_once(self.data)
                return
            _sync(level)
            if level == self.data:
                return


class SharedSync:
    """Work that many want done, done once for all who wait: each call is served by a run that began after it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._running = threading.Lock()
        self._gate = threading.Lock()
        self._next: Future[None] | None = None

    def join(self) -> None:
        """Return when a run that began after this call is over; raise what it raised."""
        with self._gate:
            first, self._next = self._next is None, self._next or Future()
            run = self._next
        if first:
            with self._running:
                with self._gate:
                    self._next = None  # whoever comes from now on waits for the next run
                try:
                    run.set_result(self._work())
                except BaseException as error:
                    run.set_exception(error)
        run.result()


def hold(handle: int, operation: int, otherwise: str) -> None:
    """Hold an open file or folder by flock until it is closed, without waiting for whoever has it.

    Raises:
        Unavailable: somebody has it, perhaps for ever, as a process that is stopped; `otherwise` says so.
    """
    if not _is_ours(handle, operation):
        raise Unavailable(otherwise)


@cache
def _shared_sync(folder: Path) -> SharedSync:
    return SharedSync(lambda: _sync(folder))


@cache
def _sync_once(folder: Path) -> None:
    _sync(folder)


@contextmanager
def _disk_trouble() -> Iterator[None]:
    """Say in the project's own words that the disk refused."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(f"The disk under DATA failed ({reason}); make room or repair it.") from error


def _write(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]


def _link(there: Path, path: Path) -> None:
    """Give a file one more name, in a folder that is made if need be."""
    try:
        path.hardlink_to(there)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(there)


def _sync(path: Path) -> None:
    with _opened(path) as handle:
        os.fsync(handle)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    handle = os.open(path, os.O_RDONLY)
    try:
        yield handle
    finally:
        os.close(handle)


def _lock(path: Path, flags: int = os.O_RDWR) -> int:
    """Open `path`, making it if need be, and hold it by flock until the returned descriptor is closed."""
    try:
        handle = os.open(path, flags | os.O_CREAT, 0o666)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, flags | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        os.close(handle)
        raise
    return handle


@contextmanager
def _locked(path: Path, flags: int = os.O_RDWR) -> Iterator[int]:
    handle = _lock(path, flags)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_ours(handle: int, operation: int) -> bool:
    """Hold an open file by flock until it is closed, unless somebody has it; tell whether we do."""
    try:
        fcntl.flock(handle, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _removed_if_free(entry: Path) -> bool:
    """Remove a folder, or a draft, whose owner lives no more; tell whether that was so."""
    folder = entry.is_dir()
    if not folder and not entry.name.startswith(_DRAFT):
        return False
    try:
        lock = os.open(entry / "lock", os.O_RDWR | os.O_CREAT, 0o666) if folder else os.open(entry, os.O_RDWR)
    except FileNotFoundError:  # its owner was faster
        return False
    try:
        if not _is_ours(lock, fcntl.LOCK_EX):
            return False
        if folder:
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
        return True
    finally:
        os.close(lock)
