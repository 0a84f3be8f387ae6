"""Figures and picture where strips end and sums are largest, against integer brute force."""

from collections.abc import Callable

import numpy as np
import pytest

from imgdiff.engine import compare
from imgdiff.engine.strips import rows_per_strip
from tests.unit.engine.images import Pixels, encode, noise, with_alpha
from tests.unit.engine.png_rows import filtered_png
from tests.unit.engine.reference import expected_figures, expected_picture, figures, picture

WIDTH = 256
STRIP = rows_per_strip(WIDTH)
# Two strips, the second of which is not whole.
HEIGHT = STRIP + 20
BORDERS = [0, STRIP - 1, STRIP, HEIGHT - 1]
LONG_ROW = STRIP * WIDTH


def png(pixels: Pixels) -> bytes:
    return filtered_png(pixels, [1, 2])


def lossless_webp(pixels: Pixels) -> bytes:
    return encode(pixels, "WEBP", lossless=True, exact=True, method=0, quality=0)


EITHER_READER = pytest.mark.parametrize("stored", [png, lossless_webp])


def assert_exact(stored: Callable[[Pixels], bytes], source: Pixels, target: Pixels) -> None:
    for pair in ((source, target), (target, source)):
        found = compare(*map(stored, pair))

        assert figures(found) == expected_figures(*pair)
        np.testing.assert_array_equal(picture(found), expected_picture(*pair))


@EITHER_READER
@pytest.mark.parametrize(
    "size",
    [
        *[
            (1, 1),
            (1, 85),
            (1, 86),
            (5, 17),
            (16, 16),
            (17, 15),
            (256, 1),
            (STRIP, WIDTH),
            (STRIP + 1, WIDTH),
        ],
        *[(HEIGHT, WIDTH), (257, 255), (2, 16_383), (1, 16_383), (16_383, 1), (181, 181)],
    ],
    ids=str,
)
def test_every_sample_as_different_as_can_be(
    stored: Callable[[Pixels], bytes], size: tuple[int, int]
) -> None:
    assert_exact(stored, np.zeros((*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8))


@pytest.mark.parametrize(
    "size", [(1, LONG_ROW - 1), (1, LONG_ROW), (1, LONG_ROW + 1), (2, LONG_ROW + 1)], ids=str
)
def test_rows_about_as_long_as_a_strip(size: tuple[int, int]) -> None:
    assert_exact(png, np.zeros((*size, 3), np.uint8), np.full((*size, 3), 255, np.uint8))


@EITHER_READER
@pytest.mark.parametrize("width", [1, 2, 3, 84, 85, 86, 127, 128, 129, 254, 255, 256, 257, 258])
def test_widths_about_a_block(stored: Callable[[Pixels], bytes], width: int) -> None:
    assert_exact(stored, noise(7, width, seed=1), noise(7, width, seed=2))


@EITHER_READER
@pytest.mark.parametrize("least", [254, 255])
def test_a_strip_of_the_largest_sums_is_not_rounded(
    stored: Callable[[Pixels], bytes], least: int
) -> None:
    source = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    target = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    target.flat[[0, 767, -1]] = least

    assert_exact(stored, source, target)


def opaque(pixels: Pixels) -> Pixels:
    return with_alpha(pixels, np.full(pixels.shape[:2], 255))


def faint_rows(first: int, last: int, alpha: int) -> Pixels:
    """Opaque pixels but for some rows."""
    pixels = opaque(noise(HEIGHT, WIDTH, seed=1))
    pixels[first : last + 1, :, 3] = alpha
    return pixels


@EITHER_READER
@pytest.mark.parametrize("alpha", [0, 254])
@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 0), (0, STRIP - 1), (STRIP - 1, STRIP), (STRIP, HEIGHT - 1), (HEIGHT - 1, HEIGHT - 1)],
    ids=str,
)
def test_strips_opaque_and_not(
    stored: Callable[[Pixels], bytes], first: int, last: int, alpha: int
) -> None:
    source = faint_rows(first, last, alpha)

    assert_exact(stored, source, noise(HEIGHT, WIDTH, seed=2))


@EITHER_READER
def test_one_faint_pixel_in_the_last_row_that_nothing_else_changes(
    stored: Callable[[Pixels], bytes],
) -> None:
    source = opaque(noise(HEIGHT, WIDTH))
    target = source.copy()
    target[-1, -1, 3] = 254

    assert_exact(stored, source, target)
    assert_exact(stored, target, source[..., :3].copy())


@EITHER_READER
@pytest.mark.parametrize("row", BORDERS)
def test_opaque_rgba_against_rgb(stored: Callable[[Pixels], bytes], row: int) -> None:
    source = noise(HEIGHT, WIDTH)
    target = source.copy()
    target[row] = 255 - target[row]

    assert_exact(stored, opaque(source), target)


@EITHER_READER
@pytest.mark.parametrize("row", BORDERS)
def test_invisible_rows_that_differ_in_colour(stored: Callable[[Pixels], bytes], row: int) -> None:
    source, target = faint_rows(row, row, 0), faint_rows(row, row, 0)
    target[row, :, :3] ^= 0xFF

    assert_exact(stored, source, target)


def test_transparency_that_both_files_share_counts_in_the_figures() -> None:
    source = faint_rows(0, STRIP - 1, 100)
    target = source.copy()
    # The first strip is the same in both files, and the only one that is not opaque.
    target[STRIP:, 5, 1] ^= 0x7F

    assert_exact(png, source, target)


def test_every_luma_is_faded_as_the_contract_says() -> None:
    levels = np.arange(256, dtype=np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, indexing="ij"), axis=2)
    for blue in (0, 128, 255):
        source = with_alpha(grid[..., :1].repeat(3, axis=2), np.full((256, 256), 255))[..., :3]
        source[..., 1] = grid[..., 1]
        source[..., 2] = blue
        target = source.copy()
        target[::2] ^= 1

        assert_exact(png, source, target)
