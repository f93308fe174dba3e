"""A graph -> the same one with its convolutions in eight bits; head and map stay in float32."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from scintiflow.inference.session import Floats

Scan = Mapping[str, Floats]
"""Inputs of the graph by name, of one row."""


def quantised(graph: bytes, scans: Iterable[Scan]) -> bytes:
    """Return `graph` with weights (each channel by itself) and inputs of convolutions in eight bits.

    What convolutions give stays in float32, so that engines may quantise it once, after rectifying and pooling, and
    the last one, of which head and map are made, not at all.

    Args:
        graph: ONNX, float32, or with weights in float16 that are widened where they are used.
        scans: between whose least and greatest value each input of a convolution is quantised.
    """
    logging.getLogger().setLevel(logging.ERROR)  # it recommends what `_widened` has done
    with TemporaryDirectory() as folder:
        wide, narrow = Path(folder) / "wide.onnx", Path(folder) / "narrow.onnx"
        _widened(graph, wide)
        quantize_static(
            wide,
            narrow,
            _Scans(scans),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"OpTypesToExcludeOutputQuantization": ["Conv"]},
        )
        return narrow.read_bytes()


class _Scans(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime tells no types
    def __init__(self, scans: Iterable[Scan]) -> None:
        self._scans: Iterator[Scan] = iter(scans)

    def get_next(self) -> Scan | None:
        return next(self._scans, None)


def _widened(graph: bytes, file: Path) -> None:
    """Write the graph with all weights in float32, as ONNX Runtime folds them."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(file)
    onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
