"""A small disk of a test's own, that can be filled, made read-only and made well again while processes use it."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest

from tests.waiting import wait_for

_CHUNK = bytes(1 << 16)


@dataclass(frozen=True)
class Disk:
    """A tmpfs in a mount namespace of its own; it goes with the processes inside, whatever happens to the test."""

    holder: int
    path: Path
    """Where processes inside the namespace see it."""
    _takers: list[tuple[threading.Event, threading.Thread]] = field(default_factory=list, repr=False)
    """Who takes what processes give back, and what ends them."""

    @property
    def seen(self) -> Path:
        """Where we see it."""
        return Path(f"/proc/{self.holder}/root{self.path}")

    @property
    def inside(self) -> tuple[str, ...]:
        """What a command begins with to run where the disk is."""
        user = ("--user", "--preserve-credentials") if os.getuid() else ()
        return ("nsenter", "--target", str(self.holder), "--mount", *user, "env", f"--chdir={Path.cwd()}")

    def fill(self) -> None:
        """Take all its room, to the last byte, and what is given back until it is healed."""

        def take() -> None:
            with suppress(OSError), (self.seen / "ballast").open("ab", buffering=0) as ballast:
                while ballast.write(_CHUNK):
                    pass

        self._keep_taking(take)

    def take_inodes(self) -> None:
        """Take all its inodes, and those that are given back until it is healed."""
        crowd, numbers = self.seen / "crowd", count()
        crowd.mkdir()

        def take() -> None:
            with suppress(OSError):
                while True:
                    (crowd / str(next(numbers))).touch()

        self._keep_taking(take)

    def refuse_writes(self) -> None:
        """Make it read-only, for whoever opens something from now on."""
        self._run("mount", "--bind", str(self.path), str(self.path))
        self._run("mount", "-o", "remount,bind,ro", str(self.path))

    def heal(self) -> None:
        """End whatever was done to it."""
        self.leave()
        if os.statvfs(self.seen).f_flag & os.ST_RDONLY:
            self._run("umount", "--lazy", str(self.path))
        for one in (self.seen / "crowd").glob("*"):
            one.unlink()
        with suppress(FileNotFoundError):
            (self.seen / "crowd").rmdir()
        (self.seen / "ballast").unlink(missing_ok=True)

    def leave(self) -> None:
        """Take no more of it."""
        while self._takers:
            left, taker = self._takers.pop()
            left.set()
            taker.join()

    def _keep_taking(self, take: Callable[[], None]) -> None:
        """Take now, and again what a process that was at work just then gives back: a full disk stays full."""
        left = threading.Event()

        def keep() -> None:
            while not left.wait(0.01):
                take()

        take()
        self._takers.append((left, threading.Thread(target=keep, daemon=True)))
        self._takers[-1][1].start()

    def _run(self, *command: str) -> None:
        subprocess.run([*self.inside, *command], check=True, timeout=10)


@contextmanager
def small_disk(path: Path, size: str, inodes: int = 2_000) -> Iterator[Disk]:
    """Mount a disk of `size` (as in mount(8)) over `path`; skip, and say why, where nobody lets us."""
    path.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={size},nr_inodes={inodes},mode=700 tmpfs "$0" && exec sleep infinity'
    user = ("--map-root-user",) if os.getuid() else ()
    with subprocess.Popen(
        ["unshare", "--mount", *user, "sh", "-c", mount, str(path)], stderr=subprocess.PIPE, text=True
    ) as holder:
        disk = Disk(holder.pid, path)
        try:
            wait_for(lambda: holder.poll() is not None or _is_mounted(disk))
            if holder.returncode is not None and holder.stderr is not None:
                pytest.skip(f"No mount namespace here: {holder.stderr.read().strip()}")
            yield disk
        finally:
            disk.leave()
            holder.kill()


def _is_mounted(disk: Disk) -> bool:
    with suppress(OSError):
        return f" {disk.path} tmpfs " in Path(f"/proc/{disk.holder}/mounts").read_text()
    return False
