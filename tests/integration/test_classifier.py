"""The classifier as a client meets it: a real server, real bytes over HTTP, real signals."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from pydicom.sr.coding import Code
from pydicom.uid import DeflatedExplicitVRLittleEndian

from scintiflow.dicom.writing import Patient, whole_body_image
from tests.builders import file_bytes, labelled, scan
from tests.graphs import CARDIAC, Floats, answer, bright_graph, model_folder, scans, spoil_golden, undefined_graph
from tests.ports import free_offset, is_free
from tests.services import SECONDS_TO_START, is_gone, is_ready, metric, service
from tests.waiting import wait_for

HEADER_LENGTH = "Inference-Header-Content-Length"


started = partial(service, "classifier")


def settled(client: httpx.Client) -> bool:
    """Tell whether no model is being loaded any more."""
    return all(entry["state"] != "LOADING" for entry in client.post("/v2/repository/index").json())


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A classifier with a model on each engine, one for the heart, and one that divides by zero on dark scans."""
    models = tmp_path_factory.mktemp("models")
    model_folder(models, "bright")
    model_folder(models, "undefined", graph=undefined_graph())
    model_folder(models, "ort", engine="onnxruntime")
    model_folder(models, "heart", asks=CARDIAC)
    with started(models) as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        yield client


def infer(client: httpx.Client, canvas: Floats, present: Floats, model: str = "bright", **extra: Any) -> httpx.Response:
    """Ask in binary."""
    tensors = {"canvas": canvas, "present": present}
    inputs = [
        {"name": name, "shape": values.shape, "datatype": "FP32", "parameters": {"binary_data_size": values.nbytes}}
        for name, values in tensors.items()
    ]
    header = json.dumps({"inputs": inputs, **extra}).encode()
    body = header + b"".join(values.tobytes() for values in tensors.values())
    return client.post(f"/v2/models/{model}/infer", content=body, headers={HEADER_LENGTH: str(len(header))})


def outputs_of(response: httpx.Response) -> dict[str, Floats]:
    """Read JSON and binary outputs alike."""
    assert response.status_code == 200, response.text
    length = int(response.headers.get(HEADER_LENGTH, len(response.content)))
    outputs, at = {}, length
    for output in json.loads(response.content[:length])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size", 0)
        values = np.frombuffer(response.content[at : at + size], "<f4") if size else np.array(output["data"], "<f4")
        outputs[output["name"]] = values.reshape(output["shape"])
        at += size
    assert at == len(response.content)
    return outputs


def dicom_bytes(counts: int = 40, **changes: Any) -> bytes:
    """Make a whole-body bone scan with so many counts in each pixel."""
    arguments: dict[str, Any] = {
        "patient": Patient("Doe^Jane", "4711", datetime(1960, 2, 1).date(), "F"),
        "acquired_at": datetime(2026, 3, 1, 12, 0),
        **changes,
    }
    image = whole_body_image(np.full((2, 256, 128), counts, np.uint16), **arguments)
    file = io.BytesIO()
    image.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_binary_and_json_give_the_same_answer(client: httpx.Client) -> None:
    """One scan, asked in JSON and in binary, is answered with the same numbers, which are those of the graph."""
    canvas, present = scans(1, seed=5)
    asked = {
        "id": "a",
        "inputs": [
            {"name": "canvas", "shape": canvas.shape, "datatype": "FP32", "data": canvas.tolist()},
            {"name": "present", "shape": present.shape, "datatype": "FP32", "data": present.tolist()},
        ],
    }
    plain = client.post("/v2/models/bright/infer", json=asked)
    raw = infer(client, canvas, present, parameters={"binary_data_output": True})
    assert plain.headers["content-type"] == "application/json"
    assert HEADER_LENGTH not in plain.headers
    assert plain.json()["id"] == "a"
    expected = answer(bright_graph().SerializeToString(), canvas, present)
    for name, values in outputs_of(raw).items():
        np.testing.assert_array_equal(values, outputs_of(plain)[name])
        np.testing.assert_allclose(values, expected[name], atol=0.01)


def test_every_answer_says_what_gave_it(client: httpx.Client) -> None:
    """Engine, precision and digest come with each response, and agree with the model's metadata."""
    for model, engine in (("bright", "openvino "), ("ort", "onnxruntime ")):
        said = json.loads(infer(client, *scans(1), model=model).content)
        facts = client.get(f"/v2/models/{model}").json()["parameters"]
        assert said["model_name"] == model
        assert said["model_version"] == "0.1.0"
        assert said["parameters"] == {name: facts[name] for name in ("engine", "precision", "digest")}
        assert facts["engine"].startswith(engine)
        assert facts["precision"] in ("bf16", "f32")


def test_each_output_comes_as_it_was_asked_for(client: httpx.Client) -> None:
    """A map in binary beside a probability in JSON, and nothing else."""
    wanted = [{"name": "map", "parameters": {"binary_data": True}}, {"name": "probability"}]
    response = infer(client, *scans(2), outputs=wanted)
    header = json.loads(response.content[: int(response.headers[HEADER_LENGTH])])
    assert [output["name"] for output in header["outputs"]] == ["map", "probability"]
    assert "data" in header["outputs"][1]
    assert outputs_of(response)["map"].shape == (2, 1, 32, 16)


def test_a_finding_does_not_depend_on_its_neighbours(client: httpx.Client) -> None:
    """A scan alone, among others in one request, and among other requests gives the same bits."""
    canvas, present = scans(5, seed=2)
    alone = [outputs_of(infer(client, canvas[row : row + 1], present[row : row + 1])) for row in range(5)]
    together = outputs_of(infer(client, canvas, present))
    crowd: list[dict[str, Floats]] = [{}] * 5

    def ask(row: int) -> None:
        crowd[row] = outputs_of(infer(client, canvas[row : row + 1], present[row : row + 1]))

    threads = [threading.Thread(target=ask, args=[row]) for row in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for row in range(5):
        for name in ("probability", "logit", "map"):
            np.testing.assert_array_equal(alone[row][name][0], together[name][row])
            np.testing.assert_array_equal(alone[row][name], crowd[row][name])


def test_metadata_describes_the_graph_and_the_question(client: httpx.Client) -> None:
    """A client learns tensors, question, threshold and required views from the model's metadata."""
    said = client.get("/v2/models/bright").json()
    assert said == client.get("/v2/models/bright/versions/0.1.0").json()
    assert said["versions"] == ["0.1.0"]
    assert {one["name"]: (one["datatype"], one["shape"]) for one in said["inputs"]} == {
        "canvas": ("FP32", [-1, 2, 512, 256]),
        "present": ("FP32", [-1, 2]),
    }
    assert [one["name"] for one in said["outputs"]] == ["probability", "logit", "map"]
    facts = said["parameters"]
    assert facts["question"] == {"value": "94222008", "scheme": "SCT", "meaning": "Bony metastasis"}
    assert facts["site"] is None
    assert facts["threshold"] == 0.5
    assert facts["requires"] == ["anterior", "posterior"]
    assert (facts["label"], facts["device"]) == ("bone metastases", "CPU")


def test_health_and_index_agree_once_all_is_ready(client: httpx.Client) -> None:
    """Every way to ask for readiness gives the same answer."""
    assert client.get("/readyz").json() == {"ready": True, "reason": None}
    assert client.get("/livez").status_code == 200
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/bright/ready").json() == {"name": "bright", "ready": True}
    assert client.get("/v2").json()["extensions"] == ["binary_tensor_data", "schedule_policy"]
    index = client.post("/v2/repository/index", json={"ready": True}).json()
    assert [(entry["name"], entry["version"], entry["state"]) for entry in index] == [
        (name, "0.1.0", "READY") for name in ("bright", "heart", "ort", "undefined")
    ]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/nothing/infer", 404),
        ("/v2/models/bright/versions/9/infer", 404),
        ("/v2/models/bright/infer", 400),
        ("/v2/models/bright/versions/0.1.0/infer", 400),
        ("/v2/nowhere", 404),
        ("/", 404),
    ],
)
def test_errors_are_sentences(client: httpx.Client, path: str, status: int) -> None:
    """Whatever is wrong, the answer is JSON with one sentence under `error`."""
    response = client.post(path, content=b'{"inputs": []}')
    assert response.status_code == status
    assert set(response.json()) == {"error"}
    assert response.json()["error"].endswith(".")


def test_a_header_length_that_is_no_number_is_refused(client: httpx.Client) -> None:
    """`Inference-Header-Content-Length: many` is the client's fault, not ours."""
    response = client.post("/v2/models/bright/infer", content=b"{}", headers={HEADER_LENGTH: "many"})
    assert response.status_code == 400


def test_too_large_a_body_is_refused(client: httpx.Client) -> None:
    """A body over the limit is answered with 413, whether its length is announced or only found out."""
    announced = client.post("/v2/models/bright/infer", content=bytes((64 << 20) + 1))
    assert announced.status_code == 413
    found_out = client.post("/classify", content=(bytes(1 << 20) for _ in range(65)))
    assert found_out.status_code == 413
    assert "bytes" in found_out.json()["error"]


def test_a_compressed_body_is_refused(client: httpx.Client) -> None:
    """Content-Encoding is answered with 415, because what it unfolds to is anybody's guess."""
    response = client.post("/classify", content=b"x", headers={"Content-Encoding": "gzip"})
    assert response.status_code == 415


def test_something_that_is_no_number_is_an_error_and_hurts_nobody_else(client: httpx.Client) -> None:
    """A model that divides by zero answers 500 with the reason; the next scan is answered."""
    canvas, present = scans(1)
    broken = infer(client, np.zeros_like(canvas), present, model="undefined")
    assert broken.status_code == 500
    assert "not a number" in broken.json()["error"]
    assert outputs_of(infer(client, canvas, present, model="undefined"))["probability"] == 1


def test_one_file_is_classified(client: httpx.Client) -> None:
    """A DICOM file comes back as views with their evidence, a finding from each model, and the disclaimer."""
    response = client.post("/classify", content=dicom_bytes(), headers={"Content-Type": "application/dicom"})
    assert response.status_code == 200, response.text
    said = response.json()
    assert [(view["view"], view["frame"], view["confidence"]) for view in said["views"]] == [
        ("anterior", 1, "high"),
        ("posterior", 2, "high"),
    ]
    assert said["disclaimer"] == "AI result, not for diagnostic use, research only"
    finding = next(finding for finding in said["findings"] if finding["model"] == "bright")
    assert finding["status"] == "assessed"
    assert finding["probability"] > 0.99
    assert finding["positive"] is True
    assert finding["engine"].startswith("openvino")
    assert finding["label"] == "bone metastases"


def test_a_model_without_its_views_does_not_guess(client: httpx.Client) -> None:
    """One anterior view is assessed by the model that needs no other; the others say which is missing."""
    image = whole_body_image(
        np.full((1, 256, 128), 40, np.uint16),
        patient=Patient("Doe^Jane", "4711", datetime(1960, 2, 1).date(), "F"),
        acquired_at=datetime(2026, 3, 1, 12, 0),
        start_angles=(180.0,),
    )
    file = io.BytesIO()
    image.save_as(file, enforce_file_format=True)
    said = client.post("/classify", content=file.getvalue()).json()
    assert [view["view"] for view in said["views"]] == ["anterior"]
    findings = {finding["model"]: finding for finding in said["findings"]}
    assert findings.pop("heart")["status"] == "assessed"
    for finding in findings.values():
        assert (finding["status"], finding["reason"]) == ("not_assessed", "posterior view missing")
        assert finding["probability"] is None
        assert finding["positive"] is None


def test_pyrophosphate_is_for_the_heart_alone(client: httpx.Client) -> None:
    """A scan with pyrophosphate is assessed by the cardiac model only, as it is when a PACS sends it."""
    image = labelled(scan(), tracer=Code("764821009", "SCT", "Pyrophosphate"))
    said = client.post("/classify", content=file_bytes(image)).json()
    statuses = {finding["model"]: finding["status"] for finding in said["findings"]}
    assert statuses.pop("heart") == "assessed"
    assert set(statuses.values()) == {"not_assessed"}


def test_a_file_that_is_not_for_us_is_refused_with_the_reason(client: httpx.Client) -> None:
    """Noise, a deflated file and a scan without counts answer 422 and a sentence without the patient's name."""
    deflated = io.BytesIO()
    image = whole_body_image(
        np.full((2, 256, 128), 40, np.uint16),
        patient=Patient("Doe^Jane", "4711", datetime(1960, 2, 1).date(), "F"),
        acquired_at=datetime(2026, 3, 1, 12, 0),
    )
    image.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    image.save_as(deflated, enforce_file_format=True)
    for body, word in ((b"noise", "DICOM"), (deflated.getvalue(), "deflated"), (dicom_bytes(counts=0), "counts")):
        response = client.post("/classify", content=body)
        assert response.status_code == 422, response.text
        assert word in response.json()["error"]
        assert "Doe" not in response.text


def test_a_form_is_told_how_to_send_a_file(client: httpx.Client) -> None:
    """A multipart upload answers 415 with the command that works."""
    response = client.post("/classify", files={"file": dicom_bytes()})
    assert response.status_code == 415
    assert "--data-binary" in response.json()["error"]


def test_openapi_describes_what_there_is(client: httpx.Client) -> None:
    """Every documented path exists, and every path that this file uses is documented."""
    paths = client.get("/openapi.json").json()["paths"]
    assert {"/classify", "/v2/models/{name}/infer", "/readyz", "/metrics", "/v2/repository/index"} <= set(paths)
    for path, calls in paths.items():
        concrete = path.replace("{name}", "bright").replace("{version}", "0.1.0")
        for method in set(calls) & {"get", "post"}:
            assert client.request(method, concrete).status_code not in (404, 405), path


def test_metrics_count_work_and_ignore_strange_paths(client: httpx.Client) -> None:
    """Requests, batches and engines are counted; a path that a stranger invents never becomes a label."""
    answered = metric(client, "scintiflow_classifier_requests_total", call="infer", outcome="answered")
    batches = metric(client, "scintiflow_classifier_batch_rows_sum", model="bright")
    outputs_of(infer(client, *scans(2)))
    client.get("/patient/Doe^Jane")
    text = client.get("/metrics").text
    assert "Doe" not in text
    assert "bentoml_" not in text
    assert metric(client, "scintiflow_classifier_requests_total", call="infer", outcome="answered") == answered + 1
    assert metric(client, "scintiflow_classifier_batch_rows_sum", model="bright") == batches + 2
    assert metric(client, "scintiflow_classifier_requests_total", call="unknown", outcome="unknown") >= 1
    assert metric(client, "scintiflow_classifier_golden_gate", model="bright") == 1
    assert metric(client, "scintiflow_classifier_engine_info", model="ort", precision="f32") == 1
    assert metric(client, "scintiflow_classifier_inference_seconds_count", model="bright") > 0
    assert metric(client, "scintiflow_classifier_queue_seconds_count", model="bright") > 0
    assert metric(client, "process_resident_memory_bytes") > 0


def test_a_model_that_fails_its_golden_gate_is_never_ready(tmp_path: Path) -> None:
    """A wrong map keeps the service unready and names the model; the sound model beside it still answers."""
    model_folder(tmp_path, "sound")
    spoil_golden(model_folder(tmp_path, "wrong"), "map")
    with started(tmp_path) as (client, _):
        wait_for(lambda: settled(client), SECONDS_TO_START)
        response = client.get("/readyz")
        assert response.status_code == 503
        assert response.json()["ready"] is False
        assert "wrong" in response.json()["reason"]
        assert "map is off by" in response.json()["reason"]
        assert "sound" not in response.json()["reason"]
        assert client.get("/v2/models/wrong/ready").status_code == 503
        assert infer(client, *scans(1), model="wrong").status_code == 503
        assert client.get("/v2/models/sound/ready").status_code == 200
        assert infer(client, *scans(1), model="sound").status_code == 200
        assert metric(client, "scintiflow_classifier_golden_gate", model="wrong") == 0
        states = {entry["name"]: entry["state"] for entry in client.post("/v2/repository/index").json()}
        assert states == {"sound": "READY", "wrong": "UNAVAILABLE"}
        findings = client.post("/classify", content=dicom_bytes()).json()["findings"]
        assert [finding["status"] for finding in findings] == ["assessed", "not_assessed"]


def test_no_models_is_not_ready_and_says_where_to_put_one(tmp_path: Path) -> None:
    """An empty models folder is named in the readiness answer."""
    with started(tmp_path) as (client, _):
        response = client.get("/readyz")
        assert response.status_code == 503
        assert str(tmp_path) in response.json()["reason"]
        assert client.post("/classify", content=dicom_bytes()).status_code == 503


def test_the_operator_chooses_the_engine(tmp_path: Path) -> None:
    """Settings override the manifest, and what runs says so."""
    model_folder(tmp_path, "bright", engine="openvino")
    with started(tmp_path, engine="onnxruntime", precision="f32") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        facts = client.get("/v2/models/bright").json()["parameters"]
        assert facts["engine"].startswith("onnxruntime")
        assert facts["precision"] == "f32"


def test_a_device_that_cannot_be_had_keeps_the_service_from_answering(tmp_path: Path) -> None:
    """Told to use CUDA where there is none, it never becomes ready, says what is missing, and answers with nothing."""
    model_folder(tmp_path, "bright")
    with started(tmp_path, device="cuda") as (client, _):
        wait_for(lambda: settled(client), SECONDS_TO_START)
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "install" in response.json()["reason"]
        assert infer(client, *scans(1)).status_code == 503


def test_a_fallback_shows_in_every_finding(tmp_path: Path) -> None:
    """Where the next device down may be used, each answer names what runs and what was asked for, and metrics count."""
    model_folder(tmp_path, "bright")
    with started(tmp_path, device="tensorrt", fallback="true") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        (finding,) = client.post("/classify", content=dicom_bytes()).json()["findings"]
        assert finding["engine"].endswith("(the CPU instead of TensorRT)")
        assert json.loads(infer(client, *scans(1)).content)["parameters"]["engine"] == finding["engine"]
        assert client.get("/v2/models/bright").json()["parameters"]["nodes"].keys() == {"CPUExecutionProvider"}
        assert metric(client, "scintiflow_classifier_engine_nodes", provider="CPUExecutionProvider") > 0


def test_a_client_cannot_wait_longer_than_the_service_does(tmp_path: Path) -> None:
    """A timeout beyond the service's own bound is cut to it."""
    model_folder(tmp_path, "bright")
    with started(tmp_path, deadline_seconds="0.0001") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        response = infer(client, *scans(1), parameters={"timeout": 20_000_000})
        assert response.status_code == 503
        assert "within 0.0001 seconds" in response.json()["error"]


def test_overload_is_answered_at_once(tmp_path: Path) -> None:
    """More scans than may wait are answered 503 with Retry-After."""
    model_folder(tmp_path, "bright")
    with started(tmp_path, maximum_waiting="2") as (client, _):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        response = infer(client, *scans(3))
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert infer(client, *scans(2)).status_code == 200


def homes(family: Iterable[psutil.Process]) -> set[Path]:
    """Where BentoML keeps what it writes, by those of a family who live long enough to be asked."""
    found = set()
    for process in family:
        with suppress(psutil.NoSuchProcess):
            found.add(process.environ().get("BENTOML_HOME"))
    return {Path(home) for home in found if home}


def test_a_stop_is_quick_and_leaves_nothing(tmp_path: Path) -> None:
    """SIGTERM ends all processes within five seconds and removes the server's temporary home."""
    model_folder(tmp_path / "models", "bright")
    with started(tmp_path / "models") as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        (home,) = homes(family)
        assert home.is_dir()
        process.terminate()
        assert process.wait(timeout=5) == 0
        wait_for(lambda: all(map(is_gone, family)), 1)
        assert not home.exists()


def test_killing_the_supervisor_frees_the_port(tmp_path: Path) -> None:
    """After kill -9 of the parent no worker is left to hold the port or to say ready."""
    model_folder(tmp_path, "bright")
    with started(tmp_path) as (client, process):
        wait_for(lambda: is_ready(client), SECONDS_TO_START)
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.kill()
        process.wait()
        wait_for(lambda: all(map(is_gone, workers)), 5)
        wait_for(lambda: is_free(client.base_url.port), 5)


def test_a_worker_whose_supervisor_died_during_its_start_ends_too(tmp_path: Path) -> None:
    """kill -9 of the parent before the worker could ask to die with it leaves nothing either."""
    environment = os.environ | {
        "SCINTIFLOW_PORT_OFFSET": str(free_offset()),
        "SCINTIFLOW_MODELS": str(tmp_path),
        "TMPDIR": str(tmp_path),
    }
    with subprocess.Popen([sys.executable, "-m", "scintiflow.classifier"], env=environment) as process:
        supervisor = psutil.Process(process.pid)
        wait_for(lambda: bool(supervisor.children()), SECONDS_TO_START)
        workers = supervisor.children()
        process.kill()
    wait_for(lambda: all(map(is_gone, workers)), SECONDS_TO_START)
