"""Images are worked on in strips, so that no temporary is ever as large as an image."""

from collections.abc import Iterator

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
