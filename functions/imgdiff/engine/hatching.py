"""Hatching: how pictures show what doesn't count.

Diagonal stripes of grey run over the pixels, wherever in the image they are by the same pattern.
"""

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.colours import where
from imgdiff.engine.strips import Strip

_PERIOD = 8
_STRIPE = 3
_GREY = 128
_WHITE = 255


def stripes(strip: Strip) -> NDArray[np.bool_] | None:
    """Where stripes run over a strip, shape (rows, width); None where all of it counts.

    These are the pixels that don't count of which ``(x + y) % 8 < 3``.
    """
    if strip.counted is None or strip.counted.all():
        return None
    rows, width = strip.counted.shape
    y = np.arange(strip.top, strip.top + rows) % _PERIOD
    # A row for each phase, of which the strip's are picked.
    phases = (np.add.outer(np.arange(_PERIOD), np.arange(width)) % _PERIOD) < _STRIPE
    found: NDArray[np.bool_] = phases[y] & (strip.counted == 0)
    return found


def striped(samples: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Samples under a stripe: a quarter of them and three of grey, halves rounded up."""
    return _quartered(samples, _GREY)


def hatched(colours: NDArray[np.uint8], strip: Strip) -> NDArray[np.uint8]:
    """Colours of a strip's pixels; of what doesn't count, a quarter on white, and hatched."""
    striping = stripes(strip)
    if striping is None or strip.counted is None:
        return colours
    faded = where(strip.counted, colours, _quartered(colours, _WHITE))
    return where(striping, striped(faded), faded)


def _quartered(samples: NDArray[np.integer], other: int) -> NDArray[np.uint8]:
    mixed = samples.astype(np.uint16)
    mixed += 3 * other + 2
    mixed //= 4
    return mixed.astype(np.uint8)
