"""The demo's contact sheet: every picture that came back, and in words why one did not."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_COLUMNS = 4  # two studies in a row, where two models read each
_WIDTH, _HEIGHT = 580, 480  # of a tile, its caption included
_CAPTION = 30
_PAPER, _INK = "#111418", "#e6e6e6"
_LETTERS_A_LINE = 54


def draw(path: Path, tiles: Sequence[tuple[str, NDArray[np.uint8] | str]]) -> None:
    """Write a PNG of `tiles`: each a caption, and an RGB picture [rows, cols, 3] or a text in its place."""
    rows = -(-len(tiles) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _WIDTH, rows * _HEIGHT), _PAPER)
    for number, (caption, content) in enumerate(tiles):
        tile = _picture(content) if isinstance(content, np.ndarray) else _words(content)
        ImageDraw.Draw(tile).text((12, 8), caption, _INK, ImageFont.load_default(16))
        sheet.paste(tile, (number % _COLUMNS * _WIDTH, number // _COLUMNS * _HEIGHT))
    sheet.save(path)


def _picture(pixels: NDArray[np.uint8]) -> Image.Image:
    tile = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    picture = Image.fromarray(pixels)
    picture.thumbnail((_WIDTH, _HEIGHT - _CAPTION))
    tile.paste(picture, ((_WIDTH - picture.width) // 2, _CAPTION))
    return tile


def _words(text: str) -> Image.Image:
    tile = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    lines = "\n".join(textwrap.wrap(text, _LETTERS_A_LINE))
    ImageDraw.Draw(tile).text((_WIDTH / 2, _HEIGHT / 2), lines, _INK, ImageFont.load_default(18), "mm", 8)
    return tile
