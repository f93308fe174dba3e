"""Imported by every Python process of an installation under drill, because PYTHONPATH begins with this folder.

It wraps the calls of the named points. A point is armed by a file; the process that renames it away first is the one
that dies, by kill -9 of itself. Where the file says "cut", what the process wrote and did not sync is taken back
first, as a power cut may. Nothing of this is in the product.
"""

import faulthandler
import functools
import importlib.abc
import importlib.machinery
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from named_points import POINTS, Point

_PROGRAMS = {
    "scintiflow.receiver.listener": "listener",
    "scintiflow.keeper": "keeper",
    "scintiflow.router": "router",
    "scintiflow.sender": "sender",
    "scintiflow.decode.child": "decoder",
}
_rename, _fsync, _write, _link, _mkdir = os.rename, os.fsync, os.write, os.link, os.mkdir


class Unsynced:
    """What this process has done under a folder and a power cut may undo."""

    def __init__(self, folder: str) -> None:
        self._folder = folder + "/"
        self._lock = threading.RLock()
        self._files: dict[str, int] = {}
        """Path -> length that is durable."""
        self._entries: dict[str, list[str]] = {}
        """Folder -> new names in it."""

    def opened(self, path: object, flags: object) -> None:
        """A file was (or will be) made or emptied."""
        if isinstance(path, str | bytes | os.PathLike) and isinstance(flags, int) and flags & (os.O_TRUNC | os.O_EXCL):
            name = os.fsdecode(path)
            if name.startswith(self._folder):
                with self._lock:
                    self._files[name] = 0

    def written(self, descriptor: int) -> None:
        """Bytes will be appended to a file."""
        name = path_of(descriptor)
        if name.startswith(self._folder):
            with self._lock:
                self._files.setdefault(name, os.fstat(descriptor).st_size)

    def named(self, source: str, target: str) -> None:
        """A name appeared: by rename, link or mkdir."""
        if target.startswith(self._folder):
            with self._lock:
                self._entries.setdefault(os.path.dirname(target), []).append(target)
                if source in self._files:
                    self._files[target] = self._files[source]

    def sync(self, descriptor: int, call: Callable[[int], None]) -> None:
        """Make a file or a folder durable."""
        name = path_of(descriptor)
        with self._lock:
            durable = list(self._entries.get(name, ()))
        call(descriptor)
        with self._lock:  # held by a cut: then nobody ever learns that this sync came to its end
            self._files.pop(name, None)
            self._entries[name] = [entry for entry in self._entries.get(name, ()) if entry not in durable]

    def doubt(self, path: str) -> str | None:
        """Return why a power cut now may take `path`, or None."""
        with self._lock:
            if not os.path.exists(path):
                return "is not there"
            if path in self._files:
                return "is not synced"
            names = [path, *map(str, Path(path).parents)]
            unsynced = any(name in self._entries.get(os.path.dirname(name), ()) for name in names)
            return "has a folder that is not synced" if unsynced else None

    def cut(self) -> None:
        """Take back what is not durable; afterwards no other thread gets anything synced."""
        self._lock.acquire()
        for name, length in self._files.items():
            if os.path.exists(name):
                os.truncate(name, length)
        for names in self._entries.values():
            for name in reversed(names):
                try:
                    os.rmdir(name) if os.path.isdir(name) else os.unlink(name)
                except OSError:
                    pass


class Sabotage:
    """The armed points of this process, and the witness of what it tells others."""

    def __init__(self, folder: str, data: str, role: str) -> None:
        self._folder = folder
        self._data = data
        self.unsynced = Unsynced(data)
        self.points: dict[tuple[str, str], list[Point]] = {}
        for point in POINTS:
            if point.role == role:
                self.points.setdefault((point.where, point.when), []).append(point)

    def reached(self, where: str, when: str, about: str) -> None:
        """Die here, if a point that fits is armed."""
        for point in self.points.get((where, when), ()):
            if point.holds in about and (order := self._claim(point)) is not None:
                time.sleep(point.linger)
                if order == "cut":
                    self.unsynced.cut()
                os.kill(os.getpid(), signal.SIGKILL)

    def _claim(self, point: Point) -> str | None:
        fired = f"{self._folder}/fired/{point.name}"
        try:
            _rename(f"{self._folder}/armed/{point.name}", fired)
        except OSError:
            return None
        with open(fired) as order:
            return order.read()

    def witness(self, told: str, path: str) -> None:
        """Complain if others are told of a file that a crash can still take away."""
        if doubt := self.unsynced.doubt(path):
            line = f"{told}: {path.removeprefix(self._data)} {doubt}\n"
            handle = os.open(f"{self._folder}/witness", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            _write(handle, line.encode())
            os.close(handle)

    def check_object(self, folder: str, digest: str) -> None:
        """Check that what is answered 0000 next is durable."""
        self.witness("the modality is told", f"{self._data}/studies/{folder}/objects/{digest}.dcm")

    def check_publication(self, name: str, key: str, body: bytes) -> None:
        """Check that what an event or a piece of work speaks of is durable."""
        if key.startswith("stored:"):
            from scintiflow.contracts.v1.study_pb2 import Arrival

            stored = Arrival.FromString(body).stored
            self.witness("the keeper is told", f"{self._data}/studies/{stored.study}/objects/{stored.digest}.dcm")
        elif name.startswith("results:"):
            from scintiflow.contracts.v1.finding_pb2 import ResultReady

            ready = ResultReady.FromString(body)
            for result in ready.results:
                self.witness("the sender is told", f"{self._data}/studies/{ready.study}/results/{result.name}.dcm")


def path_of(descriptor: int) -> str:
    """Return the path that a descriptor was opened by."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


def about(arguments: Sequence[object]) -> str:
    """Return the words and paths among the arguments of a call, and the names of the objects."""
    words = (item if isinstance(item, str | os.PathLike) else getattr(item, "name", None) for item in arguments)
    return " ".join(os.fspath(word) for word in words if isinstance(word, str | os.PathLike))


def wrapped(sabotage: Sabotage, where: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a point before and a point after it."""

    @functools.wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        told = about(arguments)
        if where == "scintiflow.stream:Stream.publish":
            sabotage.check_publication(arguments[0].name, arguments[1], arguments[2])
        if where == "scintiflow.stream:Stream.publish_all":
            told = " ".join(key for key, *_ in arguments[1])
            for key, body, *_ in arguments[1]:
                sabotage.check_publication(arguments[0].name, key, body)
        sabotage.reached(where, "before", told)
        result = function(*arguments, **named)
        if where == "scintiflow.store:Store.put_object":
            sabotage.check_object(*arguments[2:])
        sabotage.reached(where, "after", told)
        return result

    return call


class Wrapping(importlib.abc.MetaPathFinder):
    """Wraps functions of a module right after it was executed, before anybody can import them from it."""

    def __init__(self, sabotage: Sabotage, folder: str) -> None:
        self._sabotage = sabotage
        self._folder = folder
        self._wanted: dict[str, set[str]] = {
            "scintiflow.stream": {"Stream.publish", "Stream.publish_all"},
            "scintiflow.store": {"Store.put_object"},
        }
        for where, _ in sabotage.points:
            module, _, name = where.partition(":")
            if name:
                self._wanted.setdefault(module, set()).add(name)

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Find the module as usual, and wrap when it is loaded."""
        if name not in self._wanted:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_wrap(module: ModuleType) -> None:
                execute(module)
                self._wrap(module, self._wanted[name])

            spec.loader.exec_module = execute_and_wrap  # type: ignore[method-assign]
        return spec

    def _wrap(self, module: ModuleType, names: set[str]) -> None:
        for name in names:
            *owners, last = name.split(".")
            holder = functools.reduce(lambda found, owner: getattr(found, owner, None), owners, module)
            where = f"{module.__name__}:{name}"
            if (function := getattr(holder, last, None)) is None:
                os.close(os.open(f"{self._folder}/missing/{where}", os.O_CREAT | os.O_WRONLY, 0o600))
            else:
                setattr(holder, last, wrapped(self._sabotage, where, function))


def target(path: Any, folder: int | None) -> str:
    """Return an absolute path."""
    return (
        os.path.join(path_of(folder), os.fsdecode(path)) if folder is not None else os.path.abspath(os.fsdecode(path))
    )


def watch_the_disk(sabotage: Sabotage) -> None:
    """Put points around the calls that make things durable, and keep account of what is not yet."""
    unsynced, reached = sabotage.unsynced, sabotage.reached

    def syncing(call: Callable[[int], None]) -> Callable[[Any], None]:
        def fsync(file: Any) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            name = path_of(descriptor)
            reached("os.fsync", "before", name)
            unsynced.sync(descriptor, call)
            reached("os.fsync", "after", name)

        return fsync

    def naming(where: str, call: Callable[..., None]) -> Callable[..., None]:
        def name(source: Any, path: Any, *rest: Any, **named: Any) -> None:
            old, new = target(source, named.get("src_dir_fd")), target(path, named.get("dst_dir_fd"))
            reached(where, "before", new)
            known = os.path.exists(new)
            call(source, path, *rest, **named)
            if not known:
                unsynced.named(old, new)
            reached(where, "after", new)

        return name

    def mkdir(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        _mkdir(path, mode, dir_fd=dir_fd)
        if "/incoming/" not in (name := target(path, dir_fd)):
            unsynced.named("", name)

    def write(descriptor: int, data: Any) -> int:
        unsynced.written(descriptor)
        return _write(descriptor, data)

    os.fsync, os.fdatasync = syncing(os.fsync), syncing(os.fdatasync)
    os.rename, os.replace = naming("os.rename", _rename), naming("os.rename", os.replace)
    os.link, os.mkdir, os.write = naming("os.link", _link), mkdir, write
    sys.addaudithook(lambda event, facts: unsynced.opened(facts[0], facts[2]) if event == "open" else None)


def role() -> str | None:
    """Return which process of the line this is, if it is one that has points."""
    words = sys.orig_argv
    program = words[words.index("-m") + 1] if "-m" in words[:-1] else ""
    return "classifier" if program.startswith("_bentoml_impl.worker") else _PROGRAMS.get(program)


def main() -> None:
    """Wrap what this process has points in."""
    folder, this = os.environ.get("CRASH_DRILL"), role()
    if folder and this:
        sabotage = Sabotage(folder, os.environ["SCINTIFLOW_DATA"], this)
        sys.meta_path.insert(0, Wrapping(sabotage, folder))
        if this not in ("decoder", "classifier"):
            watch_the_disk(sabotage)
            faulthandler.register(signal.SIGUSR1, open(f"{folder}/stacks/{os.getpid()}", "w"))


main()
