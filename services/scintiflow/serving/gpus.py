"""What NVML says of every NVIDIA GPU of this machine, asked at each scrape. Where there is no driver, nothing is said.

https://docs.nvidia.com/deploy/nvml-api; activity of tensor cores and memory comes from its GPM interface (Hopper and
later). Units are the base units of Prometheus, not NVML's.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

_LABELS = ("gpu", "uuid")
_XID = 8  # nvmlEventTypeXidCriticalError

Family = CounterMetricFamily | GaugeMetricFamily


@dataclass(frozen=True)
class _Figure:
    """One gauge: what it is called, and how NVML is asked."""

    name: str
    help: str
    read: Callable[[Any, Any], float]


_FIGURES = (
    _Figure(
        "scintiflow_gpu_busy_ratio",
        "Share of the time in which some kernel ran, however small.",
        lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    ),
    _Figure(
        "scintiflow_gpu_memory_used_bytes",
        "Memory of the GPU in use, by whomever.",
        lambda nvml, gpu: float(nvml.nvmlDeviceGetMemoryInfo(gpu).used),
    ),
    _Figure(
        "scintiflow_gpu_memory_bytes",
        "Memory of the GPU.",
        lambda nvml, gpu: float(nvml.nvmlDeviceGetMemoryInfo(gpu).total),
    ),
    _Figure(
        "scintiflow_gpu_power_watts",
        "Power that the GPU draws.",
        lambda nvml, gpu: nvml.nvmlDeviceGetPowerUsage(gpu) / 1000,
    ),
    _Figure(
        "scintiflow_gpu_temperature_celsius",
        "Temperature of the GPU.",
        lambda nvml, gpu: float(nvml.nvmlDeviceGetTemperature(gpu, 0)),
    ),
)
_ACTIVITIES = {
    5: ("scintiflow_gpu_tensor_active_ratio", "Share of the time since the last scrape in which tensor cores worked."),
    10: ("scintiflow_gpu_memory_bandwidth_ratio", "Share of the memory's bandwidth in use since the last scrape."),
}
"""By the number that NVML's GPM interface gives a metric."""


def watch_gpus(registry: CollectorRegistry = REGISTRY) -> None:
    """Export what NVML says of each GPU, if there is a driver that answers."""
    try:
        import pynvml
    except ImportError:
        return
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        registry.register(Gpus(pynvml))


class Gpus(Collector):
    """All GPUs of this machine.

    Args:
        nvml: the module pynvml, initialised; None describes what is exported, and finds no GPU.

    Raises:
        NVMLError: the driver does not say which GPUs there are.
    """

    def __init__(self, nvml: Any = None) -> None:
        count = nvml.nvmlDeviceGetCount() if nvml else 0
        self._gpus = [_Gpu(nvml, nvml.nvmlDeviceGetHandleByIndex(index), index) for index in range(count)]

    def describe(self) -> list[Family]:
        """Return every family, without a sample."""
        return [
            GaugeMetricFamily("scintiflow_gpu_info", "1 for each GPU.", labels=(*_LABELS, "product")),
            CounterMetricFamily("scintiflow_gpu_energy_joules", "Energy since the driver was loaded.", labels=_LABELS),
            CounterMetricFamily("scintiflow_gpu_xid_errors", "Faults that the driver told (XID).", labels=_LABELS),
            *(GaugeMetricFamily(one.name, one.help, labels=_LABELS) for one in _FIGURES),
            *(GaugeMetricFamily(name, help, labels=_LABELS) for name, help in _ACTIVITIES.values()),
        ]

    def collect(self) -> list[Family]:
        """Ask NVML; what a GPU cannot tell is left out."""
        families = {family.name: family for family in self.describe()}
        for gpu in self._gpus:
            families["scintiflow_gpu_info"].add_metric((*gpu.labels, gpu.product), 1)
            for name, value in gpu.figures():
                families[name].add_metric(gpu.labels, value)
        return list(families.values())


@dataclass
class _Gpu:
    """One GPU, and what has to be remembered of it from scrape to scrape."""

    nvml: Any
    handle: Any
    index: int
    _faults: int = 0
    _samples: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = (str(self.index), str(self.nvml.nvmlDeviceGetUUID(self.handle)))
        self.product = str(self.nvml.nvmlDeviceGetName(self.handle))
        self._events = None
        with suppress(self.nvml.NVMLError):
            events = self.nvml.nvmlEventSetCreate()
            self.nvml.nvmlDeviceRegisterEvents(self.handle, _XID, events)
            self._events = events
        with suppress(self.nvml.NVMLError):
            if self.nvml.nvmlGpmQueryDeviceSupport(self.handle).isSupportedDevice:
                self._samples = [self._sampled(self.nvml.nvmlGpmSampleAlloc()) for _ in range(2)]

    def figures(self) -> Iterator[tuple[str, float]]:
        """Yield name and value of all that this GPU can tell."""
        for figure in _FIGURES:
            with suppress(self.nvml.NVMLError):
                yield figure.name, figure.read(self.nvml, self.handle)
        with suppress(self.nvml.NVMLError):
            yield "scintiflow_gpu_energy_joules", self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle) / 1000
        if self._events is not None:
            yield "scintiflow_gpu_xid_errors", float(self._counted_faults())
        if self._samples:
            with suppress(self.nvml.NVMLError):
                yield from self._activities()

    def _counted_faults(self) -> int:
        with suppress(self.nvml.NVMLError):  # there is none left
            while True:
                self.nvml.nvmlEventSetWait_v2(self._events, 0)
                self._faults += 1
        return self._faults

    def _activities(self) -> Iterator[tuple[str, float]]:
        """Compare a new sample with that of the last scrape."""
        self._samples = [self._samples[1], self._sampled(self._samples[0])]
        asked = self.nvml.c_nvmlGpmMetricsGet_t()
        asked.version, asked.numMetrics = self.nvml.NVML_GPM_METRICS_GET_VERSION, len(_ACTIVITIES)
        asked.sample1, asked.sample2 = self._samples
        for place, number in enumerate(_ACTIVITIES):
            asked.metrics[place].metricId = number
        self.nvml.nvmlGpmMetricsGet(asked)
        for place, (name, _) in enumerate(_ACTIVITIES.values()):
            if asked.metrics[place].nvmlReturn == self.nvml.NVML_SUCCESS:
                yield name, asked.metrics[place].value / 100

    def _sampled(self, sample: Any) -> Any:
        self.nvml.nvmlGpmSampleGet(self.handle, sample)
        return sample
