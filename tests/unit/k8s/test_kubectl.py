"""What is not proven for want of kubectl is said aloud."""

import pytest

from tests.manifests import find_kubectl


@pytest.mark.parametrize(
    ("required", "without", "outcome"),
    [("", "", pytest.skip), ("1", "", pytest.fail), ("1", "1", pytest.skip)],
)
def test_a_missing_kubectl_fails_where_all_is_required(
    monkeypatch: pytest.MonkeyPatch, required: str, without: str, outcome: type
) -> None:
    """Where peers are required a test that needs kubectl fails without it, unless somebody said that it is missing."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SCINTIFLOW_REQUIRE_PEERS", required)
    monkeypatch.setenv("SCINTIFLOW_WITHOUT_KUBECTL", without)
    with pytest.raises(outcome.Exception, match="nothing is proven"):
        find_kubectl()
