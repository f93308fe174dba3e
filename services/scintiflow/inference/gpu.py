"""What a GPU needs to be of use to ONNX Runtime: driver, libraries, one thread, a place for what TensorRT builds."""

import ctypes
import hashlib
import importlib.util
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from typing import NamedTuple, TypeVar

import onnxruntime

from scintiflow.errors import Refused
from scintiflow.inference.manifest import Device

_PROVIDERS = {"cuda": "libonnxruntime_providers_cuda.so", "tensorrt": "libonnxruntime_providers_tensorrt.so"}
_CUDNN = "libcudnn.so.9"  # the CUDA provider looks for it only when it needs it
_TENSORRT = ("libnvinfer.so.10", "libnvonnxparser.so.10")
_EXTRA = "install scintiflow with the extra gpu in place of cpu"
_TENSORRT_MISSING = "TensorRT 10 is missing; pip install 'tensorrt-cu13>=10.13,<11' (11 is not loaded by ONNX Runtime)"
_DRIVER = "install an NVIDIA driver that knows CUDA 13 (580 or later)"
_REMEDIES: Mapping[str, str] = {
    "libcuda.": f"There is no NVIDIA driver here; {_DRIVER}, and give a container its GPU",
    "libnvinfer": _TENSORRT_MISSING,
    "libnvonnxparser": _TENSORRT_MISSING,
    "lib": f"CUDA 13 or cuDNN 9 is missing; {_EXTRA}",
}
"""By how the name of a missing library begins; the first that fits."""
_FAULTS: Mapping[str, str] = {
    "driver version is insufficient": f"The NVIDIA driver is too old; {_DRIVER}",
    "no CUDA-capable device": "The NVIDIA driver finds no GPU; give this process one, or set the device to cpu",
    "out of memory": "The memory of the GPU does not suffice; serve fewer models on it",
    "cuDNN is not available": f"cuDNN 9 is missing; {_EXTRA}",
}
"""By what CUDA says."""

_THREAD = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gpu")
Found = TypeVar("Found")


class GPU(NamedTuple):
    """The first GPU."""

    name: str
    capability: str
    """Such as 9.0."""
    driver: int
    """The CUDA version that its driver knows, such as 13000."""


def alone(work: Callable[[], Found]) -> Found:
    """Do this in the one thread of the process that uses the GPU, and wait.

    ONNX Runtime keeps what it records of a run for the thread that ran, and while one thread records, no other may copy
    to the GPU or wait for it.
    """
    return _THREAD.submit(work).result()


@cache
def missing(device: Device) -> str:
    """Return what keeps ONNX Runtime from loading what it needs for a device, and what to do; empty if nothing does."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    if not (folder / _PROVIDERS[device]).exists():
        return f"This ONNX Runtime was built for the CPU only; {_EXTRA}."
    try:
        _load_from_wheels()
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        for library in (str(folder / _PROVIDERS[device]), _CUDNN):
            ctypes.CDLL(library)
    except OSError as error:
        return explained(device, str(error))
    return ""


def explained(device: Device, said: str) -> str:
    """Return a sentence for what a loader, CUDA or ONNX Runtime said of a device."""
    if found := re.match(r"(\S+\.so\S*): cannot open", said):
        remedy = next(words for start, words in _REMEDIES.items() if found[1].startswith(start))
        return f"{remedy} ({found[1]})."
    for words, sentence in _FAULTS.items():
        if words in said:
            return f"{sentence}."
    first = (said.strip().splitlines() or ["it does not say why."])[0]
    return f"ONNX Runtime cannot run this graph with {device}: {first}"


def folder_for(graph: bytes, rows: int, engines: Path) -> Path:
    """Return where TensorRT keeps what it builds of a graph; it is there if somebody has built it before."""
    key = engine_key(graph, rows, onnxruntime.__version__, _tensorrt_version(), first_gpu())
    return engines / "tensorrt" / key


def kept_in(folder: Path) -> dict[str, str]:
    """Return what TensorRT is told, so that it keeps in a folder what it builds, and takes it from there.

    Its own key knows neither weights nor shapes (ONNX Runtime issue 32254), so the folder is named by ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_engine_cache_prefix": folder.name,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def engine_key(graph: bytes, rows: int, runtime: str, tensorrt: str, card: GPU) -> str:
    """Return a name for what is built of these weights, for batches of `rows`, by these versions, for this GPU."""
    told = (hashlib.sha256(graph).hexdigest(), rows, runtime, tensorrt, *card)
    return hashlib.sha256("\0".join(map(str, told)).encode()).hexdigest()[:24]


def open_dimension(graph: bytes) -> str:
    """Return the name of the number of rows."""
    import onnx

    name: str = onnx.load_model_from_string(graph).graph.input[0].type.tensor_type.shape.dim[0].dim_param
    return name


@cache
def first_gpu() -> GPU:
    """Ask the driver for the first GPU (CUDA driver API; attributes 75 and 76 are the compute capability).

    Raises:
        Refused: there is no driver, or it finds none.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise Refused(explained("cuda", str(error))) from error
    device, version, major, minor = (ctypes.c_int() for _ in range(4))
    name = ctypes.create_string_buffer(128)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        raise Refused(explained("cuda", "no CUDA-capable device"))
    driver.cuDriverGetVersion(ctypes.byref(version))
    driver.cuDeviceGetName(name, len(name), device)
    for value, attribute in ((major, 75), (minor, 76)):
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return GPU(name.value.decode(), f"{major.value}.{minor.value}", version.value)


def _load_from_wheels() -> None:
    """Load what pip installed where no loader looks: NVIDIA's packages, then TensorRT's."""
    with redirect_stdout(StringIO()):  # it prints what it does not find; what that means is said afterwards
        onnxruntime.preload_dlls()
    wheel = importlib.util.find_spec("tensorrt_libs")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        for library in (Path(folder) / name for name in _TENSORRT):
            if library.exists():
                ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)


def _tensorrt_version() -> str:
    """Return the version of the TensorRT that is loaded, such as 10.13.3, from its number 101303."""
    number = ctypes.CDLL(_TENSORRT[0]).getInferLibVersion()
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"
