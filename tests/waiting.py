"""Waiting on a condition, with a bound."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(condition: Callable[[], T], seconds: float = 30, every: float = 0.02) -> T:
    """Return the first true value of `condition()`; fail when there is none within `seconds`.

    The last look comes after the time is over, or a busy machine could keep us from looking at all.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {getattr(condition, '__doc__', None) or condition}")
        time.sleep(every)
    return value
