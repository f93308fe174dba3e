"""One stored object -> counts. Runs only in the child process: everything here meets what strangers sent."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.filereader import read_file_meta_info
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import as_pixel_options
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from scintiflow.decode.codestream import (
    BASELINE,
    EXTENDED,
    JPEG_LS,
    LOSSLESS,
    Announced,
    of_jpeg,
    of_jpeg_2000,
)
from scintiflow.decode.entropy import require_whole
from scintiflow.decode.offsets import require_order
from scintiflow.dicom.header import frame_count, number, numbers, text
from scintiflow.errors import Refused

ASSUMED_LENGTH_MM = 2400.0
"""Length of a whole-body frame whose pixel spacing is not given: 1024 rows of 2.34 mm are usual."""

MOST_COUNTS = 2.0**32
"""More in one pixel than 32 bits hold has come of no camera, and sums of it leave the range of single precision."""

_JPEG = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)
_JPEG_LS = (JPEGLSLossless, JPEGLSNearLossless)
_JPEG_2000 = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)

_DECODERS: dict[UID, str] = {
    **dict.fromkeys(_JPEG, "imagecodecs"),
    **dict.fromkeys(_JPEG_LS, "pyjpegls"),
    **dict.fromkeys(_JPEG_2000, "pylibjpeg"),
    RLELossless: "pylibjpeg",
}
"""Compressed transfer syntax -> the one plug-in that may decode it: a second opinion would be a second risk."""

_PROCESSES = {
    JPEGBaseline8Bit: (BASELINE,),
    JPEGExtended12Bit: (BASELINE, EXTENDED),
    JPEGLossless: (LOSSLESS,),
    JPEGLosslessSV1: (LOSSLESS,),
    JPEGLSLossless: (JPEG_LS,),
    JPEGLSNearLossless: (JPEG_LS,),
}
"""Transfer syntax -> how its pictures are coded; progressive scans, which any number of bytes may repeat, are none."""

_END_OF_IMAGE = b"\xff\xd9"
_MOST_PADDING = 16


def register_decoders() -> None:
    """Add our plug-in to pydicom, and import all others now, before memory is limited."""
    for syntax in _JPEG:
        get_decoder(syntax).add_plugin("imagecodecs", ("scintiflow.decode.jpeg", "decode_frame"))
    for syntax, plugin in _DECODERS.items():
        if plugin not in get_decoder(syntax).available_plugins:
            raise ImportError(f"The decoder for {syntax.name} is not installed.")


def counts_of(path: Path, frames: Sequence[int], most_bytes: int) -> tuple[NDArray[np.float32], tuple[float, float]]:
    """Decode frames, counted from 1.

    Negative values, which lossy compression and subtraction leave behind, become zero.

    Returns:
        Counts [frames, rows, cols], and row and column spacing in mm.

    Raises:
        Refused: dimensions are impossible or contradicted, or the pixels are no counts.
        Exception: whatever pydicom and the decoders raise on what they cannot read.
    """
    _require_plain_header(path)
    image = dcmread(path)
    _require_size(image, most_bytes)
    _require_high_bit(image)
    if image.file_meta.TransferSyntaxUID.is_encapsulated:
        require_order(image)
    slope, intercept = _rescale(image)
    counts = np.empty((len(frames), image.Rows, image.Columns), np.float32)
    for place, frame in zip(counts, frames, strict=True):
        place[...] = _stored_values(image, frame)
    if (slope, intercept) != (1.0, 0.0):
        counts *= np.float32(slope)
        counts += np.float32(intercept)
    if not counts.max() <= MOST_COUNTS:  # false for what is no number, too
        raise Refused("The pixels hold values that are no counts of a camera: send the scan with its counts.")
    np.maximum(counts, 0, out=counts)
    return counts, _pixel_mm(image)


def _require_plain_header(path: Path) -> None:
    """Do not inflate: 88 KB of a deflated data set can hold so many elements that reading them takes a minute."""
    if read_file_meta_info(path).TransferSyntaxUID.is_deflated:
        raise Refused("A deflated file is not read, because a small one may unfold to any size: send it uncompressed.")


def _require_size(image: Dataset, most_bytes: int) -> None:
    """Check what the header announces before anything is allocated for it."""
    if image.get("SamplesPerPixel", 1) != 1:
        raise Refused("The pixels are in colour: send the scan with its counts.")
    size = image.Rows * image.Columns * frame_count(image) * image.BitsAllocated // 8
    if not 0 < size <= most_bytes:
        raise Refused(f"The pixels would take {size >> 20} MiB, and {most_bytes >> 20} MiB are allowed.")


def _require_high_bit(image: Dataset) -> None:
    """Values that do not begin at the lowest bit would be read wrong, and nobody would see it (PS3.5 8.1.1)."""
    high, stored = number(image, "HighBit"), number(image, "BitsStored")
    native = not image.file_meta.TransferSyntaxUID.is_encapsulated
    if native and high is not None and stored is not None and high != stored - 1:
        raise Refused("High Bit is not the highest of Bits Stored, which is not read: send the scan with its counts.")


def _stored_values(image: Dataset, frame: int) -> NDArray[np.integer]:
    if not 1 <= frame <= frame_count(image):
        raise Refused("The header changed its number of frames: send the scan again.")
    syntax = image.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax not in _DECODERS:
        raise Refused(f"The pixels are compressed as {syntax.name}, which is not read: send the scan uncompressed.")
    if syntax.is_encapsulated:
        _require_fitting_codestream(image, frame, syntax)
    plugin = _DECODERS.get(syntax, "")
    values, _ = get_decoder(syntax).as_array(image, index=frame - 1, raw=True, decoding_plugin=plugin)
    if values.shape != (image.Rows, image.Columns):
        raise Refused("The pixels have other dimensions than the header says: send the scan again.")
    return values


def _require_fitting_codestream(image: Dataset, frame: int, syntax: UID) -> None:
    """Compare what the codestream announces with the header: a small codestream can announce gigabytes."""
    if syntax == RLELossless:  # announces nothing; its decoder allocates what the header says
        return
    stream = get_frame(
        image.PixelData,
        frame - 1,
        number_of_frames=frame_count(image),
        extended_offsets=as_pixel_options(image).get("extended_offsets"),
    )
    announced = of_jpeg_2000(stream) if syntax in _JPEG_2000 else of_jpeg(stream)
    if (announced.rows, announced.cols, announced.components) != (image.Rows, image.Columns, 1):
        raise Refused("The compressed pixels have other dimensions than the header says: send the scan again.")
    if announced.process not in _PROCESSES.get(syntax, (None,)):
        raise Refused(f"The compressed pixels are not {syntax.name}, as which they were sent: send the scan again.")
    _require_stated_values(image, announced)
    if _END_OF_IMAGE not in stream[-_MOST_PADDING:]:
        raise Refused("The compressed pixels are cut short: send the scan again.")
    if syntax in _JPEG:
        require_whole(stream, announced)


def _require_stated_values(image: Dataset, announced: Announced) -> None:
    """Values of another sign or of more bits would wrap, and nobody would see it (PS3.5 8.2.4)."""
    signed = bool(image.get("PixelRepresentation"))
    if announced.signed is not None and announced.signed != signed:
        raise Refused("The header and the compressed pixels disagree on the sign of values: send the scan again.")
    if announced.bits > image.BitsAllocated:
        raise Refused("The compressed pixels have more bits than the header says: send the scan again.")


def _rescale(image: Dataset) -> tuple[float, float]:
    """Return slope and intercept from stored values to counts (PS3.3 C.11.1), 1 and 0 when absent."""
    if "RescaleSlope" not in image:
        return 1.0, 0.0
    slope, intercept = number(image, "RescaleSlope"), number(image, "RescaleIntercept")
    if intercept is None and not text(image, "RescaleIntercept"):
        intercept = 0.0
    if not slope or slope < 0 or intercept is None:
        raise Refused("The rescale slope or intercept tells no counts: send the scan again.")
    return slope, intercept


def _pixel_mm(image: Dataset) -> tuple[float, float]:
    spacing = numbers(image, "PixelSpacing")
    if len(spacing) == 2 and min(spacing) > 0:
        return spacing[0], spacing[1]
    assumed = ASSUMED_LENGTH_MM / image.Rows
    return assumed, assumed
