"""Draws a finding: the scan as it is, the scan under the heat map, and the answer in words.

Dark means more counts, as bone scans are printed. Nothing drawn here names or identifies the patient.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from scintiflow.contracts.v1.finding_pb2 import Finding
from scintiflow.contracts.v1.study_pb2 import VIEW_ANTERIOR, VIEW_POSTERIOR, View
from scintiflow.results.greys import resized
from scintiflow.results.reading import DISCLAIMER, VIEW_NAMES, Reading, answer, remarks
from scintiflow.results.scan import Scan

WIDTH, HEIGHT = 1160, 900
CAPTION = "Region of influence, not lesion outline"

_SIDES: dict[View, tuple[str, str]] = {VIEW_ANTERIOR: ("R", "L"), VIEW_POSTERIOR: ("L", "R")}
"""Which side of the patient is on the left and on the right of each view; the posterior is seen from behind."""

_PANELS_TOP, _MARGIN, _GAP, _GROUP_GAP = 62, 20, 8, 24
_COLUMN, _COLUMN_WIDTH = 864, WIDTH - _MARGIN - 864
_BAR_HEIGHT = 14
_BAND_HEIGHT = 52
_LAST_LINE = HEIGHT - _BAND_HEIGHT - 48
_TEXTS = 128  # are kept, of some 50 KiB each; a picture has 28, and most are the same on all
_UNMARKED: WeakKeyDictionary[Scan, tuple[NDArray[np.uint8], int]] = WeakKeyDictionary()

_PAPER, _INK, _FAINT, _RULE, _BAND = (255,) * 3, (24,) * 3, (100,) * 3, (200,) * 3, (122, 20, 28)

# ColorBrewer YlOrRd: lightness falls steadily, so more influence is darker, and no step of it is grey like the scan.
_RAMP = ((255, 255, 178), (254, 217, 118), (254, 178, 76), (253, 141, 60), (240, 59, 32), (189, 0, 38))
_NEARLY_CERTAIN = 0.99
_STRONGEST = 0.65  # opacity at full influence: the scan stays visible beneath


_Colour = tuple[int, int, int]
_Box = tuple[int, int, int, int]
"""Left, top, right and bottom, which belong to it."""
_Paragraph = tuple[int, _Colour, str]
"""Font size, colour and text."""


def draw(reading: Reading) -> NDArray[np.uint8]:
    """Return the picture, [HEIGHT, WIDTH, RGB]: unmarked views, the same views marked, and the words."""
    sheet, left = _unmarked(reading.scan)
    sheet = sheet.copy()
    influence = influence_of(reading.finding)
    for view, grey in reading.scan.greys.items():
        left = _hang(sheet, _marked(grey, influence[view]), view, left)
    y = _write(sheet, 12, _answer(reading.finding))
    y = _draw_probability(sheet, y, reading.finding)
    y = _write(sheet, y, _provenance(reading.finding))
    y = _draw_scale(sheet, y + 16)
    _write(sheet, y, _caveats(reading))
    sheet[-_BAND_HEIGHT:] = _blank()[-_BAND_HEIGHT:]  # whatever was written below the column's end
    return sheet


def _unmarked(scan: Scan) -> tuple[NDArray[np.uint8], int]:
    """Return what the pictures of one scan have in common, and where its marked views begin; it goes with the scan."""
    if (drawn := _UNMARKED.get(scan)) is None:
        drawn = _UNMARKED[scan] = _draw_unmarked(scan)
    return drawn


def _draw_unmarked(scan: Scan) -> tuple[NDArray[np.uint8], int]:
    sheet, left = _blank().copy(), _MARGIN
    for view, grey in scan.greys.items():
        left = _hang(sheet, np.repeat(grey, 3, axis=1).reshape(*grey.shape, 3), view, left)
    left += _GROUP_GAP - _GAP
    _say(sheet, (left, 12), "Scan with heat map", 20, _INK)
    return sheet, left


@cache
def _blank() -> NDArray[np.uint8]:
    """Return what all pictures have in common."""
    sheet = np.full((HEIGHT, WIDTH, 3), _PAPER, np.uint8)
    _say(sheet, (_MARGIN, 12), "Scan", 20, _INK)
    _fill(sheet, (0, HEIGHT - _BAND_HEIGHT, WIDTH, HEIGHT), _BAND)
    _say(sheet, (WIDTH / 2, HEIGHT - _BAND_HEIGHT / 2), DISCLAIMER, 28, _PAPER, "mm")
    return sheet


def influence_of(finding: Finding) -> dict[View, NDArray[np.float32]]:
    """Return how much each map cell counts in each view, 0 to 1, [h, w/2].

    A cell is drawn as its share of the strongest cell *times the probability*, so that the map of a scan that the
    model finds normal stays pale instead of being stretched until it looks like disease. An empty map stays empty.
    """
    cells = np.frombuffer(finding.map.values, "<f4").reshape(finding.map.height, finding.map.width)
    scaled = cells * np.float32(finding.probability / max(float(cells.max(initial=0)), 1e-12))
    anterior, posterior = np.split(scaled, 2, axis=1)
    return {VIEW_ANTERIOR: anterior, VIEW_POSTERIOR: posterior}


def _marked(grey: NDArray[np.uint8], influence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Lay the heat map over a grey view; the map covers the whole view, whatever its number of cells."""
    height, width = grey.shape
    steps = (resized(influence, width, height) * 255).astype(np.uint16)
    steps <<= 8
    steps |= grey
    return np.take(_blends(), steps, axis=0)


@cache
def _blends() -> NDArray[np.uint8]:
    """Return what each step of influence makes of each grey, [256 x 256, 3]; no influence at all is transparent."""
    stops = np.linspace(0, 255, len(_RAMP))
    steps = np.arange(256)
    colours = np.stack([np.interp(steps, stops, channel) for channel in np.transpose(_RAMP)], 1, dtype=np.float32)
    opacity = (_STRONGEST * np.linspace(0, 1, 256, dtype=np.float32) ** 0.6)[:, None, None]
    greys = steps.astype(np.uint8)[:, None]
    return (greys * (1 - opacity) + colours[:, None] * opacity).astype(np.uint8).reshape(-1, 3)


def _hang(sheet: NDArray[np.uint8], panel: NDArray[np.uint8], view: View, left: int) -> int:
    """Put a view up, with its name above and the patient's sides in its corners; return where the next one goes."""
    height, width = len(panel), len(panel[0])
    right, bottom = left + width - 1, _PANELS_TOP + height - 1
    sheet[_PANELS_TOP : bottom + 1, left : right + 1] = panel
    _frame(sheet, (left, _PANELS_TOP, right, bottom), _RULE)
    _say(sheet, (left + width / 2, _PANELS_TOP - 5), VIEW_NAMES[view].capitalize(), 14, _FAINT, "md")
    for x, side in zip((left + 14, right - 14), _SIDES[view], strict=True):
        _say(sheet, (x, _PANELS_TOP + 8), side, 20, _INK, "mt")
    return left + width + _GAP


def _rounded(probability: float) -> str:
    """Return two digits, but never certainty."""
    if probability > _NEARLY_CERTAIN:
        return f"above {_NEARLY_CERTAIN}"
    return f"{probability:.2f}" if probability > 1 - _NEARLY_CERTAIN else f"below {1 - _NEARLY_CERTAIN:.2f}"


def _draw_probability(sheet: NDArray[np.uint8], y: int, finding: Finding) -> int:
    """Draw the probability as a bar from 0 to 1 with a tick at the threshold; return where to go on."""
    end, tick = (_COLUMN + round(part * _COLUMN_WIDTH) for part in (finding.probability, finding.threshold))
    _fill(sheet, (_COLUMN, y, end, y + _BAR_HEIGHT), _FAINT)
    _frame(sheet, (_COLUMN, y, _COLUMN + _COLUMN_WIDTH, y + _BAR_HEIGHT), _FAINT)
    _fill(sheet, (tick - 1, y - 4, tick + 1, y + _BAR_HEIGHT + 4), _INK)
    _say(sheet, (tick, y + _BAR_HEIGHT + 6), f"threshold {finding.threshold:g}", 13, _FAINT, "mt")
    return y + _BAR_HEIGHT + 36


def _draw_scale(sheet: NDArray[np.uint8], y: int) -> int:
    """Draw what the colours mean, on the white of a part of the scan without counts; return where to go on."""
    place = sheet[y : y + _BAR_HEIGHT, _COLUMN : _COLUMN + _COLUMN_WIDTH]
    place[:] = _scale()[: len(place)]
    _frame(sheet, (_COLUMN, y, _COLUMN + _COLUMN_WIDTH, y + _BAR_HEIGHT), _RULE)
    for value, anchor in ((0.0, "lt"), (0.5, "mt"), (1.0, "rt")):
        x = _COLUMN + value * _COLUMN_WIDTH
        _say(sheet, (x, y + _BAR_HEIGHT + 5), f"{value:g}", 13, _FAINT, anchor)
    return y + _BAR_HEIGHT + 30


@cache
def _scale() -> NDArray[np.uint8]:
    steps = np.tile(np.linspace(0, 1, _COLUMN_WIDTH, dtype=np.float32), (_BAR_HEIGHT, 1))
    return _marked(np.full(steps.shape, 255, np.uint8), steps)


def _answer(finding: Finding) -> Iterator[_Paragraph]:
    yield 24, _INK, f"{finding.label.capitalize()}?"
    yield 40, _INK, answer(finding).meaning
    yield 20, _INK, f"Probability {_rounded(finding.probability)}"


def _provenance(finding: Finding) -> Iterator[_Paragraph]:
    yield 15, _FAINT, f"Model {finding.model} {finding.model_version}, {finding.engine}, {finding.precision}"


def _caveats(reading: Reading) -> Iterator[_Paragraph]:
    yield 17, _INK, f"{CAPTION}."
    yield 15, _FAINT, "Colour: share of the strongest influence, times the probability."
    if not any(reading.finding.map.values):
        yield 15, _INK, "The heat map is empty: no region raised the probability."
    for remark in remarks(reading):
        yield 15, _INK, remark


def _write(sheet: NDArray[np.uint8], y: int, paragraphs: Iterator[_Paragraph]) -> int:
    """Write down the column from `y`; return where to go on. What does not fit is in the report."""
    for size, colour, text in paragraphs:
        for line in _lines(text, size, _COLUMN_WIDTH):
            if y > _LAST_LINE:
                _say(sheet, (_COLUMN, y), "More in the report.", 15, _FAINT)
                return y
            _say(sheet, (_COLUMN, y), line, size, colour)
            y += round(size * 1.3)
        y += 9
    return y


@lru_cache(_TEXTS)
def _lines(text: str, size: int, width: int) -> tuple[str, ...]:
    """Break `text` into lines no wider than `width` pixels; one long word is left whole."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and _font(size).getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return tuple(lines)


def _fill(sheet: NDArray[np.uint8], box: _Box, colour: _Colour) -> None:
    left, top, right, bottom = box
    sheet[top : bottom + 1, left : right + 1] = colour


def _frame(sheet: NDArray[np.uint8], box: _Box, colour: _Colour) -> None:
    """Draw a line of one pixel, inside the edges of a box."""
    left, top, right, bottom = box
    for x, y in ((left, top), (right, bottom)):
        _fill(sheet, (left, y, right, y), colour)
        _fill(sheet, (x, top, x, bottom), colour)


def _say(
    sheet: NDArray[np.uint8], place: tuple[float, float], text: str, size: int, colour: _Colour, anchor: str = "la"
) -> None:
    """Write one line as Pillow's `text` does, for which the letters are drawn but once."""
    (x, x_part), (y, y_part) = (divmod(value, 1) for value in place)
    paper, ink, (left, top) = _letters(text, size, colour, anchor, x_part, y_part)
    left, top = 3 * (int(x) + left), int(y) + top
    beneath = sheet.reshape(HEIGHT, -1)[top : top + len(ink), max(0, left) : left + ink.shape[1]]
    seen = slice(len(beneath)), slice(max(0, -left), max(0, -left) + beneath.shape[1])
    mixed = beneath * paper[seen] + ink[seen]
    beneath[:] = (mixed + (mixed >> 8)) >> 8  # a 255th, rounded


@lru_cache(_TEXTS)
def _letters(
    text: str, size: int, colour: _Colour, anchor: str, x: float, y: float
) -> tuple[NDArray[np.uint16], NDArray[np.uint16], tuple[int, int]]:
    """Draw a line of text.

    Returns:
        What it leaves of each value beneath it in 255ths, what it adds to that, [h, w x RGB] both, and where its corner
        lies from the place it is written at.
    """
    left, top, right, bottom = (round(edge) for edge in _font(size).getbbox(text, anchor=anchor))
    left, top = left - 1, top - 1  # a part of a pixel may push it further
    mask = Image.new("L", (right - left + 2, bottom - top + 2))
    ImageDraw.Draw(mask).text((x - left, y - top), text, 255, _font(size), anchor=anchor)
    covered = np.repeat(np.asarray(mask, np.uint16), 3, axis=1)
    return 255 - covered, covered * np.tile(np.array(colour, np.uint16), mask.width) + 128, (left, top)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font that Pillow carries; its wheels have FreeType, so it is never the bitmap one."""
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
