"""The fast decoders: the pixels that Pillow gives, and really at work where they should be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imagecodecs import jpeg8_encode
from PIL import Image, ImageFile

from imgdiff.engine import compare
from imgdiff.errors import UnsupportedImage
from tests.unit.engine.images import (
    Pixels,
    encode,
    exif,
    noise,
    photograph,
    pillow_pixels,
    translucent,
    with_alpha,
    with_orientation,
)
from tests.unit.engine.png_rows import filtered_png
from tests.unit.engine.test_properties import bounded
from tests.unit.engine.two_ways import assert_same, assert_shows, shown, shown_patiently

EVERY_ORIENTATION = pytest.mark.parametrize("orientation", range(1, 9))
# Whole blocks of every subsampling, and one pixel less and more; several strips.
SIZES = [(1, 1), (1, 33), (33, 1), (15, 17), (16, 16), (17, 31), (64, 65), (300, 257)]
JPEG_OPTIONS: dict[str, dict[str, Any]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "coarse": {"quality": 5},
    "fine": {"quality": 100},
    "progressive": {"progressive": True},
    "progressive 4:4:4": {"progressive": True, "subsampling": 0},
    "restarts": {"restart_marker_blocks": 1},
    "restarts, progressive": {"restart_marker_rows": 1, "progressive": True},
    "own tables": {"optimize": True},
    "stored as RGB": {"keep_rgb": True},
}
WEBP_OPTIONS: dict[str, dict[str, Any]] = {
    "lossy": {"quality": 70},
    "coarse": {"quality": 0},
    "fine": {"quality": 100},
    "lossless": {"lossless": True},
    "lossless, exact": {"lossless": True, "exact": True, "method": 0},
    "near lossless": {"near_lossless": 40, "lossless": True},
}


def assert_shown_alike(data: bytes) -> Pixels:
    """That both ways give the same pixels, which are returned."""
    pixels = shown(data)
    np.testing.assert_array_equal(pixels, shown_patiently(data))
    return pixels


def smooth_and_noisy(height: int, width: int, channels: int = 3) -> list[Pixels]:
    pictures = photograph(height, width), noise(height, width)
    return [pixels if channels == 3 else pixels[..., 0] for pixels in pictures]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("options", JPEG_OPTIONS.values(), ids=JPEG_OPTIONS)
def test_jpeg(size: tuple[int, int], options: dict[str, Any], channels: int) -> None:
    for pixels in smooth_and_noisy(*size, channels):
        data = encode(pixels, "JPEG", **options)

        np.testing.assert_array_equal(assert_shown_alike(data), pillow_pixels(data))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("factors", [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)])
def test_every_subsampling_of_jpeg(size: tuple[int, int], factors: tuple[int, int]) -> None:
    for pixels in smooth_and_noisy(*size):
        assert_shown_alike(bytes(jpeg8_encode(pixels, subsampling=factors)))


@settings(bounded, max_examples=100)
@given(
    st.tuples(st.integers(1, 50), st.integers(1, 50)),
    st.sampled_from([1, 3]),
    st.fixed_dictionaries(
        {
            "quality": st.integers(0, 100),
            "subsampling": st.integers(0, 2),
            "progressive": st.booleans(),
            "restart_marker_blocks": st.integers(0, 5),
        }
    ),
)
def test_any_jpeg(size: tuple[int, int], channels: int, options: dict[str, Any]) -> None:
    for pixels in smooth_and_noisy(*size, channels):
        assert_shown_alike(encode(pixels, "JPEG", **options))


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr"])
def test_other_colours_of_jpeg(mode: str) -> None:
    assert_shown_alike(encode(Image.fromarray(photograph(23, 37)).convert(mode), "JPEG"))


def test_jpeg_of_several_pictures() -> None:
    pictures = [Image.fromarray(pixels) for pixels in smooth_and_noisy(23, 37)]

    data = encode(pictures[0], "MPO", save_all=True, append_images=pictures[1:])

    np.testing.assert_array_equal(assert_shown_alike(data), shown(encode(pictures[0], "JPEG")))


@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "alpha"])
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("options", WEBP_OPTIONS.values(), ids=WEBP_OPTIONS)
def test_webp(size: tuple[int, int], options: dict[str, Any], *, alpha: bool) -> None:
    for pixels in smooth_and_noisy(*size):
        picture = with_alpha(pixels, translucent(*size)[..., 3]) if alpha else pixels
        data = encode(picture, "WEBP", **options)

        np.testing.assert_array_equal(assert_shown_alike(data), pillow_pixels(data))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("options", [{"quality": 70}, {"lossless": True}], ids=str)
def test_animated_webp(options: dict[str, Any], channels: int) -> None:
    first, second = (Image.fromarray(noise(23, 37, channels, seed=seed)) for seed in (1, 2))

    assert_shown_alike(encode(first, "WEBP", save_all=True, append_images=[second], **options))


@EVERY_ORIENTATION
@pytest.mark.parametrize("channels", [1, 3])
def test_turned_jpeg(orientation: int, channels: int) -> None:
    pixels = smooth_and_noisy(300, 257, channels)[0]

    assert_shown_alike(encode(pixels, "JPEG", exif=exif(orientation)))


@EVERY_ORIENTATION
@pytest.mark.parametrize("picture_of", [noise, translucent])
def test_turned_webp(orientation: int, picture_of: Any) -> None:
    pixels = picture_of(300, 257)

    assert_shown_alike(encode(pixels, "WEBP", lossless=True, method=0, exif=exif(orientation)))


@EVERY_ORIENTATION
def test_turned_png(orientation: int) -> None:
    data = with_orientation(filtered_png(noise(300, 257), [1, 4]), orientation)

    assert_shows(data, shown_patiently(data))


PICTURE = photograph(300, 257)
SEE_THROUGH = with_alpha(PICTURE, translucent(300, 257)[..., 3])
FAST = {
    "png": filtered_png(PICTURE, [0, 1, 2, 3, 4]),
    "png grey": filtered_png(PICTURE[..., :1], [4]),
    "png rgba": filtered_png(SEE_THROUGH, [4]),
    "png of wide rows": filtered_png(noise(1, 70_000, 1), [1]),
    "jpeg": encode(PICTURE, "JPEG"),
    "jpeg grey": encode(PICTURE[..., 0], "JPEG"),
    "jpeg progressive": encode(PICTURE, "JPEG", progressive=True),
    "jpeg turned": encode(PICTURE, "JPEG", exif=exif(6)),
    "jpeg of several pictures": encode(
        PICTURE, "MPO", save_all=True, append_images=[Image.fromarray(255 - PICTURE)]
    ),
    "webp": encode(PICTURE, "WEBP"),
    "webp lossless": encode(PICTURE, "WEBP", lossless=True),
    "webp alpha": encode(SEE_THROUGH, "WEBP"),
    "webp turned": encode(PICTURE, "WEBP", exif=exif(6)),
}
SLOW = {
    "png turned": with_orientation(FAST["png"], 6),
    "jpeg cmyk": encode(Image.fromarray(PICTURE).convert("CMYK"), "JPEG"),
    "webp animated": encode(
        PICTURE, "WEBP", save_all=True, append_images=[Image.fromarray(255 - PICTURE)]
    ),
    "gif": encode(PICTURE, "GIF"),
}


class PillowDecodes(Exception):
    """Pillow was asked for pixels."""


@pytest.fixture
def no_pixels_from_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow reads headers only."""

    def load(file: ImageFile.ImageFile) -> None:
        raise PillowDecodes(file.format)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)


@pytest.mark.usefixtures("no_pixels_from_pillow")
@pytest.mark.parametrize("data", FAST.values(), ids=FAST)
def test_what_fast_decoders_take(data: bytes) -> None:
    # Not the same bytes, which would be decoded once.
    assert compare(data, data + b"\0").diff == 0


@pytest.mark.usefixtures("no_pixels_from_pillow")
@pytest.mark.parametrize("source", ["png", "png rgba", "jpeg", "webp"])
@pytest.mark.parametrize("target", ["png", "png rgba", "jpeg", "webp"])
def test_fast_decoders_mix(source: str, target: str) -> None:
    assert (compare(FAST[source], FAST[target]).diff == 0) is (source == target)


@pytest.mark.usefixtures("no_pixels_from_pillow")
@pytest.mark.parametrize("data", SLOW.values(), ids=SLOW)
def test_what_is_left_to_pillow(data: bytes) -> None:
    with pytest.raises(UnsupportedImage) as caught:
        compare(data, data)

    assert isinstance(caught.value.__cause__, PillowDecodes)


@pytest.mark.parametrize("target", [*FAST.values(), *SLOW.values()], ids=[*FAST, *SLOW])
@pytest.mark.parametrize("source", ["png grey", "png rgba", "jpeg"])
def test_every_pair_is_compared_alike_in_both_ways(source: str, target: bytes) -> None:
    assert_same(FAST[source], target)
