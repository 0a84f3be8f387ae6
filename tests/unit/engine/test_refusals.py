"""What is refused, how, and before how much work."""

import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgdiff.engine import Comparison, compare
from imgdiff.errors import ImgdiffError, SizesDiffer, TooLarge, UnsupportedImage
from tests.unit.engine.images import encode, noise, photograph, plain, tiff
from tests.unit.engine.png_writer import chunk, png
from tests.unit.engine.stored import Stored, every_kind

# Pillow warns of damage that it then refuses.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

GOOD = plain(noise(5, 5))

KINDS = every_kind()
# Of several pictures the last ones may be cut off.
STILLS = [kind for kind in KINDS if "animated" not in kind.name and "several" not in kind.name]


def outcome(data: bytes, *, max_pixels: int) -> Comparison | ImgdiffError:
    """What comes of comparing with a sound file; whatever else is raised is a defect."""
    try:
        return compare(data, GOOD, max_pixels=max_pixels)
    except ImgdiffError as error:
        return error


def refusal(data: bytes, *, max_pixels: int = 25_000_000) -> ImgdiffError:
    """How a file is refused: alike as source and as target."""
    with pytest.raises(ImgdiffError) as as_source:
        compare(data, GOOD, max_pixels=max_pixels, names=("src", "target"))
    with pytest.raises(ImgdiffError) as as_target:
        compare(GOOD, data, max_pixels=max_pixels, names=("src", "target"))
    first, second = as_source.value, as_target.value
    assert (first.field, second.field) == ("src", "target")
    assert str(first) == f"src {first.reason}"
    assert (type(first), first.reason) == (type(second), second.reason)
    return first


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF\0\0\0\0WEBPVP8 ",
        b"<!doctype html><title>404</title>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(4096),
    ],
    ids=repr,
)
def test_what_is_no_image(data: bytes) -> None:
    error = refusal(data)

    assert type(error) is UnsupportedImage
    assert error.status == 415


@pytest.mark.parametrize(
    "file_format", ["ICO", "PPM", "PDF", "TGA", "PCX", "JPEG2000", "EPS", "DDS", "ICNS"]
)
def test_other_formats(file_format: str) -> None:
    data = encode(noise(32, 32), file_format)

    error = refusal(data)

    assert type(error) is UnsupportedImage
    for name in ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF"):
        assert name in error.reason


@pytest.mark.parametrize("kept", [0.02, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("stored", STILLS, ids=lambda stored: stored.name)
def test_files_cut_short(stored: Stored, kept: float) -> None:
    data = stored.data[: int(len(stored.data) * kept)]

    assert type(refusal(data)) is UnsupportedImage


@pytest.mark.parametrize(
    "kind", ["float16", "float32", "float64", "int8", "int16", "int32", "uint32"]
)
def test_samples_without_black_and_white(kind: str) -> None:
    data = tiff(noise(5, 5, 1)[..., 0].astype(np.dtype(kind)), "minisblack")

    assert type(refusal(data)) is UnsupportedImage


def _png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"\x78\x9c")


def _gif_header(width: int, height: int) -> bytes:
    screen = b"GIF89a" + struct.pack("<HH3B", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"," + struct.pack("<4HB", 0, 0, width, height, 0) + b"\x02\x01\x44\0;"


def _bmp_header(width: int, height: int) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54, 0, 0, 54) + info


def _jpeg_header(width: int, height: int) -> bytes:
    data = encode(noise(8, 8), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def _webp_header(width: int, height: int) -> bytes:
    payload = b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14) + bytes(59)
    lossless = b"VP8L" + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", 4 + len(lossless)) + b"WEBP" + lossless


def _avif_header(width: int, height: int) -> bytes:
    data = encode(photograph(64, 64), "AVIF", speed=10)
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def _tiff_header(width: int, height: int) -> bytes:
    data = encode(noise(8, 9), "TIFF")
    for tag, value in ((256, width), (257, height)):
        at = data.index(struct.pack("<HHI", tag, 4, 1)) + 8
        data = data[:at] + struct.pack("<I", value) + data[at + 4 :]
    return data


@pytest.mark.parametrize(
    ("header", "side"),
    [
        (_png_header, 30_000),
        (_png_header, 2**31 - 1),
        (_gif_header, 30_000),
        (_bmp_header, 30_000),
        (_jpeg_header, 30_000),
        (_webp_header, 16_383),
        (_avif_header, 16_384),
        (_tiff_header, 30_000),
    ],
)
def test_pixels_over_the_limit_are_refused_from_the_header(
    header: Callable[[int, int], bytes], side: int
) -> None:
    began = time.perf_counter()

    error = refusal(header(side, side))

    assert type(error) is TooLarge
    assert error.status == 413
    assert error.reason == f"is {side}x{side} pixels, over the limit of 25000000 pixels"
    # There are no pixels behind these headers: whoever looks for them says something else.
    assert time.perf_counter() - began < 2


def test_the_limit_is_the_callers_and_within() -> None:
    ten = plain(noise(10, 10))

    assert compare(ten, ten, max_pixels=100).diff == 0
    for data in (plain(noise(10, 11)), plain(noise(101, 1))):
        assert type(refusal(data, max_pixels=100)) is TooLarge


@pytest.mark.parametrize("header", [_png_header, _gif_header, _bmp_header])
@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_pictures_without_pixels(
    header: Callable[[int, int], bytes], size: tuple[int, int]
) -> None:
    assert type(refusal(header(*size))) is UnsupportedImage


@pytest.mark.parametrize(
    "data",
    [
        png(noise(5, 5, 1, below=2), "palette"),
        png(noise(5, 5, 1, below=2), "palette", bits=1),
    ],
    ids=["8 bit", "1 bit"],
)
def test_a_palette_png_without_its_palette(data: bytes) -> None:
    assert type(refusal(data)) is UnsupportedImage


def test_a_palette_png_with_more_alphas_than_indices() -> None:
    palette = noise(1, 16, 3)[0]
    data = png(noise(5, 5, 1, below=16), "palette", palette=palette, transparency=bytes(257))

    # Readers differ on whether the rest is ignored; either is an answer.
    assert isinstance(outcome(data, max_pixels=100), Comparison | UnsupportedImage)


def test_sizes_that_differ() -> None:
    wide, tall = plain(noise(3, 4)), plain(noise(4, 3))

    with pytest.raises(SizesDiffer) as caught:
        compare(wide, tall, names=("src", "target"))

    sentence = str(caught.value)
    assert caught.value.status == 400
    assert "src is 4x3" in sentence
    assert "target is 3x4" in sentence
    assert "/resize" in sentence
    assert "/crop" in sentence


@pytest.mark.parametrize("other", [(3, 5), (2, 4), (4, 3), (12, 1)])
def test_sizes_differ_in_either_direction(other: tuple[int, int]) -> None:
    with pytest.raises(SizesDiffer):
        compare(plain(noise(3, 4)), plain(noise(*other)))


def test_the_source_is_named_when_both_are_at_fault() -> None:
    with pytest.raises(UnsupportedImage) as caught:
        compare(b"neither", b"nor", names=("src", "target"))

    assert caught.value.field == "src"


def test_names_are_plain_words_by_default() -> None:
    with pytest.raises(UnsupportedImage, match=r"^target is not an image"):
        compare(GOOD, b"")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(
    st.sampled_from(range(len(KINDS))),
    st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
@pytest.mark.filterwarnings("ignore")
def test_damage_is_refused_or_read_and_never_a_defect(
    kind: int, changes: list[tuple[float, int]]
) -> None:
    data = bytearray(KINDS[kind].data)
    for place, value in changes:
        # Most of what is told in a file is told at its start.
        data[int(place**3 * len(data))] = value

    found = outcome(bytes(data), max_pixels=100_000)

    assert isinstance(found, Comparison) or found.status in {400, 413, 415}
