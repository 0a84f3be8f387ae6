"""The difference image: the source faded to light grey, every changed pixel in red over it.

The look of ImageMagick's ``compare``. With the 8-bit Rec. 601 luma Y of a source pixel, halves
rounded up:

- unchanged: ``round(204 + 0.2·Y)`` in all three channels
- changed: ``round(0.8·(241, 0, 30) + 0.2·Y)``
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine.png import PalettePng

_LUMA = np.arange(256)
_HIGHLIGHT = (241, 0, 30)


def _fade(colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """``round(0.8·colour + 0.2·Y)`` for every luma Y, shape (256, 3)."""
    tenths = 8 * np.array(colour) + 2 * _LUMA[:, np.newaxis]
    return ((tenths + 5) // 10).astype(np.uint8)


# Neighbouring lumas share a colour: the palette has each once, the indices lead to it.
_PALETTE, _INDICES = np.unique(
    np.concatenate([_fade((255, 255, 255)), _fade(_HIGHLIGHT)]), axis=0, return_inverse=True
)
_UNCHANGED, _CHANGED = _INDICES.astype(np.uint8).reshape(2, 256)


class Highlight:
    """A difference image under way, top to bottom.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._png = PalettePng(width, height, _PALETTE)

    def add(self, source: Image.Image, changed: NDArray[np.bool_]) -> None:
        """Append the next strip.

        Parameters
        ----------
        source : PIL.Image.Image
            The source's strip, mode RGB or RGBA; what is transparent is laid on white.
        changed : ndarray of bool, shape (rows, width)
        """
        luma = np.asarray((source if source.mode == "RGB" else _on_white(source)).convert("L"))
        indices = _UNCHANGED[luma]
        indices[changed] = _CHANGED[luma[changed]]
        self._png.write(indices)

    def finish(self) -> bytes:
        """The encoded image, a palette PNG."""
        return self._png.finish()


def _on_white(strip: Image.Image) -> Image.Image:
    samples = np.asarray(strip).astype(np.uint16)
    colour, alpha = samples[..., :3], samples[..., 3:]
    # Both products together stay at or below 255², so 16 bit hold them and the rounding half.
    laid = (colour * alpha + 255 * (255 - alpha) + 127) // 255
    return Image.fromarray(laid.astype(np.uint8))
