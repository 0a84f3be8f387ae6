"""The styles of a picture that shows one image's size: strips in, rows of colours out."""

from collections.abc import Iterator
from typing import Protocol, override

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.colours import distance, looked_up, where
from imgdiff.engine.hatching import hatched, striped, stripes
from imgdiff.engine.options import Colour
from imgdiff.engine.strips import Strip
from imgdiff.engine.white import luma, on_white

type Samples = NDArray[np.uint8]

_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)
_NOTHING = np.zeros((1, 1, 4), np.uint8)
_STRIPE = striped(_NOTHING)
_STRIPE_RGB = _STRIPE[0, 0, :3].tobytes()


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

    def head(self) -> Iterator[Samples]:
        """Rows above those of the images, as `paint` makes them."""
        return iter(())

    def paint(self, strip: Strip) -> Samples:
        """The rows of a strip: indices, shape (rows, width), or colours, (rows, width, 4)."""
        ...


class Highlight(Painter):
    """The source faded to light grey, and what has changed in a colour over it.

    As ImageMagick's ``compare`` has it: with the Rec. 601 luma Y of a source pixel on white,
    ``round(0.8*colour + 0.2*Y)``, halves rounded up; the colour of what is unchanged is white.

    Parameters
    ----------
    colour : tuple of int
        R, G and B of what marks changes.
    hatching : bool
        Whether there may be something that doesn't count.

    Attributes
    ----------
    colours : ndarray of uint8, shape (at most 256, 3)
        R, G and B of each index; by default those of the core, in the same order.
    """

    def __init__(self, colour: Colour, *, hatching: bool) -> None:
        shade = np.arange(256)[:, np.newaxis]
        unchanged, changed = (
            (8 * np.array(over) + 2 * shade + 5) // 10 for over in (_WHITE, colour)
        )
        kinds = [unchanged, changed, *([striped(unchanged)] if hatching else ())]
        colours = np.concatenate(kinds).astype(np.uint8)
        _, first, inverse = np.unique(colours, axis=0, return_index=True, return_inverse=True)
        # As they first come, not by size.
        order = np.argsort(first)
        self.colours = colours[first[order]]
        self.palette = self.colours.tobytes()
        indices = np.argsort(order)[inverse].astype(np.uint8).reshape(-1, 256)
        self._unchanged, self._changed, *self._striped = (table.tobytes() for table in indices)

    @override
    def paint(self, strip: Strip) -> Samples:
        shades = luma(on_white(strip.source))
        picture = looked_up(self._unchanged, shades)
        if strip.changed.any():
            picture = np.where(strip.changed, looked_up(self._changed, shades), picture)
        striping = stripes(strip)
        if striping is not None:
            picture = np.where(striping, looked_up(self._striped[0], shades), picture)
        return picture


class Mask(Painter):
    """What has changed, in white on black."""

    palette = bytes((*_BLACK, *_WHITE)) + _STRIPE_RGB

    @override
    def paint(self, strip: Strip) -> Samples:
        striping = stripes(strip)
        return strip.changed if striping is None else np.where(striping, np.uint8(2), strip.changed)


class Absolute(Painter):
    """``|source - target|`` of R, G and B on white; what doesn't count is black."""

    @override
    def paint(self, strip: Strip) -> Samples:
        picture = where(strip.changed, _distance(strip), _NOTHING)
        striping = stripes(strip)
        return picture if striping is None else where(striping, _STRIPE, picture)


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
        self.palette = heat.tobytes() + _STRIPE_RGB

    @override
    def paint(self, strip: Strip) -> Samples:
        colours = _distance(strip)
        picture = distance(strip.source[..., 3], strip.target[..., 3])
        for channel in range(3):
            np.maximum(picture, colours[..., channel], out=picture)
        np.clip(picture, 1, self._hottest, out=picture)
        picture *= strip.changed
        striping = stripes(strip)
        return picture if striping is None else np.where(striping, np.uint8(self._stripe), picture)


class Overlay(Painter):
    """The target in its own colours, and what has changed under 60 % of a colour.

    Parameters
    ----------
    colour : tuple of int
        R, G and B of what marks changes.
    """

    def __init__(self, colour: Colour) -> None:
        self._share = np.array([3 * channel + 2 for channel in (*colour, 0)], np.uint16)

    @override
    def paint(self, strip: Strip) -> Samples:
        picture = on_white(strip.target)
        if strip.changed.any():
            picture = where(strip.changed, self._under_colour(picture), picture)
        return hatched(picture, strip)

    def _under_colour(self, colours: Samples) -> Samples:
        rows, width, samples = colours.shape
        mixed = colours.reshape(rows, -1).astype(np.uint16)
        mixed *= 2
        mixed += np.tile(self._share, width)
        mixed //= 5
        return mixed.astype(np.uint8).reshape(rows, width, samples)


def _distance(strip: Strip) -> Samples:
    if not strip.changed.any():
        return np.zeros_like(strip.source)
    return distance(on_white(strip.source), on_white(strip.target))
