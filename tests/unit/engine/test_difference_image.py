"""The difference image, pixel by pixel."""

import io
import struct
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from imgdiff.engine import Options, compare
from tests.unit.engine import scikit_image
from tests.unit.engine.images import noise, plain, translucent
from tests.unit.engine.reference import expected_picture, picture
from tests.unit.engine.stored import Stored, every_kind

RED_OVER_BLACK, RED_OVER_WHITE = (193, 0, 24), (244, 51, 75)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length


def test_changed_and_unchanged_pixels_of_black_and_white() -> None:
    source = np.array([[[0] * 3, [255] * 3, [0] * 3, [255] * 3]], dtype=np.uint8)
    target = np.array([[[0] * 3, [255] * 3, [1] * 3, [254] * 3]], dtype=np.uint8)

    found = compare(plain(source), plain(target))

    expected = [(204, 204, 204), (255, 255, 255), RED_OVER_BLACK, RED_OVER_WHITE]
    assert [tuple(pixel) for pixel in picture(found)[0].tolist()] == expected


@pytest.mark.parametrize("changed", [False, True])
def test_every_luma_has_its_two_colours(*, changed: bool) -> None:
    source = np.dstack([np.arange(256).reshape(16, 16)] * 3).astype(np.uint8)
    target = 255 - source if changed else source

    found = compare(plain(source), plain(target))

    np.testing.assert_array_equal(picture(found), expected_picture(source, target))


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
def test_photographs(name: str) -> None:
    pixels = scikit_image.photograph(name)
    target = pixels.copy()
    target[50:200, 60:300] ^= 3

    found = compare(plain(pixels), plain(target))

    np.testing.assert_array_equal(picture(found), expected_picture(pixels, target))


@pytest.mark.parametrize("stored", every_kind(), ids=lambda stored: stored.name)
def test_every_kind_of_source(stored: Stored) -> None:
    target = stored.pixels.copy()
    target[::2, ::3, 1] ^= 1

    found = compare(stored.data, plain(target), options=stored.by_its_pixels)

    np.testing.assert_array_equal(picture(found), expected_picture(stored.pixels, target))


def test_every_colour_and_alpha_is_laid_on_white() -> None:
    colour, alpha = np.mgrid[:256, :256].astype(np.uint8)
    source = np.dstack([colour, colour, colour, alpha])

    found = compare(plain(source), plain(source))

    np.testing.assert_array_equal(picture(found), expected_picture(source, source))


def test_what_is_transparent_is_white() -> None:
    source = noise(channels=4)
    source[..., 3] = 0

    assert (picture(compare(plain(source), plain(source))) == 255).all()


def test_target_leaves_only_its_changes() -> None:
    source, opaque, clear = noise(seed=1), noise(seed=2), translucent(seed=3)

    one, other = compare(plain(source), plain(opaque)), compare(plain(source), plain(clear))

    assert (one.changed_ratio, other.changed_ratio) == (1, 1)
    assert one.image == other.image


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (300, 300), (70_000, 1), (1, 70_000)])
def test_is_a_palette_png_of_at_most_155_colours(size: tuple[int, int]) -> None:
    width, height = size
    source = noise(height, width)
    target = source.copy()
    target[::2] ^= 1

    data = compare(plain(source), plain(target)).image

    assert data is not None
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "P", size)
        image.verify()
    chunks = list(_chunks(data))
    palette = dict(chunks)[b"PLTE"]
    colours = [palette[at : at + 3] for at in range(0, len(palette), 3)]
    assert len(colours) == len(set(colours)) <= 155
    names = [name for name, _ in chunks]
    assert names == [b"IHDR", b"PLTE", *[b"IDAT"] * (len(names) - 3), b"IEND"]


def test_none_is_made_unless_asked_for() -> None:
    source, target = plain(noise(seed=1)), plain(noise(seed=2))

    drawn, bare = compare(source, target), compare(source, target, options=Options(style=None))

    assert bare.image is None
    assert bare.diff == drawn.diff
