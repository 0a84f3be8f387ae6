"""EXIF orientation: pictures are compared turned as they are shown."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine import Options, compare
from imgdiff.errors import SizesDiffer
from tests.unit.engine.images import (
    Pixels,
    encode,
    exif,
    noise,
    photograph,
    pillow_pixels,
    plain,
    translucent,
    with_orientation,
)
from tests.unit.engine.png_writer import insert, png

EVERY_ORIENTATION = pytest.mark.parametrize("orientation", range(1, 9))

# Three strips high whichever way they are turned.
HEIGHT, WIDTH = 400, 350

type Encoder = Callable[[Pixels, int | None], bytes]


def turned[Sample: np.unsignedinteger[Any]](
    stored: NDArray[Sample], orientation: int
) -> NDArray[Sample]:
    """How a viewer shows the stored rows (EXIF 2.32, tag 0x0112)."""
    upright = {2: stored[:, ::-1], 3: stored[::-1, ::-1], 4: stored[::-1]}
    on_its_side = {
        5: stored,
        6: stored[::-1],
        7: stored[::-1, ::-1],
        8: stored[:, ::-1],
    }
    if orientation in on_its_side:
        return np.ascontiguousarray(on_its_side[orientation].swapaxes(0, 1))
    return np.ascontiguousarray(upright.get(orientation, stored))


def jpeg(pixels: Pixels, orientation: int | None) -> bytes:
    return encode(pixels, "JPEG", exif=b"" if orientation is None else exif(orientation))


def webp(pixels: Pixels, orientation: int | None) -> bytes:
    options = {} if orientation is None else {"exif": exif(orientation)}
    return encode(pixels, "WEBP", lossless=True, quality=0, method=0, **options)


def tiff(pixels: Pixels, orientation: int | None) -> bytes:
    return encode(pixels, "TIFF", tiffinfo={} if orientation is None else {274: orientation})


def tiff_deflated(pixels: Pixels, orientation: int | None) -> bytes:
    tags = {} if orientation is None else {274: orientation}
    return encode(pixels, "TIFF", compression="tiff_adobe_deflate", tiffinfo=tags)


def avif(pixels: Pixels, orientation: int | None) -> bytes:
    options = {} if orientation is None else {"exif": exif(orientation)}
    return encode(pixels, "AVIF", speed=10, **options)


def png_plain(pixels: Pixels, orientation: int | None) -> bytes:
    return plain(pixels) if orientation is None else with_orientation(plain(pixels), orientation)


@EVERY_ORIENTATION
@pytest.mark.parametrize("encoded", [jpeg, png_plain, webp, tiff, tiff_deflated, avif])
def test_every_format_is_turned_as_it_says(encoded: Encoder, orientation: int) -> None:
    picture = photograph(HEIGHT, WIDTH)
    stored = pillow_pixels(encoded(picture, None))

    found = compare(encoded(picture, orientation), plain(turned(stored, orientation)))

    assert found.changed_pixels == 0
    sideways = orientation >= 5
    assert (found.width, found.height) == ((HEIGHT, WIDTH) if sideways else (WIDTH, HEIGHT))


@EVERY_ORIENTATION
def test_bbox_is_where_it_is_shown(orientation: int) -> None:
    stored = noise(HEIGHT, WIDTH)
    target = turned(stored, orientation).copy()
    target[7:30, 5:17] ^= 1

    found = compare(with_orientation(plain(stored), orientation), plain(target))

    assert found.bbox == (5, 7, 17, 30)
    assert found.changed_pixels == 12 * 23


@EVERY_ORIENTATION
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_every_mode_is_turned(mode: str, orientation: int) -> None:
    image = Image.fromarray(translucent(HEIGHT, WIDTH)).convert(mode)
    shown = np.asarray(image.convert("RGBA"))

    found = compare(
        with_orientation(encode(image, "PNG", compress_level=1), orientation),
        plain(turned(shown, orientation)),
    )

    assert found.changed_pixels == 0


@EVERY_ORIENTATION
def test_deep_grey_with_a_colour_key_is_turned(orientation: int) -> None:
    samples = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH))
    samples[:, :9] = 0x1234
    data = png(samples, "grey", 16, transparency=b"\x12\x34")
    alpha = np.where(samples == 0x1234, 0, 255)
    shown = np.dstack([samples >> 8, samples >> 8, samples >> 8, alpha]).astype(np.uint8)

    found = compare(
        with_orientation(data, orientation),
        plain(turned(shown, orientation)),
        options=Options(managed=False),
    )

    assert found.changed_pixels == 0


@EVERY_ORIENTATION
def test_both_pictures_are_turned(orientation: int) -> None:
    shown = noise(HEIGHT, WIDTH)
    # What turns a picture back: its own opposite, but for the two quarter turns.
    opposite = {6: 8, 8: 6}.get(orientation, orientation)

    found = compare(
        webp(turned(shown, opposite), orientation),
        tiff(turned(shown, orientation), opposite),
    )

    assert found.diff == 0
    assert (found.width, found.height) == (WIDTH, HEIGHT)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_orientation_that_exif_does_not_know_turns_nothing(value: int) -> None:
    stored = noise()

    found = compare(with_orientation(plain(stored), value), plain(stored))

    assert found.diff == 0


@pytest.mark.parametrize("content", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"not EXIF at all"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_exif_that_cannot_be_read_turns_nothing(content: bytes) -> None:
    data = plain(noise())

    found = compare(insert(data, b"eXIf", content), data)

    assert found.diff == 0


@pytest.mark.parametrize("file_format", ["JPEG", "WEBP"])
def test_orientation_outside_exif_turns_nothing(file_format: str) -> None:
    # Browsers go by EXIF alone, and so does the contract.
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="3"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )
    picture = photograph(23, 37)

    found = compare(encode(picture, file_format, xmp=xmp), encode(picture, file_format))

    assert found.diff == 0


def test_sizes_are_compared_as_shown() -> None:
    stored = noise(30, 40)

    assert compare(jpeg(stored, 6), jpeg(turned(stored, 6), None)).width == 30
    with pytest.raises(SizesDiffer, match="30x40"):
        compare(jpeg(stored, 6), jpeg(stored, 1))
