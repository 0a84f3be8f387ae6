"""Hatching: how pictures show what doesn't count.

Diagonal stripes of grey run over the pixels, wherever in the image they are by the same pattern.
"""

import numpy as np
from numpy.typing import NDArray

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
    x = np.arange(width) % _PERIOD
    diagonal = np.add.outer(y.astype(np.uint8), x.astype(np.uint8)) % np.uint8(_PERIOD)
    found: NDArray[np.bool_] = (diagonal < _STRIPE) & (strip.counted == 0)
    return found


def striped(samples: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Samples under a stripe: a quarter of them, and three of grey, halves rounded up."""
    return _quartered(samples, _GREY)


def hatch(picture: NDArray[np.uint8], strip: Strip) -> None:
    """Fade what doesn't count to a quarter of it on white, and hatch it.

    Parameters
    ----------
    picture : ndarray of uint8, shape (rows, width, 3)
        R, G and B of the strip's pixels, which are changed in place.
    strip : Strip
    """
    where = stripes(strip)
    if where is None or strip.counted is None:
        return
    faded = strip.counted[..., np.newaxis] == 0
    np.copyto(picture, _quartered(picture, _WHITE), where=faded)
    np.copyto(picture, striped(picture), where=where[..., np.newaxis])


def _quartered(samples: NDArray[np.integer], other: int) -> NDArray[np.uint8]:
    return ((samples.astype(np.uint16) + (3 * other + 2)) // 4).astype(np.uint8)
