"""PNGs that are read in strips: to the last pixel what Pillow reads."""

import zlib
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgdiff.engine import compare
from imgdiff.engine.strips import rows_per_strip
from tests.unit.engine.images import Pixels, as_rgb, encode, noise, plain
from tests.unit.engine.png_rows import deflated, filtered, filtered_png, whole
from tests.unit.engine.png_writer import png
from tests.unit.engine.reference import expected_figures, expected_picture, figures, picture
from tests.unit.engine.test_properties import bounded
from tests.unit.engine.two_ways import HIGH_BYTES, assert_same, assert_shows, shown_patiently

EVERY_DEPTH = pytest.mark.parametrize("channels", [1, 3, 4])
STRATEGIES = [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FILTERED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE]
WIDTH = 256
STRIP = rows_per_strip(WIDTH)
# Three strips, the last of which is not whole.
HEIGHT = 2 * STRIP + 44
LONG_ROW = STRIP * WIDTH


def in_full(pixels: Pixels) -> Pixels:
    """Grey as the RGB that it is compared in."""
    return as_rgb(pixels[..., 0]) if pixels.shape[2] == 1 else pixels


@EVERY_DEPTH
def test_every_filter_follows_every_other(channels: int) -> None:
    pixels = noise(3, 7, channels, seed=channels)

    for filters in product(range(5), repeat=3):
        assert_shows(filtered_png(pixels, filters), in_full(pixels))


@EVERY_DEPTH
@pytest.mark.parametrize("kind", [5, 255])
@pytest.mark.parametrize("row", [0, STRIP, HEIGHT - 1])
def test_filters_that_nobody_knows(channels: int, kind: int, row: int) -> None:
    pixels = np.full((HEIGHT, WIDTH, channels), 9, np.uint8)
    filters = [2] * HEIGHT
    filters[row] = kind

    assert_same(filtered_png(pixels, filters), filtered_png(pixels, [2]))


@st.composite
def files(draw: st.DrawFn, pixels: Pixels) -> bytes:
    """Some PNG of the pixels."""
    height, width, channels = pixels.shape
    filters = draw(st.lists(st.integers(0, 4), min_size=1, max_size=height))
    stream = deflated(
        filtered(pixels, filters),
        level=draw(st.integers(0, 9)),
        strategy=draw(st.sampled_from([*STRATEGIES, zlib.Z_FIXED])),
    )
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=5))
    return whole(stream, width, height, channels, cuts=cuts)


@st.composite
def changed(draw: st.DrawFn, pixels: Pixels) -> Pixels:
    """The pixels with a few rows and samples changed."""
    result = pixels.copy()
    height, width, channels = pixels.shape
    for row in draw(st.lists(st.integers(0, height - 1), max_size=3)):
        result[row] ^= draw(st.integers(0, 3))
    for place in draw(st.lists(st.integers(0, result.size - 1), max_size=3)):
        result.flat[place] ^= 1 << draw(st.integers(0, 7))
    assert result.shape == (height, width, channels)
    return result


@st.composite
def pictures(draw: st.DrawFn) -> Pixels:
    """Small pictures of which many rows are alike."""
    height, width = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    channels = draw(st.sampled_from([1, 3, 4]))
    distinct = noise(3, width, channels, seed=draw(st.integers(0, 9)))
    if channels == 4 and draw(st.booleans()):
        distinct[..., 3] = 255
    rows = draw(st.lists(st.integers(0, 2), min_size=height, max_size=height))
    return np.ascontiguousarray(distinct[rows])


@settings(bounded, max_examples=80)
@given(st.data())
def test_figures_and_picture_are_those_of_brute_force(data: st.DataObject) -> None:
    pixels = data.draw(pictures())
    other = data.draw(changed(pixels))
    source, target = data.draw(files(pixels)), data.draw(files(other))

    found = compare(source, target)

    assert figures(found) == expected_figures(in_full(pixels), in_full(other))
    expected = expected_picture(in_full(pixels), in_full(other))
    np.testing.assert_array_equal(picture(found), expected)
    assert_same(source, target)


@EVERY_DEPTH
@pytest.mark.parametrize("row", [None, STRIP - 1, STRIP, HEIGHT - 1])
@pytest.mark.parametrize("filters", [[2], [0, 1, 2, 3, 4]], ids=str)
def test_changes_at_the_borders_of_strips(
    channels: int, row: int | None, filters: list[int]
) -> None:
    source = np.repeat(noise(HEIGHT // 4, WIDTH, channels), 4, axis=0)
    target = source.copy()
    if row is not None:
        target[row, [0, 100, -1]] ^= 0x11
    # The filters tell nothing: the same rows may be written in another way.
    second = filters if row is None or row % 2 else [1, 2]

    found = compare(filtered_png(source, filters), filtered_png(target, second))
    assert figures(found) == expected_figures(in_full(source), in_full(target))
    expected = expected_picture(in_full(source), in_full(target))
    np.testing.assert_array_equal(picture(found), expected)


@EVERY_DEPTH
def test_equal_rows_below_unequal_ones_are_not_equal_pixels(channels: int) -> None:
    source = np.full((HEIGHT, WIDTH, channels), 200, np.uint8)
    target = source.copy()
    # From here on both files have the same filtered rows, "as above", and the pixels differ.
    target[100:, 7] ^= 0x40

    found = compare(filtered_png(source, [2]), filtered_png(target, [2]))

    assert found.changed_pixels == HEIGHT - 100
    assert figures(found) == expected_figures(in_full(source), in_full(target))


@EVERY_DEPTH
@pytest.mark.parametrize("filters", [[0], [2], [1, 4], [3]], ids=str)
def test_how_rows_are_filtered_and_compressed_changes_nothing(
    channels: int, filters: list[int]
) -> None:
    pixels = np.repeat(noise(HEIGHT // 4, WIDTH, channels), 4, axis=0)

    found = compare(
        filtered_png(pixels, filters, level=1), filtered_png(pixels, [4, 0, 2, 1, 3], level=9)
    )

    assert (found.diff, found.bbox) == (0, None)
    assert found.image == compare(plain(in_full(pixels)), plain(in_full(pixels))).image


@pytest.mark.parametrize("one", [1, 3, 4])
@pytest.mark.parametrize("other", [1, 3, 4])
def test_depths_mix(one: int, other: int) -> None:
    grey = noise(HEIGHT, WIDTH, 1)
    alpha = np.full_like(grey, 255)
    pixels = {1: grey, 3: np.repeat(grey, 3, axis=2), 4: np.dstack([grey, grey, grey, alpha])}
    target = pixels[other].copy()
    target[-1, -1, 0] ^= 1
    source_file = filtered_png(pixels[one], [0, 1, 2, 3, 4])

    assert compare(source_file, filtered_png(pixels[other], [4])).diff == 0
    assert_same(source_file, filtered_png(target, [4]))


@pytest.mark.parametrize(
    "size",
    [
        (1, 1),
        (1, 40),
        (40, 1),
        (LONG_ROW + 9, 1),
        (1, LONG_ROW + 1),
        (2, LONG_ROW),
        (3, LONG_ROW // 3 + 1),
        (5, LONG_ROW - 1),
    ],
    ids=str,
)
@EVERY_DEPTH
def test_sizes(size: tuple[int, int], channels: int) -> None:
    source = noise(*size, channels)
    target = source.copy()
    target[-1, -1] ^= 1

    file = filtered_png(source, [1, 2])
    assert_shows(file, in_full(source))
    assert_same(file, filtered_png(target, [1, 2]))


@pytest.mark.parametrize("strategy", [*STRATEGIES, zlib.Z_FIXED])
@pytest.mark.parametrize("level", range(10))
def test_every_way_of_compressing(level: int, strategy: int) -> None:
    pixels = np.repeat(noise(HEIGHT, 16, 3, below=9), 16, axis=1)

    data = filtered_png(pixels, [0, 1], level=level, strategy=strategy)

    assert_shows(data, pixels)


@pytest.mark.parametrize("level", [0, 6])
@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@EVERY_DEPTH
def test_streams_in_many_chunks(channels: int, step: int, level: int) -> None:
    pixels = noise(23, 37, channels)
    stream = deflated(filtered(pixels, [0, 1, 2, 3, 4]), level=level)
    cuts = [0, 0, *range(0, len(stream), step), len(stream), len(stream)]

    data = whole(stream, 37, 23, channels, cuts=cuts)

    assert_shows(data, in_full(pixels))
    assert_same(data, filtered_png(pixels ^ np.uint8(1), [4]))


KINDS = {
    "grey and alpha": png(noise(23, 37, 2), "grey+alpha"),
    "palette": png(noise(23, 37, 1), "palette", palette=noise(1, 256)[0]),
    "grey 4": png(noise(23, 37, 1, below=16), "grey", 4),
    "grey 16": png(noise(23, 37, 1), "grey", 16),
    "rgb 16": png(noise(23, 37), "rgb", 16),
    "interlaced": png(noise(23, 37), "rgb", interlaced=True),
    "grey key": png(noise(23, 37, 1), "grey", transparency=b"\0\7"),
    "rgb key": png(noise(23, 37), "rgb", transparency=bytes(6)),
    "jpeg": encode(noise(23, 37), "JPEG"),
}


@pytest.mark.parametrize("other", KINDS.values(), ids=KINDS)
@EVERY_DEPTH
def test_beside_a_file_that_is_read_whole(channels: int, other: bytes) -> None:
    rows = filtered_png(noise(23, 37, channels, seed=1), [0, 1, 2, 3, 4])

    assert_same(rows, other, options=HIGH_BYTES)
    assert_shows(other, shown_patiently(other), options=HIGH_BYTES)
