"""The classifier as Triton's own client meets it."""

from collections.abc import Iterator
from functools import partial

import httpx
import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.graphs import Floats, answer, bright_graph, model_folder, scans
from tests.services import SECONDS_TO_START, is_ready, metric, service
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A classifier with one model."""
    models = tmp_path_factory.mktemp("triton") / "models"
    model_folder(models, "bright")
    with service("classifier", models) as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        yield client


@pytest.fixture(scope="module")
def triton(client: httpx.Client) -> Iterator[InferenceServerClient]:
    """Triton's client of that classifier."""
    with InferenceServerClient(f"{client.base_url.host}:{client.base_url.port}") as triton:
        yield triton


def inputs(canvas: Floats, present: Floats, *, binary: bool) -> list[InferInput]:
    """Put scans into the client's words."""
    tensors = []
    for name, values in (("canvas", canvas), ("present", present)):
        tensor = InferInput(name, list(values.shape), "FP32")
        tensor.set_data_from_numpy(values, binary_data=binary)
        tensors.append(tensor)
    return tensors


def test_it_finds_the_server_and_its_model(triton: InferenceServerClient) -> None:
    """Health, index, metadata and readiness are as the client expects them."""
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("bright")
    assert triton.is_model_ready("bright", "0.1.0")
    assert "schedule_policy" in triton.get_server_metadata()["extensions"]
    assert [tensor["name"] for tensor in triton.get_model_metadata("bright")["inputs"]] == ["canvas", "present"]
    assert [model["state"] for model in triton.get_model_repository_index()] == ["READY"]


@pytest.mark.parametrize("binary", [True, False])
def test_it_is_answered_for_several_scans_at_once(triton: InferenceServerClient, binary: bool) -> None:
    """Three scans in one request, in binary and in JSON, are answered with what the graph computes."""
    canvas, present = scans(3, seed=7)
    wanted = [InferRequestedOutput(name, binary_data=binary) for name in ("probability", "map")]
    said = triton.infer("bright", inputs(canvas, present, binary=binary), outputs=wanted, request_id="three")
    expected = answer(bright_graph().SerializeToString(), canvas, present)
    assert said.get_response()["id"] == "three"
    for name in ("probability", "map"):
        np.testing.assert_allclose(said.as_numpy(name), expected[name], atol=0.01)
    assert said.as_numpy("logit") is None


def test_bulk_waits_in_a_lane_of_its_own(triton: InferenceServerClient, client: httpx.Client) -> None:
    """The lower priority with time to spare gets the same answer, out of the lane that lets others go first."""
    canvas, present = scans(1, seed=8)
    asked = inputs(canvas, present, binary=True)
    waited = partial(metric, client, "scintiflow_classifier_queue_seconds_count", model="bright")
    before = waited(lane="interactive")
    urgent = triton.infer("bright", asked)
    assert waited(lane="interactive") == before + 1
    bulk = triton.infer("bright", asked, priority=2, timeout=20_000_000)
    assert (waited(lane="interactive"), waited(lane="bulk")) == (before + 1, 1)
    np.testing.assert_array_equal(urgent.as_numpy("map"), bulk.as_numpy("map"))


def test_no_time_is_told_with_a_sentence(triton: InferenceServerClient) -> None:
    """A timeout that no engine can keep is answered with 503, and what to do."""
    with pytest.raises(InferenceServerException, match="no answer within") as caught:
        triton.infer("bright", inputs(*scans(1), binary=True), timeout=1)
    assert caught.value.status() == "503"


def test_a_fault_is_told_with_a_sentence(triton: InferenceServerClient) -> None:
    """A priority that there is not is refused with the place of the fault."""
    with pytest.raises(InferenceServerException, match=r"parameters\.priority"):
        triton.infer("bright", inputs(*scans(1), binary=True), priority=9)
