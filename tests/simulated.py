"""An event loop in which time passes only where everybody waits, so that a test of delays needs none."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

Found = TypeVar("Found")


class _Clock(selectors.DefaultSelector):
    """Goes to the next moment at which anything happens, in place of waiting for it."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everybody waits for ever"
        self.now += max(0.0, timeout)
        return super().select(0)


class Simulated(asyncio.SelectorEventLoop):
    """Whatever is given to a thread takes `seconds` of its time; `called` is when each was."""

    def __init__(self, seconds: float) -> None:
        self._clock = _Clock()
        self._seconds = seconds
        self.called: list[float] = []
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Found], *args: Any
    ) -> asyncio.Future[Found]:
        self.called.append(self.time())

        async def work() -> Found:
            await asyncio.sleep(self._seconds)
            return func(*args)

        return self.create_task(work())


def simulate(loop: Simulated, module: str, scenario: Coroutine[Any, Any, Found]) -> Found:
    """Run a scenario in this loop, whose time is also what `module` takes from `time`."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner(loop_factory=lambda: loop) as runner:
        patch.setattr(f"{module}.time", SimpleNamespace(monotonic=loop.time))
        return runner.run(scenario)
