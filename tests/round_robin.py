"""A TCP proxy that gives each connection to the next of several servers that takes it, as a headless Service does."""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from itertools import cycle

_PIECE = 1 << 16


class RoundRobin:
    """Listens on `port` of 127.0.0.1 for as long as its block runs; who is not there is passed over."""

    def __init__(self, targets: Sequence[int]) -> None:
        self.served: Counter[int] = Counter()
        """Connections that each target took."""
        self._targets = targets
        self._turns = cycle(targets)

    def __enter__(self) -> "RoundRobin":
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="round robin")
        self._thread.start()
        starting = asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_PIECE)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(30)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for target in (next(self._turns) for _ in self._targets):
            try:
                answers, questions = await asyncio.open_connection("127.0.0.1", target, limit=_PIECE)
            except OSError:
                continue
            self.served[target] += 1
            await asyncio.gather(_pass(reader, questions), _pass(answers, writer), return_exceptions=True)
            return
        writer.transport.abort()


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(_PIECE):
            sink.write(piece)
            await sink.drain()
        sink.close()
    except OSError:
        sink.transport.abort()
