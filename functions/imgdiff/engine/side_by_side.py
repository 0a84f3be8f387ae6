"""Source, target and what has changed, next to each other."""

from collections.abc import Iterator
from math import ceil
from typing import override

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from imgdiff.engine.colours import as_numbers
from imgdiff.engine.options import Colour
from imgdiff.engine.painters import Highlight, Painter
from imgdiff.engine.strips import Strip, strips
from imgdiff.engine.white import on_white

_CAPTIONS = ("source", "target", "difference")
_BACKGROUND = (234, 238, 242, 255)
_INK: Colour = (87, 96, 106)
# Of the captions, in pixels: a share of a panel's width, within what can be read.
_SMALLEST, _LARGEST, _SHARE = 12, 128, 32


class SideBySide(Painter):
    """Three panels with a caption above each; the last is the highlight.

    A panel is as wide as the image, or as its caption where that is wider.

    Parameters
    ----------
    width : int
        Of the images, in pixels.
    colour : tuple of int
        R, G and B of what marks changes.
    hatching : bool
        Whether there may be something that doesn't count.
    """

    def __init__(self, width: int, colour: Colour, *, hatching: bool) -> None:
        size = min(max(width // _SHARE, _SMALLEST), _LARGEST)
        self._font = ImageFont.load_default(size)
        longest = max(self._font.getlength(caption) for caption in _CAPTIONS)
        self._caption = ceil(longest)
        self._panel = max(width, self._caption)
        self._gap, self._header = size, 2 * size
        self._width = len(_CAPTIONS) * (self._panel + self._gap) - self._gap
        self._highlight = Highlight(colour, hatching=hatching)
        self._colours = np.insert(self._highlight.colours, 3, 255, axis=1).view(np.uint32)[:, 0]

    @override
    def size(self, width: int, height: int) -> tuple[int, int]:
        return self._width, self._header + height

    @override
    def head(self) -> Iterator[NDArray[np.uint8]]:
        inset = (self._panel - self._caption) // 2
        captions = [as_numbers(self._drawn(caption)) for caption in _CAPTIONS]
        for top, bottom in strips(self._width, self._header):
            rows = self._background(bottom - top)
            for left, caption in zip(self._lefts(), captions, strict=True):
                begin = left + inset
                as_numbers(rows)[:, begin : begin + self._caption] = caption[top:bottom]
            yield rows

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
        return picture

    def _lefts(self) -> range:
        return range(0, self._width, self._panel + self._gap)

    def _drawn(self, caption: str) -> NDArray[np.uint8]:
        width, height = self._caption, self._header
        image = Image.new("RGBA", (width, height), _BACKGROUND)
        middle = (width / 2, height / 2)
        ImageDraw.Draw(image).text(middle, caption, _INK, self._font, anchor="mm")
        return np.array(image)

    def _background(self, rows: int) -> NDArray[np.uint8]:
        background = np.empty((rows, self._width, 4), np.uint8)
        as_numbers(background)[:] = as_numbers(np.array([[_BACKGROUND]], np.uint8))
        return background
