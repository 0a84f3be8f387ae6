"""Rectangles of an image, in pixels or in shares of its sides."""

from dataclasses import dataclass
from math import ceil, floor

# Shares of a side come a hair over a whole pixel, which they don't touch.
_HAIR = 1e-6


@dataclass(frozen=True, slots=True)
class Length:
    """A length along a side of an image.

    Attributes
    ----------
    value : float
        In pixels, or in hundredths of the side.
    percent : bool
        Which.
    """

    value: float
    percent: bool = False

    def of(self, side: int) -> float:
        """In pixels of a side that is so long."""
        return self.value * side / 100 if self.percent else self.value


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle of an image, half-open.

    Attributes
    ----------
    x, y, width, height : Length
    """

    x: Length
    y: Length
    width: Length
    height: Length

    def within(self, width: int, height: int) -> tuple[int, int, int, int]:
        """``(left, top, right, bottom)`` in pixels: every pixel that it touches, clipped."""
        left, right = _range(self.x, self.width, width)
        top, bottom = _range(self.y, self.height, height)
        return left, top, right, bottom


def _range(begin: Length, length: Length, side: int) -> tuple[int, int]:
    first = begin.of(side)
    low, high = floor(first + _HAIR), ceil(first + length.of(side) - _HAIR)
    return min(low, side), max(min(low, side), min(high, side))
