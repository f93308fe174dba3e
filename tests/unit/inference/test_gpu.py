"""What is decided about a GPU before there is one."""

from pathlib import Path

import onnxruntime
import pytest

from scintiflow.errors import Refused
from scintiflow.inference import gpu
from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import Device, EngineChoice, load
from scintiflow.inference.settings import EngineSettings
from tests.graphs import model_folder

DEVICES: list[Device] = ["cuda", "tensorrt"]
NAMES = {"cuda": "CUDA", "tensorrt": "TensorRT"}
BUILT_FOR_GPU = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
no_gpu = pytest.mark.skipif(not gpu.missing("cuda"), reason="there is a GPU here, and nothing keeps it from being used")
gpu_package = pytest.mark.skipif(not BUILT_FOR_GPU, reason="needs the package onnxruntime-gpu: make gpu-decisions")


@no_gpu
@pytest.mark.parametrize("device", DEVICES)
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, device: Device) -> None:
    """Asked for CUDA or TensorRT, the engine does not open, runs on nothing else, and the sentence says what to do."""
    with pytest.raises(Refused, match=r"install|driver"):
        open_engine(load(model_folder(tmp_path)), EngineChoice(name="onnxruntime", device=device))


@no_gpu
@pytest.mark.parametrize("device", DEVICES)
def test_a_fallback_that_was_allowed_says_so(tmp_path: Path, device: Device) -> None:
    """With fallback allowed the CPU answers, exactly, and the engine's name, which is in every finding, tells."""
    manifest = load(model_folder(tmp_path))
    engine = open_engine(manifest, EngineChoice(name="onnxruntime", precision="f16", device=device, fallback=True))
    check_golden(engine, manifest)
    facts = engine.describe()
    assert facts.engine == f"onnxruntime {onnxruntime.__version__} (the CPU instead of {NAMES[device]})"
    assert (facts.precision, facts.device) == ("f32", "CPU")
    assert facts.nodes.keys() == {"CPUExecutionProvider"}


@gpu_package
@no_gpu
@pytest.mark.parametrize("device", DEVICES)
def test_the_first_missing_library_is_named(device: Device) -> None:
    """The real package says which library it does not find, and the sentence names it and what to install."""
    assert "CUDA 13 or cuDNN 9 is missing" in gpu.missing(device)
    assert ".so." in gpu.missing(device)


@pytest.mark.skipif(BUILT_FOR_GPU, reason="this is the package for a GPU")
def test_a_package_for_the_cpu_is_named() -> None:
    """The package for the CPU is told apart from missing libraries."""
    assert "built for the CPU only; install scintiflow with the extra gpu" in gpu.missing("cuda")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("libcuda.so.1: cannot open shared object file: No such file or directory", "There is no NVIDIA driver"),
        ("libcudart.so.13: cannot open shared object file: No such file", r"CUDA 13 or cuDNN 9 .*\(libcudart.so.13\)"),
        ("libcudnn.so.9: cannot open shared object file: No such file", r"CUDA 13 or cuDNN 9 .*\(libcudnn.so.9\)"),
        ("libnvinfer.so.10: cannot open shared object file: No such", r"TensorRT 10 is missing.*\(11 is not loaded"),
        ("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", "driver is too old"),
        ("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", "finds no GPU"),
        ("CUDA failure 2: out of memory ; GPU=0", "memory does not suffice"),
        ("Something new.\nAnd more.", "with cuda: Something new"),
    ],
)
def test_every_fault_has_a_sentence(said: str, sentence: str) -> None:
    """What loaders and CUDA say becomes what an operator can do."""
    with pytest.raises(Refused, match=sentence):
        raise Refused(gpu.explained("cuda", said))


def test_what_tensorrt_built_is_never_taken_for_something_else() -> None:
    """Its key differs with the weights, the rows, either version and the GPU; the same five give the same key."""
    same = (b"graph", 4, "1.31.1", "10.13.3", "90")
    others = [
        (b"retrained", *same[1:]),
        (b"graph", 16, *same[2:]),
        (*same[:2], "1.32.0", *same[3:]),
        (*same[:3], "10.16.0", "90"),
        (*same[:4], "100"),
    ]
    keys = {gpu.engine_key(*each) for each in (same, *others)}
    assert len(keys) == 1 + len(others)
    assert gpu.engine_key(*same) == gpu.engine_key(*same)


def test_to_ask_for_a_gpu_is_to_ask_for_its_engine() -> None:
    """One setting moves a model from OpenVINO on the CPU to ONNX Runtime on the GPU; none leaves it as it was made."""
    made = EngineChoice(name="openvino", precision="bf16")
    assert EngineSettings().overrule(made) == made
    assert EngineSettings(device="tensorrt").overrule(made) == EngineChoice(
        name="onnxruntime", precision="auto", device="tensorrt"
    )
    assert EngineSettings(engine="onnxruntime", precision="f32").overrule(made) == EngineChoice(
        name="onnxruntime", precision="f32"
    )


def test_openvino_says_that_it_has_no_gpu(tmp_path: Path) -> None:
    """OpenVINO asked for CUDA is refused with the engine to choose."""
    with pytest.raises(Refused, match="set the engine to onnxruntime"):
        open_engine(load(model_folder(tmp_path)), EngineChoice(name="openvino", device="cuda"))


def test_a_precision_that_the_device_would_ignore_is_refused(tmp_path: Path) -> None:
    """bf16 with CUDA is refused, and the sentence says which there are."""
    with pytest.raises(Refused, match="CUDA in f16 or f32 only"):
        open_engine(load(model_folder(tmp_path)), EngineChoice(name="onnxruntime", precision="bf16", device="cuda"))
