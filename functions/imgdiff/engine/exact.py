"""Exact figures of pixels that are made already, of those alone that count."""

from dataclasses import dataclass, field
from typing import Protocol, override

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.core import Tally
from imgdiff.engine.found import Sums
from imgdiff.engine.frame import ArrayFrame
from imgdiff.engine.pixels import Pixels

type Flags = NDArray[np.uint8]

_WHITE = np.uint32(0xFFFFFFFF)
_MOST = 65535
# Pixels whose temporaries stay in the cache.
_PIECE = 1 << 13


class Exact(Protocol):
    """Sums up two images.

    Attributes
    ----------
    figures : Sums
        What has been found so far.
    largest : int
        The largest difference of two samples, in what the sums are counted in.
    """

    figures: Sums
    largest: int

    def add(self, source: Pixels, target: Pixels, counted: Flags | None) -> Flags:
        """Measure the next strips, both of shape (rows, width, 4).

        Returns
        -------
        ndarray of uint8, shape (rows, width)
            1 where a pixel counts and has changed, else 0.
        """
        ...


class Exact8(Exact):
    """Sums up images of 8 bits a sample."""

    largest = 255 * 255

    def __init__(self, width: int, height: int) -> None:
        # Of a frame, only how its rows lie is asked.
        frame = ArrayFrame(np.broadcast_to(np.uint8(0), (height, width, 4)), 1)
        self._tally = Tally(frame, frame, shown=False)
        self.figures = self._tally.figures

    @override
    def add(self, source: Pixels, target: Pixels, counted: Flags | None) -> Flags:
        changed = np.empty(source.shape[:2], np.uint8)
        mine, theirs = (np.ascontiguousarray(pixels, np.uint8) for pixels in (source, target))
        if counted is not None and not counted.all():
            # What doesn't count is made the same in both, and opaque.
            mine, theirs = (
                np.where(counted, pixels.view(np.uint32)[..., 0], _WHITE).view(np.uint8)
                for pixels in (mine, theirs)
            )
        self._tally.add(mine, theirs, changed)
        return changed


@dataclass(slots=True)
class _Sums:
    squares: int = 0
    absolutes: int = 0
    changed: int = 0
    largest: int = 0
    transparent: int = 0
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0


@dataclass(slots=True)
class Exact16(Exact):
    """Sums up images of 16 bits a sample, in 65535ths of a step."""

    figures: _Sums = field(default_factory=_Sums)
    largest: int = _MOST * _MOST
    _row: int = 0

    @override
    def add(self, source: Pixels, target: Pixels, counted: Flags | None) -> Flags:
        found = self.figures
        mine, theirs = _words(source), _words(target)
        differing = mine != theirs
        clear = (source[..., 3] < _MOST) | (target[..., 3] < _MOST)
        if counted is not None:
            differing &= counted != 0
            clear &= counted != 0
        found.transparent |= bool(clear.any())
        changed = np.zeros(differing.shape, np.uint8)
        if differing.any():
            mine, theirs = mine[differing], theirs[differing]
            pieces = [slice(place, place + _PIECE) for place in range(0, len(mine), _PIECE)]
            changed[differing] = np.concatenate(
                [self._sum(_distance(mine[piece], theirs[piece])) for piece in pieces]
            )
            self._widen(changed)
        self._row += len(source)
        return changed

    def _sum(self, distance: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Which of the pixels have changed, their distances having been summed up."""
        found = self.figures
        # A square has up to 64 bits: it is made of two halves, of which each product has 32.
        high, low = distance >> np.uint32(16), distance & np.uint32(0xFFFF)
        for shift, product in ((32, high * high), (17, high * low), (0, low * low)):
            found.squares += int(product.sum(dtype=np.uint64)) << shift
        found.absolutes += int(distance.sum(dtype=np.uint64))
        found.largest = max(found.largest, int(distance.max()))
        pairs = distance.view(np.uint64)
        # A fraction of the time that `any` takes along so short an axis.
        altered: NDArray[np.bool_] = (pairs[:, 0] | pairs[:, 1]) != 0
        return altered

    def _widen(self, changed: Flags) -> None:
        found = self.figures
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not len(rows):
            return
        if not found.changed:
            found.left, found.top = int(columns[0]), self._row + int(rows[0])
        found.left = min(found.left, int(columns[0]))
        found.right = max(found.right, int(columns[-1]) + 1)
        found.bottom = self._row + int(rows[-1]) + 1
        found.changed += int(changed.sum())


def _words(pixels: Pixels) -> NDArray[np.uint64]:
    """Each pixel's four samples as one number, which is quickly compared and picked out."""
    return np.ascontiguousarray(pixels, np.uint16).view(np.uint64)[..., 0]


def _distance(source: NDArray[np.uint64], target: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Between the premultiplied samples of pixels, shape (pixels, 4); 32 bits hold it."""
    mine, theirs = _premultiplied(source), _premultiplied(target)
    distance: NDArray[np.uint32] = np.maximum(mine, theirs) - np.minimum(mine, theirs)
    return distance


def _premultiplied(words: NDArray[np.uint64]) -> NDArray[np.uint32]:
    wide = words.view(np.uint16).reshape(-1, 4).astype(np.uint32)
    alpha = wide[:, 3:].copy()
    wide[:, 3] = _MOST
    wide *= alpha
    return wide
