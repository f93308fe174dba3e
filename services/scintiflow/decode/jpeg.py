"""A pydicom decoder plug-in for JPEG of more than 8 bits, which pillow cannot do: libjpeg-turbo by imagecodecs (BSD).

The names below are what `pydicom.pixels.decoders.base.Decoder.add_plugin` asks of a module.
"""

import imagecodecs
from pydicom.pixels.decoders.base import DecodeRunner
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

_SYNTAXES = (JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1)

DECODER_DEPENDENCIES = dict.fromkeys(_SYNTAXES, ("numpy", "imagecodecs"))


def is_available(uid: str) -> bool:
    """Tell pydicom that the plug-in can decode `uid`."""
    return uid in DECODER_DEPENDENCIES


def decode_frame(src: bytes, runner: DecodeRunner) -> bytes:
    """Return one frame as little-endian pixels of 8 or 16 bits."""
    pixels = imagecodecs.jpeg_decode(src)
    runner.set_option("bits_allocated", 8 * pixels.dtype.itemsize)
    return bytes(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
