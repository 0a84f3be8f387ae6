"""What holds for any two pictures."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine import Options, compare
from tests.unit.engine.images import Pixels, encode, noise, plain, tiff, translucent
from tests.unit.engine.png_writer import png
from tests.unit.engine.reference import (
    changed_mask,
    expected_figures,
    expected_picture,
    figures,
    picture,
)

# The same examples each time, so that a failure is a change's and not the day's.
bounded = settings(max_examples=60, derandomize=True, deadline=None, database=None)

# Few values, so that equal pixels and fully transparent ones are common.
SAMPLES = st.one_of(st.sampled_from([0, 1, 127, 128, 254, 255]), st.integers(0, 255))
SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))


def _pictures(size: tuple[int, int], channels: st.SearchStrategy[int]) -> Any:
    return channels.flatmap(
        lambda count: arrays(np.uint8, (*size, count), elements=SAMPLES, fill=SAMPLES)
    )


def pairs(*channels: int) -> st.SearchStrategy[tuple[Pixels, Pixels]]:
    """Two pictures of one size."""
    counts = st.sampled_from(channels)
    return SIZES.flatmap(lambda size: st.tuples(_pictures(size, counts), _pictures(size, counts)))


@bounded
@given(pairs(3, 4))
def test_figures_are_those_of_brute_force(pair: tuple[Pixels, Pixels]) -> None:
    source, target = pair

    found = compare(plain(source), plain(target))

    assert figures(found) == expected_figures(source, target)
    np.testing.assert_array_equal(picture(found), expected_picture(source, target))


@bounded
@given(pairs(3, 4))
def test_figures_are_symmetric_and_in_range(pair: tuple[Pixels, Pixels]) -> None:
    source, target = map(plain, pair)

    there, back = compare(source, target), compare(target, source)

    assert figures(there) == figures(back)
    assert there.psnr == back.psnr
    assert 0 <= there.diff <= 1
    assert 0 <= there.mae <= there.rmse * (1 + 1e-12)
    assert there.rmse <= there.max_error * (1 + 1e-12)
    assert there.max_error <= 255
    assert (there.diff == 0) is (there.psnr is None) is (there.bbox is None)


@bounded
@given(pairs(3, 4))
def test_bbox_holds_every_change_and_no_row_more(pair: tuple[Pixels, Pixels]) -> None:
    source, target = pair
    mask = changed_mask(source, target)

    found = compare(plain(source), plain(target), options=Options(style=None))

    assert found.changed_pixels == mask.sum()
    if found.bbox is None:
        assert not mask.any()
        return
    left, top, right, bottom = found.bbox
    inside = mask[top:bottom, left:right]
    assert inside.sum() == mask.sum()
    edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    assert all(edge.any() for edge in edges)


@bounded
@given(SIZES.flatmap(lambda size: _pictures(size, st.sampled_from([3, 4]))))
def test_a_picture_equals_itself(pixels: Pixels) -> None:
    found = compare(plain(pixels), plain(pixels))

    assert (found.diff, found.mse, found.rmse, found.mae, found.max_error) == (0, 0, 0, 0, 0)
    assert (found.psnr, found.changed_pixels, found.changed_ratio, found.bbox) == (None, 0, 0, None)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (300, 300)])
def test_black_against_white_is_exactly_1(mode: str, size: tuple[int, int]) -> None:
    black, white = (encode(Image.new(mode, size, colour), "PNG") for colour in ("black", "white"))

    found = compare(black, white)

    assert (found.diff, found.mse, found.rmse, found.mae, found.max_error) == (
        1,
        65025,
        255,
        255,
        255,
    )
    assert (found.psnr, found.changed_ratio, found.bbox) == (0, 1, (0, 0, *size))


@bounded
@given(pairs(4))
def test_colours_nobody_sees_count_for_nothing(pair: tuple[Pixels, Pixels]) -> None:
    source, target = pair
    target[..., 3] = source[..., 3] = np.where(source[..., 3] > 127, 255, 0)
    seen = source[..., 3] > 0
    target[seen] = source[seen]
    source[0, 0, 3] = target[0, 0, 3] = 0

    found = compare(plain(source), plain(target))

    assert (found.diff, found.changed_pixels) == (0, 0)


@bounded
@given(pairs(3))
def test_an_opaque_alpha_channel_changes_nothing(pair: tuple[Pixels, Pixels]) -> None:
    source, target = pair
    opaque = np.full((*source.shape[:2], 1), 255, dtype=np.uint8)

    bare = compare(plain(source), plain(target))

    for first in (source, np.dstack([source, opaque])):
        for second in (target, np.dstack([target, opaque])):
            assert compare(plain(first), plain(second)) == bare


def test_one_pixel_that_is_not_opaque_brings_alpha_in() -> None:
    source, target = noise(300, 300, seed=1), noise(300, 300, seed=2)
    opaque = np.dstack([source, np.full((300, 300), 255, dtype=np.uint8)])
    faint = opaque.copy()
    faint[-1, -1, 3] = 254

    found = compare(plain(faint), plain(target))

    assert figures(found) == expected_figures(faint, target)
    assert found.diff < compare(plain(opaque), plain(target)).diff * 0.76


def _palette(pixels: Pixels) -> tuple[Pixels, Pixels]:
    colours, indices = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    return colours, indices.reshape(pixels.shape[:2]).astype(np.uint8)


def _palette_image(pixels: Pixels) -> Image.Image:
    colours, indices = _palette(pixels)
    image = Image.fromarray(indices, "P")
    image.putpalette(colours.tobytes())
    return image


def _deep(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels.astype(np.uint16) << 8 | noise(*pixels.shape, seed=9)


def _opaque_rgba(pixels: Pixels) -> Pixels:
    return np.dstack([pixels, np.full(pixels.shape[:2], 255, dtype=np.uint8)])


def _unused_key(pixels: Pixels) -> bytes:
    taken = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    key = next(value for value in range(256) if (value, 0, 0) not in taken)
    return bytes([0, key, 0, 0, 0, 0])


SAME_PIXELS: dict[str, Callable[[Pixels], bytes]] = {
    "png opaque rgba": lambda pixels: plain(_opaque_rgba(pixels)),
    "png palette": lambda pixels: png(_palette(pixels)[1], "palette", palette=_palette(pixels)[0]),
    "png interlaced": lambda pixels: png(pixels, "rgb", interlaced=True),
    "png 16": lambda pixels: png(_deep(pixels), "rgb", 16),
    "png 16 opaque rgba": lambda pixels: png(
        _deep(_opaque_rgba(pixels)) | np.array([0, 0, 0, 0xFF], dtype=np.uint16), "rgba", 16
    ),
    "png key of no pixel": lambda pixels: png(pixels, "rgb", transparency=_unused_key(pixels)),
    "gif": lambda pixels: encode(_palette_image(pixels), "GIF", optimize=False),
    "bmp": lambda pixels: encode(pixels, "BMP"),
    "bmp palette": lambda pixels: encode(_palette_image(pixels), "BMP"),
    "tiff": lambda pixels: encode(pixels, "TIFF", compression="tiff_lzw"),
    "tiff 16": lambda pixels: tiff(_deep(pixels), "rgb", byteorder=">"),
    "webp": lambda pixels: encode(pixels, "WEBP", lossless=True, method=0),
}


@settings(bounded, max_examples=25)
@given(pair=pairs(3))
@pytest.mark.parametrize("stored", SAME_PIXELS.values(), ids=SAME_PIXELS)
def test_how_a_file_stores_its_pixels_changes_nothing(
    stored: Callable[[Pixels], bytes], pair: tuple[Pixels, Pixels]
) -> None:
    source, target = pair
    see_through = np.dstack([target, target[..., 0]])
    # Their low bytes are noise.
    by_high_bytes = partial(compare, options=Options(managed=False))

    for other in (plain(target), plain(see_through)):
        assert by_high_bytes(stored(source), other) == compare(plain(source), other)
        assert by_high_bytes(other, stored(source)) == compare(other, plain(source))


def _stretched(pixels: Pixels) -> NDArray[Any]:
    return pixels.astype(np.uint16) * 257


STORED_DEEP: dict[str, Callable[[Pixels], bytes]] = {
    "png": lambda pixels: png(_stretched(pixels), "rgb", 16),
    "png rgba": lambda pixels: png(_stretched(_opaque_rgba(pixels)), "rgba", 16),
    "tiff": lambda pixels: tiff(_stretched(pixels), "rgb", compression="zlib"),
}


@settings(bounded, max_examples=25)
@given(pair=pairs(3))
@pytest.mark.parametrize("stored", STORED_DEEP.values(), ids=STORED_DEEP)
def test_eight_bits_that_are_stored_deep_change_nothing(
    stored: Callable[[Pixels], bytes], pair: tuple[Pixels, Pixels]
) -> None:
    source, target = pair
    see_through = np.dstack([target, target[..., 0]])
    without_picture = partial(compare, options=Options(style=None))

    for other in (plain(target), plain(see_through)):
        expected = without_picture(plain(source), other)
        assert without_picture(stored(source), other) == expected


@bounded
@given(SIZES.flatmap(lambda size: _pictures(size, st.just(2))))
def test_grey_measures_as_the_same_grey_in_rgb(pixels: Pixels) -> None:
    grey, other = pixels[..., 0].copy(), pixels[..., [1, 1, 1]]

    found = compare(encode(grey, "PNG"), plain(other))

    assert found == compare(plain(pixels[..., [0, 0, 0]]), plain(other))


# On both sides of a strip's end, whichever way a picture is cut.
@pytest.mark.parametrize(
    "size",
    [(1, 70_000), (70_000, 1), (1, 65_537), (65_537, 1), (300, 300), (257, 256), (2, 65_536)],
    ids=str,
)
@pytest.mark.parametrize("picture_of", [noise, translucent], ids=["opaque", "translucent"])
def test_large_pictures_lose_no_row(
    size: tuple[int, int], picture_of: Callable[..., Pixels]
) -> None:
    width, height = size
    source = picture_of(height, width, seed=1)
    target = source.copy()
    changed = np.random.default_rng(2).random((height, width)) < 0.3
    target[changed, 1] ^= 0x55

    found = compare(plain(source), plain(target))

    assert figures(found) == expected_figures(source, target)
    np.testing.assert_array_equal(picture(found), expected_picture(source, target))


@pytest.mark.parametrize("row", [0, 217, 218, 219, 299])
@pytest.mark.parametrize("column", [0, 150, 299])
def test_one_changed_pixel_is_found_wherever_it_is(row: int, column: int) -> None:
    source = noise(300, 300)
    target = source.copy()
    target[row, column, 0] ^= 1

    found = compare(plain(source), plain(target))

    assert found.bbox == (column, row, column + 1, row + 1)
    assert found.changed_pixels == 1
    assert [tuple(place) for place in np.argwhere(_is_red(picture(found)))] == [(row, column)]


def _is_red(pixels: Pixels) -> NDArray[np.bool_]:
    red: NDArray[np.bool_] = pixels[..., 0] != pixels[..., 1]
    return red


def test_a_comparison_cannot_be_changed() -> None:
    found = compare(plain(noise()), plain(noise()))

    with pytest.raises(dataclasses.FrozenInstanceError):
        found.diff = 0.5  # type: ignore[misc]
