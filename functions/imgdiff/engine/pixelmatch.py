"""What pixelmatch counts: `pixelmatch.c`, loaded."""

from ctypes import c_double, c_int, c_size_t, c_uint8, c_uint64, c_void_p
from typing import Any

import numpy as np

from imgdiff.engine.library import library
from imgdiff.engine.strips import Strip, Window

library.pixelmatch.argtypes = (
    *(c_void_p, c_void_p, c_size_t, c_size_t, c_uint64),
    *(c_size_t, c_size_t, c_double, c_uint8, c_int),
)
library.pixelmatch.restype = c_uint64

# Above every square of a distance between two colours, whose R, G and B are up to 255 apart.
_LARGEST = 35215
# The neighbours of a pixel tell whether it is anti-aliased, and theirs whether they are flat.
_MARGIN = 2


class Pixelmatch:
    """Counts the pixels that look different, as version 7.2.0 of the npm package does.

    Parameters
    ----------
    width, height : int
        Size of the images in pixels.
    threshold : float
        Distance of two colours that is let pass, from 0 to 1 for black and white.
    include_aa : bool
        Whether to count pixels that differ by anti-aliasing too.

    Notes
    -----
    Transparent pixels are seen on a checkerboard, as with the package.
    """

    def __init__(self, width: int, height: int, *, threshold: float, include_aa: bool) -> None:
        self._width = width
        self._limit = _LARGEST * threshold * threshold
        # The square of a distance grows with those of R, G and B.
        self._allowed = int(255 * threshold)
        self._include_aa = include_aa
        self._window = Window(_MARGIN, height)
        self._count = 0
        self._counted = 0

    def add(self, strip: Strip) -> None:
        """Count in the next strip."""
        flags = strip.counted
        self._counted += strip.changed.size if flags is None else int(np.count_nonzero(flags))
        window = self._window.slide(strip.source, strip.target)
        source, target = map(np.ascontiguousarray, window.arrays)
        if not source.shape == target.shape == (len(source), self._width, 4):
            raise ValueError(f"{source.shape} and {target.shape} are not rows of {self._width}")
        self._count += library.pixelmatch(
            *(source.ctypes.data, target.ctypes.data, self._width, len(source)),
            *(window.top * self._width, window.begin, window.end),
            *(self._limit, self._allowed, self._include_aa),
        )

    def result(self) -> dict[str, Any]:
        """Pixels that look different, and their share of those that count."""
        return {"pixelmatch": self._count, "pixelmatch_ratio": self._count / self._counted}
