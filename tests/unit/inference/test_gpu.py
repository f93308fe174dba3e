"""What is decided about a GPU before there is one."""

import mmap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import onnxruntime
import pytest

from scintiflow.classifier.settings import ClassifierSettings
from scintiflow.errors import Refused
from scintiflow.inference import gpu
from scintiflow.inference.engine import check_golden, open_engine
from scintiflow.inference.manifest import Device, EngineChoice, load
from scintiflow.inference.onnxruntime_session import options_for, work_elsewhere
from tests.graphs import model_folder

DEVICES: list[Device] = ["cuda", "tensorrt"]
NAMES = {"cuda": "CUDA", "tensorrt": "TensorRT"}
BUILT_FOR_GPU = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
no_gpu = pytest.mark.skipif(not gpu.missing("cuda"), reason="there is a GPU here, and nothing keeps it from being used")
gpu_package = pytest.mark.skipif(not BUILT_FOR_GPU, reason="needs the package onnxruntime-gpu: make gpu-choices")


@no_gpu
@pytest.mark.parametrize("device", DEVICES)
def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path, device: Device) -> None:
    """Asked for CUDA or TensorRT, the engine does not open, runs on nothing else, and the sentence says what to do."""
    with pytest.raises(Refused, match=r"install|driver"):
        open_engine(load(model_folder(tmp_path)).run_by(EngineChoice(name="onnxruntime", device=device)))


@no_gpu
@pytest.mark.parametrize("device", DEVICES)
def test_a_fallback_that_was_allowed_says_so(tmp_path: Path, device: Device) -> None:
    """With fallback allowed the CPU answers, row by row as it does, and the engine's name in each finding tells."""
    manifest = load(model_folder(tmp_path))
    engine = open_engine(
        manifest.run_by(EngineChoice(name="onnxruntime", precision="f16", device=device, fallback=True))
    )
    check_golden(engine, manifest)
    facts = engine.describe()
    assert facts.engine == f"onnxruntime {onnxruntime.__version__} (the CPU instead of {NAMES[device]})"
    assert (facts.precision, facts.device, facts.stands_in) == ("f32", "CPU", True)
    assert facts.nodes.keys() == {"CPUExecutionProvider"}
    assert engine.sizes == (1,)


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
        ("libcudart.so.13: cannot open shared object file: No such file", "CUDA 13 or cuDNN 9 is missing"),
        ("libcudnn.so.9: cannot open shared object file: No such file", "(libcudnn.so.9)"),
        ("libnvinfer.so.10: cannot open shared object file: No such", "TensorRT 10 is missing"),
        ("libnvrtc.so.13: cannot open shared object file: No such", "CUDA 13 or cuDNN 9 is missing"),
        ("CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version", "driver is too old"),
        ("CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", "finds no GPU"),
        ("CUDA failure 2: out of memory ; GPU=0", "memory of the GPU does not suffice"),
        ("cuDNN is not available. Install cuDNN, and more words", "cuDNN 9 is missing"),
        ("Something new.\nAnd more.", "with cuda: Something new."),
    ],
)
def test_every_fault_has_a_sentence(said: str, sentence: str) -> None:
    """What loaders and CUDA say becomes what an operator can do."""
    assert sentence in gpu.explained("cuda", said)
    assert gpu.explained("cuda", said).endswith(".")


def test_what_tensorrt_built_is_never_taken_for_something_else() -> None:
    """Its key differs with the weights, the rows, each version, the GPU and its driver; the same give the same."""
    card = gpu.GPU("NVIDIA H100 80GB HBM3", "9.0", 13000)
    same = (b"graph", 4, "1.31.1", "10.13.3", card)
    others = [
        (b"retrained", *same[1:]),
        (b"graph", 16, *same[2:]),
        (*same[:2], "1.32.0", *same[3:]),
        (*same[:3], "10.16.0", card),
        *((*same[:4], card._replace(**other)) for other in ({"name": "NVIDIA H200"}, {"driver": 13010})),
    ]
    keys = {gpu.engine_key(*each) for each in (same, *others)}
    assert len(keys) == 1 + len(others)
    assert gpu.engine_key(*same) in keys


def test_to_ask_for_a_gpu_is_to_ask_for_its_engine() -> None:
    """One setting moves a model from OpenVINO on the CPU to ONNX Runtime on a GPU; none leaves it as it was made."""
    made = EngineChoice(name="openvino", precision="bf16")
    assert ClassifierSettings().overrule(made) == made
    assert ClassifierSettings(device="tensorrt").overrule(made) == EngineChoice(name="onnxruntime", device="tensorrt")
    exact = made.model_copy(update={"precision": "f32"})
    assert ClassifierSettings(device="cuda").overrule(exact).precision == "f32"
    assert ClassifierSettings(engine="onnxruntime", precision="f32").overrule(made) == EngineChoice(
        name="onnxruntime", precision="f32"
    )
    bulk = ClassifierSettings(mode="throughput", cached=True).overrule(made)
    assert (bulk.name, bulk.mode, bulk.cached) == ("openvino", "throughput", True)


@pytest.mark.parametrize(
    ("choice", "sentence"),
    [
        (EngineChoice(name="openvino", device="cuda", fallback=True), "set the engine to onnxruntime"),
        (EngineChoice(name="onnxruntime", precision="bf16", device="cuda", fallback=True), "CUDA in f16 or f32 only"),
        (EngineChoice(name="onnxruntime", precision="f32", device="tensorrt"), "TensorRT in f16 only"),
    ],
)
def test_what_no_machine_can_do_is_refused(tmp_path: Path, choice: EngineChoice, sentence: str) -> None:
    """It is no reason to use something else instead, not even where that is allowed."""
    with pytest.raises(Refused, match=sentence):
        open_engine(load(model_folder(tmp_path)).run_by(choice))


def test_what_the_providers_are_told(tmp_path: Path) -> None:
    """CUDA computes in float32 without TF32, in float16 with channels last and biases in the convolutions, and looks
    for no algorithm by timing; TensorRT takes types from the graph, and keeps what it builds under our name for it;
    both replay a recorded run."""
    cuda = {"device_id": "0", "enable_cuda_graph": "1", "cudnn_conv_algo_search": "HEURISTIC"}
    assert options_for("cuda", "f32", None) == {**cuda, "use_tf32": "0"}
    assert options_for("cuda", "f16", None) == {**cuda, "prefer_nhwc": "1", "fuse_conv_bias": "1", "use_tf32": "1"}
    assert options_for("tensorrt", "f16", None) == {"device_id": "0", "trt_cuda_graph_enable": "1"}
    folder = tmp_path / "0123456789abcdef"
    assert options_for("tensorrt", "f16", folder) == {
        "device_id": "0",
        "trt_cuda_graph_enable": "1",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_engine_cache_prefix": "0123456789abcdef",
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


@gpu_package
@pytest.mark.parametrize("device", DEVICES)
def test_the_providers_know_what_they_are_told(tmp_path: Path, device: Device) -> None:
    """Every option is a word in the library of the provider that it is for."""
    library = Path(onnxruntime.__file__).parent / "capi" / f"libonnxruntime_providers_{device}.so"
    with library.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as words:
        for name in options_for(device, "f16", tmp_path):
            assert words.find(f"\0{name}\0".encode()) > 0, name


@dataclass(frozen=True)
class Part:
    """Nodes of a graph with their provider, as ONNX Runtime tells of them."""

    ep_name: str
    kinds: tuple[str, ...]

    def get_nodes(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(op_type=kind) for kind in self.kinds]


def test_a_provider_that_leaves_the_work_to_the_cpu_is_told_apart() -> None:
    """One that leaves what counts shapes is in use; one that leaves a convolution is not, whatever else it runs."""
    own = Part("CUDAExecutionProvider", ("Conv", "Relu", "Gemm"))
    shapes = Part("CPUExecutionProvider", ("Shape", "Gather", "Concat"))
    work = Part("CPUExecutionProvider", ("Relu", "FusedConv", "MatMul", "MatMul"))
    assert work_elsewhere([own, shapes], "CUDAExecutionProvider") == []
    assert work_elsewhere([own, shapes, work], "CUDAExecutionProvider") == ["FusedConv", "MatMul"]
