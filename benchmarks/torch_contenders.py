"""What `benchmarks.engines` measures with torch, where there is a GPU: what else one would run, and the GPU's peak."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from benchmarks.contender import Contender, Run, noise
from benchmarks.subject import Subject
from scintiflow.errors import Refused
from scintiflow.inference.generator_manifest import GeneratorManifest

_SIDE, _PRODUCTS = 8192, 8
_RUNS_TO_WARM = 3  # it compiles, and then records a graph of kernels


def compiled(subject: Subject, flop: float, batches: Sequence[int]) -> Contender:
    """Return the model's network as torch compiles it, in f16; its weights are random, which takes as long.

    Every kernel of a run is recorded and played again, as in our sessions. `max-autotune` was seen to need more than a
    minute for 16 rows of VGG16 on an H200, and to beat cuDNN in its first convolution only.

    Raises:
        Refused: torch is not here or finds no GPU, or the workshop does not know the model.
    """
    torch = _torch()
    network = workshop_network(subject, "cuda").to(memory_format=torch.channels_last)

    def opened(rows: int) -> Run:
        given, fast = noise(subject.inputs, rows), torch.compile(network, mode="reduce-overhead", dynamic=False)
        for _ in range(_RUNS_TO_WARM):
            _answer(torch, fast, given)
        return lambda: _answer(torch, fast, given)

    return Contender(f"torch.compile {torch.__version__} f16, GPU", "f16", batches, flop, opened, on_gpu=True)


def workshop_network(subject: Subject, device: str) -> Any:
    """Return a model's network as the workshop builds it, with random weights.

    Raises:
        Refused: the workshop has none for it.
    """
    if isinstance(subject.manifest, GeneratorManifest):
        return _generator(subject.manifest.slots, device)
    try:
        workshop: Any = import_module(f"scintilab.{subject.manifest.name}.network")
    except ModuleNotFoundError as error:
        raise Refused(f"The workshop has no network for {subject.manifest.name}.") from error
    return import_module("scintilab.head").fold(workshop.Network().eval()).to(device)


def _generator(slots: int, device: str) -> Any:
    torch = import_module("torch")
    flow, tokeniser, graph, weights, main = (
        import_module(f"scintilab.generator.{name}") for name in ("flow", "tokeniser", "graph", "weights", "__main__")
    )
    nothing, one = (torch.full((tokeniser.CHANNELS, 1, 1), value) for value in (0.0, 1.0))
    learnt = weights.Weights(tokeniser.Tokeniser(), flow.Flow(slots), nothing, one)
    guidance = flow.Guidance(2.0, 1.0, torch.ones(slots, device=device), torch.zeros(slots, device=device))
    return graph.Generator(learnt, graph.unseen(), steps=main.STEPS, guidance=guidance).eval().to(device)


def gpu_peak() -> Contender:
    """Return products of matrices in f16 on the GPU; a row of one counts as a row of a batch.

    Raises:
        Refused: torch is not here, or finds no GPU.
    """
    torch = _torch()

    def opened(rows: int) -> Run:
        given, square = (torch.randn(side, _SIDE, dtype=torch.float16, device="cuda") for side in (rows, _SIDE))

        def run() -> None:
            for _ in range(_PRODUCTS):
                given @ square
            torch.cuda.synchronize()

        return run

    flop = 2.0 * _PRODUCTS * _SIDE**2
    return Contender("products of matrices, f16, GPU", "f16", (_SIDE,), flop, opened, on_gpu=True)


def _answer(torch: ModuleType, network: Any, given: Mapping[str, Any]) -> None:
    """Answer a batch that lies in the memory of the machine; the answer lies there, too."""
    with torch.inference_mode(), torch.autocast("cuda", torch.float16):
        for found in network(*(torch.from_numpy(values).cuda() for values in given.values())):
            found.cpu()


def _torch() -> ModuleType:
    try:
        torch = import_module("torch")
    except ModuleNotFoundError as error:
        raise Refused("torch is not installed.") from error
    if not torch.cuda.is_available():
        raise Refused("torch finds no GPU.")
    return torch
