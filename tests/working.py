"""Work on a queue as a process does, with short waits between retries."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scintiflow.stream import Delivery, Stream, Work, backoff, consume


@contextmanager
def working(
    queue: Stream, handle: Callable[[Delivery], None], park: Callable[[Delivery, str], None], slots: int = 1
) -> Iterator[None]:
    """Handle what is queued, and release what is due as the keeper does, until the block ends."""
    stopped = threading.Event()
    work = Work(queue, handle, park, lambda retries: backoff(retries, first=0.05, cap=0.2))

    def release() -> None:
        while not stopped.wait(0.05):
            queue.release_due()

    threads = [threading.Thread(target=consume, args=(work, "test", slots, stopped)), threading.Thread(target=release)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
