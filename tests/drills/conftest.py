"""Options of the crash drill."""

import random

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `make drill` passes on."""
    drill = parser.getgroup("crash drill")
    drill.addoption("--kills", type=int, default=50, help="kills in all")
    drill.addoption("--stacks", type=int, default=2, help="installations that are drilled side by side")
    drill.addoption(
        "--seed", type=int, default=random.randrange(10**6), help="of faults and studies, to repeat a drill"
    )
