"""The -gpu images, built on the stand-in base and started by podman where there is no GPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.graphs import generator_folder
from tests.images import base_image, stages
from tests.podman import build, podman, why_not
from tests.ports import free_port
from tests.waiting import wait_for

WHEELS = Path("build/wheels-gpu").resolve()
DEVICES = {"classifier-gpu": "SCINTIFLOW_CLASSIFIER_DEVICE", "synthesizer-gpu": "SCINTIFLOW_SYNTHESIZER_DEVICE"}
"""Each image, and the setting that asks for a GPU."""


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    """Both images by target, removed afterwards: they are large."""
    if not (WHEELS / "pip.conf").exists():
        pytest.skip("No wheels for the -gpu images: `tests/pods/stand-in gpu` fetches them (1.6 GB).")
    if (reason := why_not(base_image())) is not None:
        pytest.skip(reason)
    tags = {target: f"scintiflow/{target}:stand-in" for target in DEVICES}
    try:
        for target, tag in tags.items():
            print(f"{tag}: {build(target, tag, WHEELS) / 1e6:.0f} MB, without TensorRT's libraries")
        yield tags
    finally:
        podman("rmi", "--force", *tags.values())


@contextmanager
def running(target: str, tag: str, device: str, *more: str) -> Iterator[str]:
    """Run an image as the overlay does, asked for a device, until the block ends; lend its address."""
    port, (inside,) = free_port(), stages()[target].ports
    name = f"scintiflow-{target}"
    confined = ["--read-only", "--tmpfs=/tmp", "--tmpfs=/data", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    published = [f"--publish=127.0.0.1:{port}:{inside}", f"--env={DEVICES[target]}={device}"]
    podman("run", "--detach", "--pull=never", f"--name={name}", *confined, *published, *more, tag)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        podman("rm", "--force", name)


def answer(url: str) -> httpx.Response | None:
    """Return what a service answers, if it is there already."""
    try:
        return httpx.get(url, timeout=10)
    except httpx.TransportError:
        return None


def unready(url: str) -> str:
    """Wait until a service lives and has tried to load what it serves; return why it is not ready."""
    wait_for(lambda: (alive := answer(f"{url}/livez")) is not None and alive.is_success, seconds=300, every=1)
    told = wait_for(lambda: _verdict(f"{url}/readyz"), seconds=300, every=1)
    assert told.status_code == httpx.codes.SERVICE_UNAVAILABLE
    return str(told.json()["reason"])


def _verdict(url: str) -> httpx.Response | None:
    said = httpx.get(url, timeout=10)
    return None if "is being loaded" in said.text else said


@pytest.mark.parametrize("device", ["cuda", "tensorrt"])
def test_a_classifier_without_its_gpu_says_so(images: dict[str, str], device: str) -> None:
    """It lives, is not ready, uses nothing else, and says for each model what is missing and what to install."""
    with running("classifier-gpu", images["classifier-gpu"], device) as url:
        told = unready(url)
    print(f"{device}: {told}")
    assert "cardiac: " in told
    assert "metastasis: " in told
    assert "install" in told


def test_a_synthesizer_without_its_gpu_says_so(images: dict[str, str], tmp_path: Path) -> None:
    """With a generator to serve, it lives, is not ready, and says what is missing and what to install."""
    models = tmp_path / "models"
    models.mkdir()
    generator_folder(models)
    with running("synthesizer-gpu", images["synthesizer-gpu"], "cuda", f"--volume={models}:/opt/models:ro") as url:
        told = unready(url)
    print(told)
    assert "There is no NVIDIA driver here; install" in told
