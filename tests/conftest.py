"""What every test may ask for."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example of a property takes says how busy the machine is, not whether the property holds.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# A shell lets what it runs in the background ignore Ctrl-C, and so would every program that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def peer() -> Callable[[str], str]:
    """Return what finds a peer program: `peer("/usr/bin/dciodvfy")` gives its path, or skips and says why.

    Where SCINTIFLOW_REQUIRE_PEERS=1, as in continuous integration, a missing program fails the test instead.
    """

    def find(path: str) -> str:
        if not Path(path).exists():
            reason = f"{path} is not installed; README.md names the package."
            if os.environ.get("SCINTIFLOW_REQUIRE_PEERS") == "1":
                pytest.fail(reason)
            pytest.skip(reason)
        return path

    return find
