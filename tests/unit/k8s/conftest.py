"""The overlays, rendered."""

import shutil

import pytest

from tests.manifests import OVERLAYS, TRACED, Overlay, render


@pytest.fixture(params=(*OVERLAYS, TRACED))
def overlay(request: pytest.FixtureRequest, kubectl: str) -> Overlay:
    """Each overlay in turn."""
    return render(request.param, kubectl)


@pytest.fixture
def kubectl() -> str:
    """Without it, which Debian has too old a one of, nothing can be said of overlays."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed (1.27 or later), and nothing else here renders what it would apply.")
    return program
