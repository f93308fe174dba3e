"""The overlays, rendered."""

import pytest

from tests.manifests import OVERLAYS, TRACED, Overlay, find_kubectl, render


@pytest.fixture(params=(*OVERLAYS, TRACED))
def overlay(request: pytest.FixtureRequest, kubectl: str) -> Overlay:
    """Each overlay in turn."""
    return render(request.param, kubectl)


@pytest.fixture
def kubectl() -> str:
    """Nothing else here renders what would be applied."""
    return find_kubectl()
