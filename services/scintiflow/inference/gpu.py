"""What a GPU needs to be of use to ONNX Runtime: driver, libraries, and a place for what TensorRT builds."""

import ctypes
import hashlib
import importlib.util
import re
from collections.abc import Mapping
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import onnxruntime

from scintiflow.errors import Refused
from scintiflow.inference.manifest import Device

_LIBRARIES = {"cuda": "libonnxruntime_providers_cuda.so", "tensorrt": "libonnxruntime_providers_tensorrt.so"}
_TENSORRT = ("libnvinfer.so.10", "libnvonnxparser.so.10")
_GPU_EXTRA = "install scintiflow with the extra gpu in place of cpu"
_REMEDIES: Mapping[str, str] = {
    "libcuda.": "There is no NVIDIA driver on this machine; install one that knows CUDA 13 (580 or later)",
    "libnv": "TensorRT 10 is missing; pip install 'tensorrt-cu13>=10.13,<11' (11 is not loaded by ONNX Runtime)",
    "libcu": f"CUDA 13 or cuDNN 9 is missing; {_GPU_EXTRA}",
}
"""By how the name of a missing library begins; the first that fits."""
_FAULTS: Mapping[str, str] = {
    "driver version is insufficient": "The NVIDIA driver is too old for CUDA 13; install 580 or later",
    "no CUDA-capable device": "The NVIDIA driver finds no GPU; give this process one, or set the device to cpu",
    "out of memory": "The GPU's memory does not suffice; serve fewer models or smaller batches on it",
}
"""By what CUDA says."""


class GPU(NamedTuple):
    """The first GPU: its name, and its compute capability, such as 9.0."""

    name: str
    major: int
    minor: int


def missing(device: Device) -> str:
    """Return what keeps ONNX Runtime from loading what it needs for a device, and what to do; empty if nothing does."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    if not (folder / _LIBRARIES[device]).exists():
        return f"This ONNX Runtime was built for the CPU only; {_GPU_EXTRA}."
    with redirect_stdout(StringIO()):  # it prints what it does not find, and below it is said what that means
        onnxruntime.preload_dlls()
    if device == "tensorrt":
        _preload_tensorrt()
    try:
        ctypes.CDLL(str(folder / "libonnxruntime_providers_shared.so"), mode=ctypes.RTLD_GLOBAL)
        ctypes.CDLL(str(folder / _LIBRARIES[device]))
    except OSError as error:
        return explained(device, str(error))
    return ""


def explained(device: Device, said: str) -> str:
    """Return a sentence for what a loader, CUDA or ONNX Runtime said of a device."""
    if found := re.match(r"(\S+\.so\S*): cannot open", said):
        remedy = next(
            (words for start, words in _REMEDIES.items() if found[1].startswith(start)), "A library is missing"
        )
        return f"{remedy} ({found[1]})."
    for words, sentence in _FAULTS.items():
        if words in said:
            return f"{sentence}."
    first = (said.strip().splitlines() or ["no reason given"])[0]
    return f"ONNX Runtime cannot run this graph with {device}: {first}"


def kept(graph: bytes, rows: int, cache: Path | None) -> dict[str, str]:
    """Return what TensorRT is told, so that what it builds is kept and never taken for another graph.

    TensorRT's own key knows neither weights nor shapes (ONNX Runtime issue 32254), so ours stands before it.
    """
    if cache is None:
        return {}
    card = first_gpu()
    key = engine_key(graph, rows, onnxruntime.__version__, tensorrt_version(), f"{card.major}{card.minor}")
    folder = cache / "tensorrt" / key
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_engine_cache_prefix": key,
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
    }


def engine_key(graph: bytes, rows: int, runtime: str, tensorrt: str, capability: str) -> str:
    """Return a name for what is built of these weights, for batches of `rows`, by these versions, for such a GPU."""
    told = "\0".join((hashlib.sha256(graph).hexdigest(), str(rows), runtime, tensorrt, capability))
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def tensorrt_version() -> str:
    """Return the version of the TensorRT that is loaded, such as 10.13.3, from its number 101303."""
    number = ctypes.CDLL(_TENSORRT[0]).getInferLibVersion()
    return f"{number // 10_000}.{number // 100 % 100}.{number % 100}"


def first_gpu() -> GPU:
    """Ask the driver for the first GPU (CUDA driver API, cuDeviceGetAttribute 75 and 76)."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise Refused(explained("cuda", str(error))) from error
    name, values = ctypes.create_string_buffer(128), [ctypes.c_int(), ctypes.c_int()]
    device = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        raise Refused(f"{_FAULTS['no CUDA-capable device']}.")
    driver.cuDeviceGetName(name, len(name), device)
    for value, attribute in zip(values, (75, 76), strict=True):
        driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    return GPU(name.value.decode(), values[0].value, values[1].value)


def named(device: Device) -> str:
    """Return what to call the device that runs a graph: the GPU's own name, or CPU."""
    return "CPU" if device == "cpu" else first_gpu().name


def _preload_tensorrt() -> None:
    """Load TensorRT from its wheel, where the loader would not look."""
    wheel = importlib.util.find_spec("tensorrt_libs")
    for folder in (wheel and wheel.submodule_search_locations) or ():
        for library in _TENSORRT:
            if (path := Path(folder) / library).exists():
                ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
