"""Images are worked on in strips, so that no temporary is ever as large as an image."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# About what a core's second-level cache holds of two strips and their difference; with fewer, the
# calls for each strip begin to show.
_PIXELS_PER_STRIP = 1 << 16


def rows_per_strip(width: int) -> int:
    """How many rows a strip has; the last of an image may have fewer."""
    return max(1, _PIXELS_PER_STRIP // width)


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the half-open row ranges ``(top, bottom)`` that cover an image from top to bottom."""
    rows = rows_per_strip(width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


@dataclass(frozen=True, slots=True)
class Strip:
    """The next rows of two images that are examined.

    Attributes
    ----------
    top : int
        Row of the images that is the strip's first.
    source, target : ndarray of uint8, shape (rows, width, 4)
        R, G, B and alpha, not premultiplied, packed.
    changed : ndarray of uint8, shape (rows, width)
        1 where a pixel counts and any of its samples differs, else 0.
    counted : ndarray of uint8, shape (rows, width), or None
        1 where a pixel counts, else 0; None where all do.
    """

    top: int
    source: NDArray[np.uint8]
    target: NDArray[np.uint8]
    changed: NDArray[np.uint8]
    counted: NDArray[np.uint8] | None


class Rows[T: np.generic = np.uint8](NamedTuple):
    """Rows of arrays that go together, and which of them have all their neighbours.

    Attributes
    ----------
    arrays : list of ndarray
    top : int
        Row of the image that is the first of each array.
    begin, end : int
        Half-open range in the arrays: rows whose neighbours are here, or beyond the image's edge.
    """

    arrays: list[NDArray[T]]
    top: int
    begin: int
    end: int


class Window[T: np.generic = np.uint8]:
    """Rows that come in strips, seen with their neighbours above and below.

    Parameters
    ----------
    margin : int
        How many neighbours on either side.
    height : int
        Rows of the image.
    """

    def __init__(self, margin: int, height: int) -> None:
        self._margin = margin
        self._height = height
        self._held: list[NDArray[T]] = []
        self._top = 0
        self._done = 0

    def slide(self, *arrays: NDArray[T]) -> Rows[T]:
        """Append the next rows.

        Parameters
        ----------
        arrays : ndarray, shape (rows, ...)
            As many rows of each, and the same arrays each time.

        Returns
        -------
        Rows
            Each row of the image is in the range of exactly one, in order; a range may be empty.
        """
        joined = [
            np.concatenate(both) for both in zip(self._held, arrays, strict=True)
        ] if self._held else [*arrays]  # fmt: skip
        top, bottom = self._top, self._top + len(joined[0])
        done = self._done
        if bottom == self._height:
            self._done = bottom
        else:
            self._done = max(done, bottom - self._margin)
        self._top = max(top, self._done - self._margin)
        # Copied, as strips may be good only until the next.
        self._held = [array[self._top - top :].copy() for array in joined]
        return Rows(joined, top, done - top, self._done - top)
