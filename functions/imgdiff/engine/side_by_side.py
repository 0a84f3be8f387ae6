"""Source, target and what has changed, next to each other."""

from typing import override

import numpy as np
from numpy.typing import NDArray
from PIL import ImageDraw, ImageFont

from imgdiff.engine.colours import as_image, as_numbers, on_white
from imgdiff.engine.options import Colour
from imgdiff.engine.painters import Highlight, Painter
from imgdiff.engine.strips import Strip

_CAPTIONS = ("source", "target", "difference")
_BACKGROUND = np.array([[[234, 238, 242, 255]]], np.uint8)
_INK: Colour = (87, 96, 106)
# Of the captions, in pixels: a share of a panel's width, within what can be read.
_SMALLEST, _LARGEST, _SHARE = 12, 48, 32


class SideBySide(Painter):
    """Three panels with a caption above each; the last is the highlight.

    A panel is as wide as the image, or as its caption where that is wider.

    Parameters
    ----------
    width : int
        Of the images, in pixels.
    colour : tuple of int
        R, G and B of what marks changes.
    """

    def __init__(self, width: int, colour: Colour) -> None:
        size = min(max(width // _SHARE, _SMALLEST), _LARGEST)
        self._font = ImageFont.load_default(size)
        longest = max(round(self._font.getlength(caption)) for caption in _CAPTIONS)
        self._panel = max(width, longest)
        self._gap, self._header = size, 2 * size
        self._width = len(_CAPTIONS) * (self._panel + self._gap) - self._gap
        self._highlight = Highlight(colour)
        self._colours = np.insert(self._highlight.colours, 3, 255, axis=1).view(np.uint32)[:, 0]

    @override
    def size(self, width: int, height: int) -> tuple[int, int]:
        return self._width, self._header + height

    @override
    def paint(self, strip: Strip) -> NDArray[np.uint8]:
        rows, width = strip.changed.shape
        picture = self._background(rows)
        panels = (
            as_numbers(on_white(strip.source)),
            as_numbers(on_white(strip.target)),
            self._colours[self._highlight.paint(strip)],
        )
        for left, panel in zip(self._lefts(), panels, strict=True):
            as_numbers(picture)[:, left : left + width] = panel
        return picture if strip.top else np.concatenate((self._captions(), picture))

    def _lefts(self) -> range:
        return range(0, self._width, self._panel + self._gap)

    def _captions(self) -> NDArray[np.uint8]:
        image = as_image(self._background(self._header)).copy()
        draw = ImageDraw.Draw(image)
        for left, caption in zip(self._lefts(), _CAPTIONS, strict=True):
            middle = (left + self._panel / 2, self._header / 2)
            draw.text(middle, caption, _INK, self._font, anchor="mm")
        return np.asarray(image.convert("RGBA"))

    def _background(self, rows: int) -> NDArray[np.uint8]:
        background = np.empty((rows, self._width, 4), np.uint8)
        as_numbers(background)[:] = as_numbers(_BACKGROUND)
        return background
