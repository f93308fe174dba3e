"""The overlays, rendered."""

import shutil

import pytest

from tests.manifests import OVERLAYS, Overlay, render


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Overlay:
    """Each overlay in turn; without kubectl, which Debian has too old a one of, nothing can be said of them."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed (1.27 or later), and nothing else here renders what it would apply.")
    return render(request.param, kubectl)
