"""Structural similarity, at one scale and at five."""

import math
from collections.abc import Iterator, Sequence
from ctypes import c_double, c_int, c_size_t, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.library import library
from imgdiff.engine.strips import Rows, Strip, Window
from imgdiff.engine.white import luma, on_white

_sizes = [c_size_t] * 2
library.ssim_lack.argtypes = (*[c_void_p] * 3, *_sizes, c_void_p, *[c_double] * 2, c_int)
library.ssim_lack.restype = c_double

type Flags = NDArray[np.uint8]
type Samples = NDArray[np.unsignedinteger[Any]]

# The constants of Wang et al. 2004: windows of 11 by 11 pixels, under a Gaussian of 1.5 pixels.
_RADIUS = 5
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03
_LARGEST = 255
_LEAST_SIDE = 2 * _RADIUS + 1

_WEIGHTS = np.exp(-0.5 * (np.arange(_RADIUS + 1) / _SIGMA) ** 2)
_WEIGHTS /= _WEIGHTS[0] + 2 * _WEIGHTS[1:].sum()

# The exponents of Wang et al. 2003, from the finest scale to the coarsest.
_EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


class Ssim:
    """Mean structural similarity.

    That of Wang, Bovik, Sheikh and Simoncelli, "Image Quality Assessment: From Error Visibility to
    Structural Similarity", 2004, with their constants, over the windows that lie wholly inside the
    image and whose centre counts. scikit-image gives the same with ``gaussian_weights=True,
    sigma=1.5, use_sample_covariance=False, data_range=255``.

    Parameters
    ----------
    width, height : int
        Size of the images.
    """

    def __init__(self, width: int, height: int) -> None:
        self._height = height
        self._large = min(width, height) >= _LEAST_SIDE
        self._window: Window[np.uint8] = Window(_RADIUS, height)
        self._windows = 0
        self._lacks = np.zeros(5)

    def add(self, strip: Strip) -> None:
        """Measure the next strip."""
        if not self._large:
            return
        flags = [] if strip.counted is None else [strip.counted]
        rows = self._window.slide(strip.source, strip.target, strip.changed, *flags)
        source, target, changed, *flags = _with_neighbours(rows, self._height)
        self._windows += _windows(changed, flags)
        # Windows in which nothing has changed lack nothing.
        seen = _surroundings(changed)
        if seen is None:
            return
        counted = [flag[seen] for flag in flags]
        planes = zip(_planes(source[seen]), _planes(target[seen]), strict=True)
        self._lacks += [_lack(mine, theirs, counted) for mine, theirs in planes]

    def result(self) -> dict[str, Any]:
        """Return ``ssim``, of the luma, and ``ssim_min_channel``, the least of R, G, B and alpha.

        Pixels are laid on white. Both are None where the images are under 11 pixels in a side, or
        no window's centre counts.
        """
        if not self._windows:
            return {"ssim": None, "ssim_min_channel": None}
        of_luma, *of_channels = (1 - self._lacks / self._windows).tolist()
        return {"ssim": of_luma, "ssim_min_channel": min(of_channels)}


class MultiScaleSsim:
    """Multi-scale structural similarity of the luma, of pixels laid on white.

    That of Wang, Simoncelli and Bovik, "Multi-Scale Structural Similarity for Image Quality
    Assessment", 2003: the product of what contrast and structure have in common at four scales and
    of the similarity at the fifth, each to a power of its own. From scale to scale the mean is
    taken of two by two pixels; an odd row or column at the end is dropped. At each scale the mean
    runs as for `Ssim`, and a pixel counts where all four do that it was made of. Negative means
    count as 0.

    Parameters
    ----------
    width, height : int
        Size of the images.
    """

    def __init__(self, width: int, height: int) -> None:
        coarsest = len(_EXPONENTS) - 1
        large = min(width, height) >> coarsest >= _LEAST_SIDE
        levels = range(len(_EXPONENTS)) if large else ()
        self._scales = [_Scale(height, level, luminance=level == coarsest) for level in levels]

    def add(self, strip: Strip) -> None:
        """Measure the next strip."""
        source = luma(on_white(strip.source))
        target = luma(on_white(strip.target)) if strip.changed.any() else source
        rows: list[Samples] = [source.astype(np.uint16), target.astype(np.uint16)]
        if strip.counted is not None:
            rows.append(strip.counted)
        for scale in self._scales:
            rows = scale.add(rows)

    def result(self) -> dict[str, Any]:
        """Return ``ms_ssim``; None under 176 pixels in a side, or where no window counts."""
        if not (self._scales and all(scale.windows for scale in self._scales)):
            return {"ms_ssim": None}
        means = (max(0.0, 1 - scale.lack / scale.windows) for scale in self._scales)
        return {"ms_ssim": math.prod(map(pow, means, _EXPONENTS))}


class _Scale:
    """What is found of one scale.

    Its planes hold sums of the finest one's pixels, not means: of 256 at the fifth scale, which
    16 bits just hold.
    """

    def __init__(self, height: int, level: int, *, luminance: bool) -> None:
        self.windows = 0
        self.lack = 0.0
        self._height = height >> level
        self._largest = _LARGEST << 2 * level
        self._luminance = luminance
        self._window: Window[np.unsignedinteger[Any]] = Window(_RADIUS, self._height)
        self._odd: list[Samples] = []

    def add(self, rows: list[Samples]) -> list[Samples]:
        """Measure the next rows of source, target and, unless all do, what counts.

        Returns
        -------
        list of ndarray
            Rows of the same at the next scale.
        """
        source, target, *counted = _with_neighbours(self._window.slide(*rows), self._height)
        self.windows += _windows(source, counted)
        self.lack += _lack(
            source, target, counted, largest=self._largest, luminance=self._luminance
        )
        if self._odd:
            rows = [np.concatenate(both) for both in zip(self._odd, rows, strict=True)]
        even = len(rows[0]) // 2 * 2
        self._odd = [array[even:].copy() for array in rows]
        combine = (np.add, np.add, np.bitwise_and)
        return [_halved(array[:even], how) for array, how in zip(rows, combine, strict=False)]


def _with_neighbours[T: np.generic](rows: Rows[T], height: int) -> list[NDArray[T]]:
    """The rows of windows that lie wholly inside, and their neighbours; or no rows."""
    begin = max(rows.begin, _RADIUS - rows.top)
    end = min(rows.end, height - _RADIUS - rows.top)
    around = slice(begin - _RADIUS, end + _RADIUS) if begin < end else slice(0)
    return [array[around] for array in rows.arrays]


def _windows(plane: NDArray[Any], counted: Sequence[NDArray[Any]]) -> int:
    """How many windows there are of which the centre counts."""
    centres = (counted[0] if counted else plane)[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS]
    return int(np.count_nonzero(centres)) if counted else centres.size


def _surroundings(changed: Flags) -> tuple[slice, slice] | None:
    """The box of all windows that have something changed in them."""
    sides = [np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0)]
    if not len(sides[0]):
        return None
    rows, columns = (
        slice(max(0, int(side[0]) - 2 * _RADIUS), int(side[-1]) + 2 * _RADIUS + 1) for side in sides
    )
    return rows, columns


def _planes(rgba: NDArray[np.uint8]) -> Iterator[Samples]:
    """Luma, R, G and B on white, and alpha."""
    white = on_white(rgba)
    yield luma(white).astype(np.uint16)
    for channel in range(4):
        yield white[..., channel].astype(np.uint16)


def _lack(
    source: Samples,
    target: Samples,
    counted: Sequence[Samples],
    *,
    largest: int = _LARGEST,
    luminance: bool = True,
) -> float:
    """What the windows whose centre counts lack, all together, of a similarity of 1.

    Parameters
    ----------
    source, target : ndarray of uint16, shape (rows, width)
    counted : sequence of ndarray of uint8, shape (rows, width)
        One array, or none where all count.
    largest : int
        The largest sample there can be.
    luminance : bool
        Whether the luminance term is a factor of the similarity.
    """
    rows, width = source.shape
    if rows < _LEAST_SIDE:
        return 0.0
    centres = np.ascontiguousarray(counted[0][_RADIUS:], np.uint8) if counted else None
    return float(
        library.ssim_lack(
            source.ctypes.data,
            target.ctypes.data,
            None if centres is None else centres.ctypes.data,
            width,
            rows,
            _WEIGHTS.ctypes.data,
            (_K1 * largest) ** 2,
            (_K2 * largest) ** 2,
            luminance,
        )
    )


def _halved(rows: Samples, combine: np.ufunc) -> Samples:
    """Each two by two samples in one; an odd column at the end is dropped."""
    pairs = combine(rows[0::2], rows[1::2])
    width = pairs.shape[1] // 2 * 2
    halved: Samples = combine(pairs[:, 0:width:2], pairs[:, 1:width:2])
    return halved
