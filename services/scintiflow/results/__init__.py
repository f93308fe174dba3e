"""What leaves for the PACS: one finding in, one DICOM object out, one module a kind of object.

A new kind of result is one module with `VERSION` and `encode`, and one line in `ENCODERS`.
"""

from collections.abc import Callable

from pydicom.dataset import Dataset

from scintiflow.results import measurement_report, secondary_capture
from scintiflow.results.reading import DISCLAIMER, Reading
from scintiflow.results.scan import Scan

ENCODERS: dict[str, Callable[[Reading], Dataset]] = {
    measurement_report.KIND: measurement_report.encode,
    secondary_capture.KIND: secondary_capture.encode,
}
"""Kind of result -> what makes it. The same Reading always gives the same bytes."""

__all__ = ["DISCLAIMER", "ENCODERS", "Reading", "Scan"]
