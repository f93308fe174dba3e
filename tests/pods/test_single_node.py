"""The single-node overlay, played by podman from images that were built here on a stand-in base."""

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from pynetdicom import AE

from scintiflow.config import PORTS
from scintiflow.dicom.c_store import c_store
from tests.images import base_image
from tests.manifests import Overlay, containers, find_kubectl, render
from tests.pacs import Pacs
from tests.podman import Pods, build, facts, network, podman, why_not
from tests.ports import free_offset, is_free
from tests.stack import copies, send
from tests.waiting import wait_for

PROCESSES = ("classifier", "router", "sender", "keeper", "receiver", "synthesizer", "probe")
RESULTS = 4
"""A report and a picture of each of the two models."""
STUDIES = 12
KILLED = {1: "redis", 3: "router", 5: "classifier", 6: "sender", 8: "receiver"}
"""Who is killed after which study."""
EXAMPLES = sorted(Path("models/metastasis/examples").glob("*.dcm"))
SITE = """
[[allow]]
ae_title = "PACS"

[[destinations]]
name = "pacs"
ae_title = "PACS"
host = "{host}"
port = {port}
synthetic = "too"
"""


@pytest.fixture(scope="module")
def overlay() -> Overlay:
    """What `kubectl apply -k k8s/overlays/single-node` sends."""
    overlay = render("single-node", find_kubectl())
    (redis,) = containers(overlay.workloads["redis"])
    reason = why_not(base_image(), redis["image"])
    if reason is not None:
        pytest.skip(reason)
    return overlay


@pytest.fixture(scope="module")
def images(overlay: Overlay) -> dict[str, int]:
    """The CPU images of all processes, built; their sizes in bytes."""
    tags = {each["image"] for workload in overlay.workloads.values() for each in containers(workload)}
    ours = sorted(tag for tag in tags if tag.startswith("scintiflow/"))
    return {tag: build(tag.partition("/")[2].partition(":")[0], tag) for tag in ours}


@pytest.fixture(scope="module")
def pods(overlay: Overlay, images: dict[str, int]) -> Iterator[Pods]:
    """The line at work, and where its DICOM port and its probes are reached."""
    offset = free_offset()
    ports = {f"{name}.http": PORTS[name] + offset for name in PROCESSES} | {"receiver.dicom": PORTS["dicom"] + offset}
    with network():
        site = SITE.format(host="host.containers.internal", port=PORTS["dicom"] + offset + 1)
        pods = Pods(overlay, site, ports, {"SCINTIFLOW_PROBE_INTERVAL_SECONDS": "10"})
        try:
            pods.play("redis", *PROCESSES)
            wait_for(lambda: all(is_ready(ports[f"{name}.http"]) for name in PROCESSES), seconds=300, every=1)
            yield pods
        finally:
            pods.stop()


@pytest.fixture(scope="module")
def pacs(pods: Pods) -> Iterator[Pacs]:
    """A PACS on this machine, where pods find it."""
    with Pacs(port=pods.ports["receiver.dicom"] + 1, host=pods.gateway()) as pacs:
        yield pacs


def is_ready(port: int) -> bool:
    """Tell whether a process says that it is ready."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def test_images_hold_what_they_run_and_no_more(images: dict[str, int]) -> None:
    """No image has a compiler, torch, pip in its environment, or another engine than it needs; sizes are printed."""
    for tag, size in images.items():
        print(f"{tag}: {size / 1e6:.0f} MB")
        look = (
            "for each in gcc cc g++ clang pip; do command -v $each; done; ls /opt/scintiflow/lib/python3*/site-packages"
        )
        found = podman("run", "--rm", "--pull=never", "--network=none", tag, "sh", "-c", look).split()
        assert not {"torch", "pip", "scipy"} & set(found)
        assert not [each for each in found if each.startswith("/")], found
        assert ("openvino" in found) == ("classifier" in tag or "synthesizer" in tag)


def test_a_container_may_do_nothing_but_its_work(pods: Pods) -> None:
    """Each runs as nobody, without capabilities or a way to new ones, under a filter, and cannot change its root."""
    for name in PROCESSES:
        status = dict(line.split(":\t", 1) for line in pods.inside(name, "cat", "/proc/1/status").splitlines())
        assert status["Uid"].split() == ["65532"] * 4
        assert int(status["CapEff"], 16) == int(status["CapBnd"], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert status["Seccomp"] == "2"
        assert facts(name)["HostConfig"]["ReadonlyRootfs"]
        with pytest.raises(AssertionError, match="Read-only file system"):
            pods.inside(name, "touch", "/opt/scintiflow/changed")


def test_every_study_comes_back_once_whatever_restarts(pods: Pods, pacs: Pacs) -> None:
    """While studies stream in, Redis, router, classifier, sender and receiver are killed: the results of each study are
    at the PACS in the end, each of them once, and the routers' queue runs empty."""
    studies = copies(EXAMPLES, STUDIES)
    for number, study in enumerate(studies):
        assert wait_for(lambda study=study: stored(pods, study), seconds=120, every=1)
        if (name := KILLED.get(number)) is not None:
            pods.kill(name)
    wanted = {str(study.StudyInstanceUID) for study in studies}
    wait_for(lambda: len(pacs.objects) >= RESULTS * len(studies), seconds=600, every=1)
    found = Counter(str(dataset.StudyInstanceUID) for dataset in pacs.datasets())
    assert found == dict.fromkeys(wanted, RESULTS)
    wait_for(lambda: pods.inside("redis", "redis-cli", "HLEN", "scintiflow:ready:bodies") == "0", seconds=60, every=1)


def stored(pods: Pods, study: object) -> bool:
    """Send one study as a PACS does, which tries again where it is not taken."""
    try:
        return send(pods.ports["receiver.dicom"], [study]) == [0]
    except AssertionError:
        return False


def test_the_probe_comes_back(pods: Pods) -> None:
    """A scan of the probe's own goes round all processes after they were killed, and its report finds the probe."""
    before = rounds_returned(pods)
    wait_for(lambda: rounds_returned(pods) > before, seconds=180, every=1)


def rounds_returned(pods: Pods) -> float:
    """Return how many of the probe's scans have come back."""
    told = httpx.get(f"http://127.0.0.1:{pods.ports['probe.http']}/metrics", timeout=30).text
    (count,) = re.findall(r'^scintiflow_probe_rounds_total\{outcome="returned"\} (\S+)$', told, re.MULTILINE)
    return float(count)


def test_the_synthesizer_draws(pods: Pods) -> None:
    """Asked for a scan, it answers with one of two views."""
    asked = {"label": "normal", "count": 1, "seed": 1, "format": "npz"}
    url = f"http://127.0.0.1:{pods.ports['synthesizer.http']}/v1/generate"
    answer = httpx.post(url, json=asked, timeout=180).raise_for_status()
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".npz"))
        assert np.load(io.BytesIO(archive.read(name)))["counts"].shape == (2, 1024, 256)


def test_a_receiver_that_stops_lets_an_open_association_end(pods: Pods) -> None:
    """Told to stop between two objects of an association, it takes the second one before it goes."""
    first, second = copies(EXAMPLES[:1], 2)
    entity = AE("PACS")
    entity.add_requested_context(first.SOPClassUID, first.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", pods.ports["receiver.dicom"], ae_title="SCINTIFLOW")
    assert c_store(association, first).Status == 0
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(pods.restart, "receiver", grace=160)
        wait_for(lambda: is_free(pods.ports["receiver.dicom"]), seconds=30)
        assert c_store(association, second).Status == 0
        association.release()
        stopping.result()
    wait_for(lambda: is_ready(pods.ports["receiver.http"]), seconds=60, every=1)


def test_keda_can_tell_how_much_waits(pods: Pods) -> None:
    """Redis 7 knows the lag of the routers' group after all this; KEDA takes a null for nothing to do."""
    wait_for(lambda: group(pods).get("lag") == "0", seconds=60, every=1)
    assert group(pods)["name"] == "workers"


def group(pods: Pods) -> dict[str, str]:
    """Return what Redis says of the routers' group."""
    said = pods.inside("redis", "redis-cli", "XINFO", "GROUPS", "scintiflow:ready").splitlines()
    return dict(zip(said[::2], said[1::2], strict=False))  # a null at the end is an empty line
