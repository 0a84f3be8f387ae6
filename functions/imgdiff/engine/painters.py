"""The styles of a picture that shows one image's size: strips in, rows of colours out."""

from typing import Protocol, override

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.colours import looked_up, luma, on_white
from imgdiff.engine.hatching import hatch, striped, stripes
from imgdiff.engine.options import Colour
from imgdiff.engine.strips import Strip

type Samples = NDArray[np.uint8]

_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_STRIPE = striped(np.array(_BLACK, np.uint8))


class Painter(Protocol):
    """Makes rows of a picture.

    Attributes
    ----------
    palette : bytes or None
        R, G and B of at most 256 colours, which the rows are indices of; None for RGB.
    """

    palette: bytes | None = None

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height of the picture of images of this size."""
        return width, height

    def paint(self, strip: Strip) -> Samples:
        """The rows of a strip, shape (rows, width) for indices and (rows, width, 3) for RGB."""
        ...


class Highlight(Painter):
    """The source faded to light grey, and what has changed in a colour over it.

    As ImageMagick's ``compare`` has it: with the Rec. 601 luma Y of a source pixel on white,
    ``round(0.8*colour + 0.2*Y)``, halves rounded up; the colour of what is unchanged is white.

    Parameters
    ----------
    colour : tuple of int
        R, G and B of what marks changes.

    Attributes
    ----------
    colours : ndarray of uint8, shape (at most 256, 3)
        R, G and B of each index.
    """

    def __init__(self, colour: Colour) -> None:
        luma = np.arange(256)[:, np.newaxis]
        unchanged, changed = (
            (8 * np.array(over) + 2 * luma + 5) // 10 for over in (_WHITE, colour)
        )
        kinds = np.concatenate((unchanged, changed, striped(unchanged))).astype(np.uint8)
        self.colours, indices = np.unique(kinds, axis=0, return_inverse=True)
        self.palette = self.colours.tobytes()
        self._unchanged, self._changed, self._striped = (
            table.tobytes() for table in indices.astype(np.uint8).reshape(3, 256)
        )

    @override
    def paint(self, strip: Strip) -> Samples:
        shades = luma(strip.source)
        picture = looked_up(self._unchanged, shades)
        if strip.changed.any():
            changed = looked_up(self._changed, shades)
            picture = np.where(strip.changed, changed, picture)
        where = stripes(strip)
        if where is not None:
            picture = np.where(where, looked_up(self._striped, shades), picture)
        return picture


class Mask(Painter):
    """What has changed, in white on black."""

    palette = bytes((*_BLACK, *_WHITE, *_STRIPE))

    @override
    def paint(self, strip: Strip) -> Samples:
        where = stripes(strip)
        return strip.changed if where is None else np.where(where, np.uint8(2), strip.changed)


class Absolute(Painter):
    """``|source - target|`` of R, G and B on white; what doesn't count is black."""

    @override
    def paint(self, strip: Strip) -> Samples:
        picture = _distance(strip)
        where = stripes(strip)
        if where is not None:
            picture[where] = _STRIPE
        return picture


class Heatmap(Painter):
    """The largest difference of a pixel's R, G, B, all on white, and alpha, as a colour.

    Equal pixels are black. From there the scale goes with the square root of the difference, for
    small ones to be seen: from purple for 1, which any change has at least, through red, orange
    and yellow to white for 254 and 255.
    """

    _anchors: tuple[tuple[int, Colour], ...] = (
        (0, _BLACK),
        (1, (64, 16, 120)),
        (24, (205, 30, 50)),
        (72, (245, 130, 20)),
        (144, (255, 225, 60)),
        (254, _WHITE),
    )
    _hottest = 254
    _stripe = 255

    def __init__(self) -> None:
        differences, colours = zip(*self._anchors, strict=True)
        scale = np.sqrt(np.arange(self._hottest + 1))
        channels = [np.interp(scale, np.sqrt(differences), line) for line in np.transpose(colours)]
        heat = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
        self.palette = heat.tobytes() + bytes(_STRIPE)

    @override
    def paint(self, strip: Strip) -> Samples:
        colours = _distance(strip)
        alpha = _absolute(strip.source[..., 3], strip.target[..., 3]) * strip.changed
        picture = np.maximum(alpha, strip.changed)
        for channel in range(3):
            np.maximum(picture, colours[..., channel], out=picture)
        np.minimum(picture, self._hottest, out=picture)
        where = stripes(strip)
        return picture if where is None else np.where(where, np.uint8(self._stripe), picture)


class Overlay(Painter):
    """The target in its own colours, and what has changed under 60 % of a colour.

    Parameters
    ----------
    colour : tuple of int
        R, G and B of what marks changes.
    """

    def __init__(self, colour: Colour) -> None:
        self._share = np.array([3 * channel for channel in colour], np.uint16)

    @override
    def paint(self, strip: Strip) -> Samples:
        picture = on_white(strip.target)
        if strip.changed.any():
            under = picture.astype(np.uint16)
            under *= 2
            under += self._share + np.uint16(2)
            under //= 5
            np.copyto(
                picture, under, where=strip.changed[..., np.newaxis] != 0, casting="same_kind"
            )
        hatch(picture, strip)
        return picture


def _distance(strip: Strip) -> Samples:
    """Between colours on white, shape (rows, width, 3); 0 where nothing has changed."""
    if not strip.changed.any():
        return np.zeros((*strip.changed.shape, 3), np.uint8)
    distance = _absolute(on_white(strip.source), on_white(strip.target))
    distance *= strip.changed[..., np.newaxis]
    return distance


def _absolute(mine: Samples, theirs: Samples) -> Samples:
    return np.maximum(mine, theirs) - np.minimum(mine, theirs)
