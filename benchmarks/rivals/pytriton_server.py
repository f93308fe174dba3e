"""PyTriton, NVIDIA's Triton around a Python function: `python -m benchmarks.rivals.pytriton_server PORT MODEL_FOLDER`.

It speaks the same protocol as our service. What waits is gathered into batches as large as ours, the largest that the
engine takes at once: on a CPU one scan, of which a batch would only make the first wait for the last.
"""

import sys
from pathlib import Path

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.rivals.engine import opened
from scintiflow.inference.engine import INPUTS, OUTPUTS
from scintiflow.inference.session import Floats

_SHAPES = {"probability": (-1,), "logit": (-1,), "map": (-1, -1, -1)}


def main() -> None:
    """Serve until told to stop."""
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    engine = opened(folder)

    @batch
    def infer(canvas: Floats, present: Floats) -> dict[str, Floats]:
        said = engine.run(canvas, present)
        return {name: getattr(said, name) for name in OUTPUTS}

    config = TritonConfig(http_address="127.0.0.1", http_port=port, allow_grpc=False, allow_metrics=False)
    with Triton(config=config) as triton:
        triton.bind(
            folder.name,
            infer,
            inputs=[Tensor(name=name, dtype=np.float32, shape=shape) for name, shape in INPUTS.items()],
            outputs=[Tensor(name=name, dtype=np.float32, shape=_SHAPES[name]) for name in OUTPUTS],
            config=ModelConfig(max_batch_size=engine.sizes[-1]),
        )
        triton.serve()


if __name__ == "__main__":
    main()
