"""The difference image: the source faded to light grey, every changed pixel in red over it.

The look of ImageMagick's ``compare``. With the 8-bit Rec. 601 luma Y of a source pixel, halves
rounded up:

- unchanged: ``round(204 + 0.2·Y)`` in all three channels
- changed: ``round(0.8·(241, 0, 30) + 0.2·Y)``
"""

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.frame import Samples
from imgdiff.engine.measure import is_opaque, spread_alpha, words
from imgdiff.engine.png import PalettePng
from imgdiff.engine.strips import Floats

_LUMA = np.arange(256, dtype=np.uint8)
_HIGHLIGHT = (241, 0, 30)
# Rec. 601 as Pillow's mode L has it, of 65536. Sums of such multiples of 2**-16 below 2**8 are
# exact in single precision.
_RED, _GREEN, _BLUE = (np.uint32(weight) for weight in (19595, 38470, 7471))
_LUMA_WEIGHTS = np.array([_RED, _GREEN, _BLUE], np.float32) / 65536


def _fade(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """``round(0.8·colour + 0.2·Y)`` for every luma Y, shape (256, 3)."""
    tenths = 8 * np.array(colour) + 2 * _LUMA.astype(int)[:, np.newaxis]
    faded: Samples = ((tenths + 5) // 10).astype(np.uint8)
    return faded


def _fifths(luma: Samples, rounding: int) -> Samples:
    """``(luma + rounding) // 5``, in bytes."""
    # Numpy takes ten times as long for the minimum with a number.
    fifths: NDArray[np.uint8] = np.minimum(luma, np.full_like(luma, 255 - rounding))
    fifths += np.uint8(rounding)
    fifths //= np.uint8(5)
    return fifths


def _unchanged(luma: Samples) -> Samples:
    """Palette indices, 0 to 51: five lumas fade to one grey."""
    return _fifths(luma, 2)


def _step_to_changed(luma: Samples) -> Samples:
    """What leads from there to the indices 52 to 154: red, being a fraction, steps in between."""
    return _fifths(luma, 1) + np.uint8(52)


_PALETTE = np.zeros((155, 3), np.uint8)
_PALETTE[_unchanged(_LUMA)] = _fade((255, 255, 255))
_PALETTE[_unchanged(_LUMA) + _step_to_changed(_LUMA)] = _fade(_HIGHLIGHT)


class Highlight:
    """A difference image under way, top to bottom.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    floats : Floats
        Room to work in.
    """

    def __init__(self, width: int, height: int, floats: Floats) -> None:
        self._png = PalettePng(width, height, _PALETTE)
        self._floats = floats

    def add(
        self,
        source: Samples,
        changed: NDArray[np.bool_] | None,
        rows: NDArray[np.intp] | None,
    ) -> None:
        """Append the next strip.

        Parameters
        ----------
        source : ndarray of uint8, shape (rows, width, 3 or 4)
            The source's strip; what is transparent is laid on white.
        changed : ndarray of bool, shape (rows, width), or None
            The changed pixels, if there are any.
        rows : ndarray of int, shape (rows shown,), or None
            Which row of the source is shown in each; None: one after the other.
        """
        luma = self._luma(source if is_opaque(source) else _on_white(source))
        indices = _unchanged(luma)
        if changed is not None:
            # Byte arithmetic takes a tenth of the time of a choice by mask.
            indices += _step_to_changed(luma) * changed
        self._png.write(indices if rows is None else indices[rows])

    def finish(self) -> bytes:
        """The encoded image, a palette PNG."""
        return self._png.finish()

    def _luma(self, samples: Samples) -> Samples:
        if samples.shape[2] == 4:
            return _luma_of_words(words(samples))
        floats = self._floats.room(samples.size)
        floats[:] = samples.reshape(-1)
        luma = floats.reshape(-1, 3) @ _LUMA_WEIGHTS
        luma += np.float32(0.5)
        return luma.astype(np.uint8).reshape(samples.shape[:2])


def _luma_of_words(pixels: NDArray[np.uint32]) -> Samples:
    red, green, blue = (pixels >> shift & np.uint32(255) for shift in (0, 8, 16))
    luma: NDArray[np.uint32] = red * _RED + green * _GREEN + blue * _BLUE + np.uint32(0x8000) >> 16
    return luma.astype(np.uint8)


def _on_white(rgba: Samples) -> Samples:
    """``round((α·colour + (255 - α)·255) / 255)``; the fourth sample has no meaning."""
    # The same, from the other end: white less what the colour takes away. A product of bytes and
    # the rounding half fit 16 bit.
    taken = np.multiply(~rgba, spread_alpha(rgba), dtype=np.uint16)
    taken += np.uint16(127)
    taken //= np.uint16(255)
    return ~taken.astype(np.uint8)
