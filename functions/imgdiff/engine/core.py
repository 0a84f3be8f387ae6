"""The core of a comparison: `core.c`, loaded.

It takes rows of both images, undoes the filters of a PNG, and makes of them sums and rows of the
difference image, outside the interpreter's lock.
"""

from ctypes import Structure, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from ctypes import create_string_buffer as zeros
from functools import cache

import numpy as np

from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.library import library
from imgdiff.engine.scanlines import Irregular
from imgdiff.engine.strips import rows_per_strip

library.size_of.argtypes = (c_uint32,)
library.size_of.restype = c_size_t
library.begin.argtypes = (c_void_p, *[c_uint32] * 5)
library.begin.restype = None
library.add.argtypes = (c_void_p, c_void_p, c_void_p, c_uint32, c_void_p, c_void_p)
library.add.restype = c_int
library.palette.argtypes = (c_void_p,)
library.palette.restype = c_size_t


class Figures(Structure):
    """Sums over all rows so far.

    Differences are counted in 255ths of an 8-bit step, in which R·α, G·α, B·α and 255·α are
    integers, as are the R, G and B of opaque pixels.

    Attributes
    ----------
    squares, absolutes : int
        Exact sum of squared and of absolute sample differences.
    changed : int
        Pixels of which any compared sample differs.
    largest : int
        Largest absolute sample difference.
    transparent : int
        Not 0 if any pixel of either image is not opaque.
    left, top, right, bottom : int
        Smallest half-open box that holds every changed pixel; of no meaning if there is none.
    """

    squares: int
    absolutes: int
    changed: int
    largest: int
    transparent: int
    left: int
    top: int
    right: int
    bottom: int
    _fields_ = (
        *((name, c_uint64) for name in ("squares", "absolutes", "changed")),
        *((name, c_uint32) for name in ("largest", "transparent")),
        *((name, c_uint32) for name in ("left", "top", "right", "bottom")),
    )


class Tally:
    """Two frames on their way through the core.

    Parameters
    ----------
    source, target : Frame
        Of one size; their strips are not read here.
    shown : bool
        Whether to make the rows of the difference image.

    Attributes
    ----------
    figures : Figures
        What has been found so far.
    """

    def __init__(self, source: Frame, target: Frame, *, shown: bool) -> None:
        width = source.width
        self._row_bytes = source.row_bytes, target.row_bytes
        self._comparison = zeros(library.size_of(width))
        self.figures = Figures.from_buffer(self._comparison)
        library.begin(
            *(self._comparison, width),
            *(source.channels, source.filtered, target.channels, target.filtered),
        )
        self._most_rows = min(source.height, rows_per_strip(width))
        self._picture = np.empty((self._most_rows, 1 + width), np.uint8) if shown else None

    def add(
        self, source: Samples, target: Samples | None, changed: Samples | None = None
    ) -> Samples | None:
        """Measure and draw the next strip.

        Parameters
        ----------
        source, target : ndarray of uint8
            Strips as the frames yield them; None for a target that is the source again.
        changed : ndarray of uint8, shape (rows, width), or None
            Where to put 1 for every pixel that has changed, and 0 for others.

        Returns
        -------
        ndarray of uint8, shape (rows, 1 + width), or None
            Palette indices of the difference image, each row behind a PNG's filter type; good
            until the next call. None where it is not shown.

        Raises
        ------
        Irregular
            A row has a filter that nobody knows.
        """
        rows = len(source)
        picture = None if self._picture is None else self._picture[:rows]
        sound = library.add(
            self._comparison,
            self._address(source, rows, self._row_bytes[0]),
            None if target is None else self._address(target, rows, self._row_bytes[1]),
            rows,
            None if picture is None else picture.ctypes.data,
            None if changed is None else changed.ctypes.data,
        )
        if not sound:
            raise Irregular
        return picture

    def _address(self, strip: Samples, rows: int, row_bytes: int) -> int:
        # The core takes its caller's word for how much there is.
        packed = strip.flags.c_contiguous and strip.nbytes == rows * row_bytes
        if not packed or rows > self._most_rows:
            raise ValueError(f"{strip.shape} are not {rows} packed rows of {row_bytes} bytes")
        return strip.ctypes.data


@cache
def palette() -> bytes:
    """The colours of the difference image, three bytes each."""
    colours = zeros(3 * 256)
    size = library.palette(colours)
    return colours.raw[:size]
