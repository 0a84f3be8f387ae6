"""Colour differences as seen: CIEDE2000."""

from ctypes import POINTER, Structure, byref, c_double, c_size_t, c_uint32, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.library import library
from imgdiff.engine.strips import Strip
from imgdiff.engine.white import on_white

_STEPS_PER_UNIT = 1024
# No two colours of sRGB are as far apart.
_FARTHEST = 128


class _Found(Structure):
    sum: float
    noticeable: int
    _fields_ = (
        ("sum", c_double),
        ("noticeable", c_uint32),
        ("histogram", c_uint32 * (_FARTHEST * _STEPS_PER_UNIT)),
    )


library.ciede2000_of_lab.argtypes = (c_void_p, c_void_p, c_size_t, c_void_p)
library.ciede2000_of_lab.restype = None
library.ciede2000.argtypes = (c_void_p, c_void_p, c_size_t, c_void_p, POINTER(_Found))
library.ciede2000.restype = None

_SAMPLES = np.arange(256) / 255
# IEC 61966-2-1: the linear light of each sample.
_LINEAR = np.where(_SAMPLES > 0.04045, ((_SAMPLES + 0.055) / 1.055) ** 2.4, _SAMPLES / 12.92)


class Ciede2000:
    """Colour differences of pixels, laid on white.

    They go from sRGB to CIELAB under D65, 2°, with the constants of scikit-image's ``rgb2lab``, and
    are compared by `difference`.
    """

    def __init__(self) -> None:
        self._pixels = 0
        self._found = _Found()

    def add(self, strip: Strip) -> None:
        """Measure the next strip."""
        counted = strip.changed.size if strip.counted is None else np.count_nonzero(strip.counted)
        self._pixels += int(counted)
        if not strip.changed.any():
            return
        source, target = on_white(strip.source).copy(), on_white(strip.target).copy()
        # What differs in alpha alone may look the same.
        source[..., 3] = target[..., 3] = 0
        library.ciede2000(
            source.ctypes.data,
            target.ctypes.data,
            strip.changed.size,
            _LINEAR.ctypes.data,
            byref(self._found),
        )

    def result(self) -> dict[str, Any]:
        """What was found of all pixels that count, the equal ones included.

        Returns
        -------
        dict
            The mean difference as ``ciede2000``, the 95th percentile by nearest rank, to the
            nearest 1024th, as ``ciede2000_p95``, and the share of differences above 2.3, just
            noticeable ones, as ``ciede2000_noticeable``.
        """
        histogram = np.array(self._found.histogram, np.int64)
        histogram[0] += self._pixels - histogram.sum()
        rank = -(-95 * self._pixels // 100)
        return {
            "ciede2000": self._found.sum / self._pixels,
            "ciede2000_p95": int(np.searchsorted(histogram.cumsum(), rank)) / _STEPS_PER_UNIT,
            "ciede2000_noticeable": self._found.noticeable / self._pixels,
        }


def difference(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIEDE2000 of CIELAB colours, with kL = kC = kH = 1.

    The formula is as in Sharma, Wu and Dalal, "The CIEDE2000 Color-Difference Formula:
    Implementation Notes, Supplementary Test Data, and Mathematical Observations", 2005.

    Parameters
    ----------
    source, target : ndarray of float64, shape (colours, 3)
        L*, a* and b*.

    Returns
    -------
    ndarray of float64, shape (colours,)
    """
    source, target = (np.ascontiguousarray(colours, np.float64) for colours in (source, target))
    differences = np.empty(len(source))
    library.ciede2000_of_lab(
        source.ctypes.data, target.ctypes.data, len(source), differences.ctypes.data
    )
    return differences
