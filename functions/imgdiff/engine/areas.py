"""Where images are compared: rectangles and a mask tell what counts."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.frame import Frame
from imgdiff.engine.pixels import eight_bit, pixels
from imgdiff.engine.rectangle import Rectangle
from imgdiff.engine.strips import strips

type Flags = NDArray[np.uint8]

# From here on, a mask's pixel is white.
_WHITE = 128


class Counted:
    """Which pixels of an image count.

    Parameters
    ----------
    width, height : int
        Its size.
    ignore, include : iterable of Rectangle
        What never counts; what alone does, where there is any.
    mask : Frame or None
        Of that size; what is black in it, or transparent, doesn't count.

    Attributes
    ----------
    pixels : int
        How many count.

    Raises
    ------
    Irregular
        The mask is damaged.
    """

    def __init__(
        self,
        width: int,
        height: int,
        ignore: Iterable[Rectangle],
        include: Iterable[Rectangle],
        mask: Frame | None,
    ) -> None:
        included = [rectangle.within(width, height) for rectangle in include]
        self._flags = np.full((height, width), not included, np.uint8)
        for left, top, right, bottom in included:
            self._flags[top:bottom, left:right] = 1
        for rectangle in ignore:
            left, top, right, bottom = rectangle.within(width, height)
            self._flags[top:bottom, left:right] = 0
        if mask:
            for (top, bottom), strip in zip(strips(width, height), pixels(mask), strict=True):
                self._flags[top:bottom] &= _is_white(eight_bit(strip))
        self.pixels = int(np.count_nonzero(self._flags))

    def rows(self, top: int, bottom: int) -> Flags:
        """1 for each pixel of these rows that counts, else 0."""
        return self._flags[top:bottom]


def _is_white(rgba: NDArray[np.uint8]) -> NDArray[np.bool_]:
    wide = rgba.astype(np.uint32)
    # Rec. 601, of what shows on black.
    luma = (wide[..., 0] * 299 + wide[..., 1] * 587 + wide[..., 2] * 114) * wide[..., 3]
    return luma >= _WHITE * 1000 * 255
