"""A TCP proxy that fails on purpose: whatever protocol passes through it is the real one.

It stands between us and a real neighbour (a PACS, a classifier). What it does wrong may change at any time and holds
for connections that are open too; `hang_at`, `cut_at`, `reset_at` and `flip_at` count the bytes of one connection.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["asked", "answered"]
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, no time
_PIECE = 4096


@dataclass
class Faults:
    """What goes wrong now; `direction` says in which stream of a connection the bytes of `..._at` are counted."""

    refuse: bool = False
    """Nobody listens."""
    delay: float = 0.0
    """Seconds that each piece of an answer is held back."""
    rate: float | None = None
    """Bytes a second that the neighbour reads, and that it answers."""
    direction: Direction = "answered"
    hang_at: int | None = None
    """Take so many bytes and no more, and keep the connection."""
    cut_at: int | None = None
    """Close both sides politely after so many bytes."""
    reset_at: int | None = None
    """Send a reset after so many bytes."""
    flip_at: int | None = None
    """Turn all bits of one byte over."""


@dataclass
class FaultProxy:
    """Listens on `port` of 127.0.0.1 for as long as its block runs, and passes everything on to `target`."""

    target: int
    faults: Faults = field(default_factory=Faults)
    connections: int = 0
    """How many were taken so far."""
    port: int = 0

    def __enter__(self) -> "FaultProxy":
        self._loop = asyncio.new_event_loop()
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def become(self, **faults: object) -> None:
        """Do exactly these things wrong from now on; without any, heal."""
        self.faults = Faults(**faults)  # type: ignore[arg-type]
        self._run(self._refuse() if self.faults.refuse else self._listen())

    def _run(self, work: Awaitable[None]) -> None:
        asyncio.run_coroutine_threadsafe(_await(work), self._loop).result(30)

    async def _listen(self) -> None:
        if self._server is None:
            listener = socket.socket()
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE)  # slow is slow for the sender too
            listener.bind(("127.0.0.1", self.port))
            self.port = listener.getsockname()[1]
            self._server = await asyncio.start_server(self._connected, sock=listener, limit=_PIECE)

    async def _refuse(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _stop(self) -> None:
        await self._refuse()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            answers, questions = await asyncio.open_connection("127.0.0.1", self.target, limit=_PIECE)
        except OSError:
            return writer.transport.abort()
        self._open.add(questions)
        both = (writer, questions)
        try:
            await asyncio.gather(
                self._pass(reader, questions, "asked", both), self._pass(answers, writer, "answered", both)
            )
        except OSError:
            for side in both:
                side.transport.abort()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        direction: Direction,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        """Pass one direction on, piece by piece, as the faults of the moment have it."""
        passed = 0
        while piece := await source.read(self._piece()):
            await self._slow(direction, len(piece))
            while piece:
                room = self._room(direction, passed)
                part = piece[:room]
                sink.write(self._flipped(part, direction, passed))
                await sink.drain()
                piece, passed = piece[len(part) :], passed + len(part)
                if room == len(part) and self._breaks(both):
                    return
                if not part:
                    await asyncio.sleep(0.02)  # it hangs, until it heals
        sink.close()
        self._open.discard(sink)

    def _piece(self) -> int:
        return _PIECE if self.faults.rate is None else max(1, int(self.faults.rate / 10))

    def _room(self, direction: Direction, passed: int) -> int:
        """Return how many bytes more may pass before something happens."""
        faults = self.faults
        places = [at for at in (faults.hang_at, faults.cut_at, faults.reset_at) if at is not None]
        return max(0, min(places) - passed) if places and direction == faults.direction else _PIECE + 1

    async def _slow(self, direction: Direction, size: int) -> None:
        if direction == "answered" and self.faults.delay:
            await asyncio.sleep(self.faults.delay)
        if self.faults.rate is not None:
            await asyncio.sleep(size / self.faults.rate)

    def _flipped(self, piece: bytes, direction: Direction, passed: int) -> bytes:
        at = self.faults.flip_at
        if at is None or direction != self.faults.direction or not passed <= at < passed + len(piece):
            return piece
        changed = bytearray(piece)
        changed[at - passed] ^= 0xFF
        return bytes(changed)

    def _breaks(self, both: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> bool:
        """End the connection if that is what is to happen here; tell whether it did."""
        faults = self.faults
        for writer in both:
            if faults.reset_at is not None:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                writer.transport.abort()
            elif faults.cut_at is not None:
                writer.close()
        return faults.reset_at is not None or faults.cut_at is not None


async def _await(work: Awaitable[None]) -> None:
    await work
