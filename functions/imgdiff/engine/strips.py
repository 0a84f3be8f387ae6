"""Images are worked on in strips, so that no temporary is ever as large as an image."""

from collections.abc import Iterator

# About what a core's second-level cache holds of two strips and their difference.
_PIXELS_PER_STRIP = 1 << 16


def strips(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Yield the half-open row ranges ``(top, bottom)`` that cover an image from top to bottom."""
    rows = max(1, _PIXELS_PER_STRIP // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)
