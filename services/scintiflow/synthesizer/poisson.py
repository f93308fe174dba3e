"""Poisson counts of half a million pixels at once, from tables.

The sum of independent Poisson counts is Poisson, so a pixel's count is drawn in two parts: that of the rate on the next
lower step of a fixed grid, from an alias table of that step (Walker, Electronics Letters 10:127, 1974), and that of
what is left. What is left is little: candidates are strewn over all pixels at one rate, and each is kept as often as
its pixel's share says (thinning). Probabilities are multiples of 2^-32, which is all that tells this from drawing each
pixel by itself; only the few bright ones are.
"""

from functools import cache
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from scintiflow.inference.session import Floats

BRIGHT = 16
"""Counts from which on a pixel is drawn by itself."""
STEPS = 32
"""Steps of the grid in one count."""
COLUMNS = 64
"""Of a table; brighter than this comes out of no faint pixel once in 10^17."""

_MOST = np.iinfo(np.uint16).max
_LOW = np.uint32(COLUMNS - 1)
_LOW_BITS = np.uint32(6)
_HIGH_BITS = np.uint32(26)
_CAPACITY = 1 << 26
_BLOCK = 1 << 15
"""Pixels whose numbers stay in the processor's cache."""


def poisson(expected: Floats, random: np.random.Generator) -> NDArray[np.uint16]:
    """Draw a count for each pixel.

    Args:
        expected: float32 of any shape, >= 0.
        random: the stream of the counts.

    Returns:
        uint16 of the same shape; what 16 bits do not hold is 65,535.
    """
    rates = expected.flatten()
    bright = np.flatnonzero(rates >= BRIGHT)
    counts_of_bright = np.minimum(random.poisson(rates[bright]), _MOST)
    rates[bright] = 0
    counts = np.empty(rates.shape, np.uint16)
    for first in range(0, rates.size, _BLOCK):
        block = slice(first, first + _BLOCK)
        counts[block] = _on_the_grid(rates[block], random)
    _add_what_is_left(counts, rates, random)
    counts[bright] = counts_of_bright
    return counts.reshape(expected.shape)


def _on_the_grid(rates: Floats, random: np.random.Generator) -> NDArray[np.uint32]:
    """Draw the counts of the steps below some rates, and leave in `rates` what is above them, in steps."""
    rates *= STEPS
    place = rates.astype(np.int32)
    rates -= place.astype(np.float32)
    words = random.bit_generator.random_raw(-(-rates.size // 2)).view(np.uint32)[: rates.size]
    column = words >> _HIGH_BITS
    words <<= _LOW_BITS
    place *= COLUMNS
    place += column.view(np.int32)
    entry = tables().take(place, mode="clip")  # nothing is out of bounds, and "raise" makes a copy to see it
    alias = entry & _LOW
    entry ^= alias
    # As np.where(words < entry, column, alias), for whose branches no processor has an eye.
    column -= alias
    column *= (words < entry).astype(np.uint32)
    column += alias
    return column


def _add_what_is_left(counts: NDArray[np.uint16], left: Floats, random: np.random.Generator) -> None:
    """Add a count to each pixel for every candidate that it keeps; `left` is in steps, below one."""
    candidates = random.integers(0, left.size, random.poisson(left.size / STEPS))
    kept = random.random(candidates.size, np.float32) < left[candidates]
    np.add.at(counts, candidates[kept], np.uint16(1))


@cache
def tables() -> NDArray[np.uint32]:
    """Return the alias tables of all steps, [BRIGHT * STEPS * COLUMNS].

    Of an entry, the lower 6 bits are the alias, the others (of 26) how often the column itself is drawn.
    """
    return np.concatenate([_table(step / STEPS) for step in range(BRIGHT * STEPS)])


def _table(rate: float) -> NDArray[np.uint32]:
    """Return one alias table, in whole numbers: every column takes the same share, of itself and of one other."""
    shares = _shares(rate)
    own, alias = [0] * COLUMNS, list(range(COLUMNS))
    small = [count for count, share in enumerate(shares) if share < _CAPACITY]
    large = [count for count, share in enumerate(shares) if share >= _CAPACITY]
    while small:
        count = small.pop()
        own[count], alias[count] = shares[count], large[-1]
        shares[large[-1]] -= _CAPACITY - shares[count]
        if shares[large[-1]] < _CAPACITY:
            small.append(large.pop())
    return np.array(own, np.uint32) << _LOW_BITS | np.array(alias, np.uint32)


def _shares(rate: float) -> list[int]:
    """Return the probability of each count in units of 2^-32; what rounding leaves goes to the likeliest."""
    counts = np.arange(COLUMNS)
    logs = np.array([lgamma(count + 1) for count in counts])
    chances = np.exp(counts * np.log(rate) - rate - logs) if rate else counts == 0
    shares: list[int] = np.floor(chances * 2.0**32).astype(np.int64).tolist()
    shares[int(np.argmax(chances))] += (1 << 32) - sum(shares)
    return shares
