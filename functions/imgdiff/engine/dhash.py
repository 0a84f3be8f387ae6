"""How far apart two images' difference hashes are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.strips import Strip
from imgdiff.engine.white import luma, on_white

type Matrix = NDArray[np.float64]

_BITS_A_SIDE = 8
# What Pillow scales 8-bit samples with is in fractions of this.
_ONE = 1 << 22


class DHash:
    """Difference hashes: whether each of 8 by 8 places is lighter than the one to its left.

    They are those of imagehash's ``dhash`` with a ``hash_size`` of 8 over Pillow 13, bit for bit:
    the luma of the pixels, laid on white, is scaled to 9 by 8 with the Lanczos filter. Pillow
    rounds to 8 bits between the two directions, and takes the columns first where an image is that
    much higher than wide that this is less work.

    Parameters
    ----------
    width, height : int
        Size of the images.
    """

    def __init__(self, width: int, height: int) -> None:
        size = _BITS_A_SIDE + 1, _BITS_A_SIDE
        self._along, self._down = _lanczos(width, size[0]), _lanczos(height, size[1])
        self._down_first = height - size[1] > max(0, 2 * (width - size[0]))
        # Of source and target.
        self._sums = np.zeros((2, size[1], width if self._down_first else size[0]))

    def add(self, strip: Strip) -> None:
        """Measure the next strip."""
        source = self._scaled(strip.source, strip.top)
        changed = strip.changed.any()
        self._sums += source, self._scaled(strip.target, strip.top) if changed else source

    def result(self) -> dict[str, Any]:
        """Return ``dhash``: in how many of 64 bits the two differ."""
        source, target = map(self._hash, self._sums)
        return {"dhash": int(np.count_nonzero(source != target))}

    def _scaled(self, rgba: NDArray[np.uint8], top: int) -> Matrix:
        """What rows add to the sums."""
        samples = luma(on_white(rgba)).astype(np.float64)
        if not self._down_first:
            samples = _rounded(samples @ self._along.T)
        return self._down[:, top : top + len(rgba)] @ samples

    def _hash(self, sums: Matrix) -> NDArray[np.bool]:
        samples = _rounded(sums)
        if self._down_first:
            samples = _rounded(samples @ self._along.T)
        return samples[:, 1:] > samples[:, :-1]


def _rounded(sums: Matrix) -> Matrix:
    return np.clip(np.floor(sums / _ONE + 0.5), 0, 255)


def _lanczos(size: int, wanted: int) -> Matrix:
    """What each of so many samples weighs in each of those wanted, in integer parts of `_ONE`.

    Sums of products with 8-bit samples are exact, whatever their order.

    Returns
    -------
    ndarray of float64, shape (wanted, size)
    """
    scale = size / wanted
    stretch = max(1.0, scale)
    centres = (np.arange(wanted)[:, np.newaxis] + 0.5) * scale
    samples = np.arange(size)
    reach = 3 * stretch
    near = (samples >= np.floor(centres - reach + 0.5)) & (
        samples < np.floor(centres + reach + 0.5)
    )
    offsets = (samples - centres + 0.5) / stretch
    weights = np.where(near & (abs(offsets) < 3), np.sinc(offsets) * np.sinc(offsets / 3), 0)
    weights *= _ONE / weights.sum(axis=1, keepdims=True)
    return np.trunc(weights + np.copysign(0.5, weights))
