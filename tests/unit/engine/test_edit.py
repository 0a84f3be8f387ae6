"""Resizing and cropping: Pillow's own results, in the file's own format, colours and depth."""

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngInfo

from imgdiff.engine.edit import crop, identify, resize
from imgdiff.errors import InvalidField, TooLarge, UnsupportedImage
from tests.unit.engine.images import (
    Pixels,
    encode,
    exif,
    noise,
    photograph,
    plain,
    tiff,
    translucent,
)
from tests.unit.engine.png_writer import png
from tests.unit.engine.stored import HEIGHT, WIDTH, Stored, every_kind
from tests.unit.engine.test_orientation import (
    Encoder,
    avif,
    jpeg,
    png_plain,
    tiff_deflated,
    turned,
    webp,
)
from tests.unit.engine.test_orientation import tiff as tiff_plain

ROOT = Path(__file__).parents[3]
LIMIT = 1_000_000
KINDS = every_kind()
SIZES = ((11, 7), (80, 50), (37, 50), (1, 1))
BOXES = ((0, 0, WIDTH, HEIGHT), (5, 3, 25, 14), (36, 0, 37, 1))
SUFFIXES = {"jpeg": "jpg"}
# How Pillow is asked to write what can't be written without loss.
LOSSY = {"jpeg": {"quality": 90}, "webp": {"quality": 90, "exact": True}, "avif": {}}


def is_lossy(stored: Stored) -> bool:
    return stored.name.startswith(("jpeg", "avif", "webp lossy"))


def has_own_samples(stored: Stored) -> bool:
    """Whether its samples are more, or other, than the pixels that are shown."""
    return stored.name in ("png grey 16", "png grey 16 interlaced", "tiff cmyk")


def kinds(chosen: Callable[[Stored], bool]) -> pytest.MarkDecorator:
    found = [stored for stored in KINDS if chosen(stored)]
    return pytest.mark.parametrize("stored", found, ids=lambda stored: stored.name)


EVERY_KIND = kinds(lambda _: True)
LOSSLESS_KINDS = kinds(lambda stored: not is_lossy(stored) and not has_own_samples(stored))
BLENDED_KINDS = kinds(
    lambda stored: (
        not is_lossy(stored) and not has_own_samples(stored) and not stored.name.startswith("gif")
    )
)
LOSSY_KINDS = kinds(is_lossy)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def visible(picture: Pixels | Image.Image) -> Pixels:
    """RGBA; what is fully transparent has no colour."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    rgba = np.array(image.convert("RGBA"))
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def as_pillow_does(stored: Stored, edit: Callable[[Image.Image], Image.Image]) -> Pixels:
    """The file opened, edited and written by Pillow alone."""
    family = stored.name.partition(" ")[0]
    edited = edit(ImageOps.exif_transpose(opened(stored.data)))
    return visible(opened(encode(edited, family.upper(), **LOSSY[family])))


@LOSSLESS_KINDS
def test_crop_takes_exactly_these_pixels(stored: Stored) -> None:
    for left, top, right, bottom in BOXES:
        made = crop(stored.data, left, top, right - left, bottom - top, max_pixels=LIMIT)

        expected = visible(stored.pixels[top:bottom, left:right])
        assert np.array_equal(visible(opened(made.content)), expected)


@BLENDED_KINDS
def test_resize_is_pillows(stored: Stored) -> None:
    for size in SIZES:
        made = resize(stored.data, *size, max_pixels=LIMIT)

        expected = Image.fromarray(stored.pixels).resize(size, Image.Resampling.LANCZOS)
        assert np.array_equal(visible(opened(made.content)), visible(expected))


@LOSSY_KINDS
def test_lossy_files_are_cropped_as_pillow_does(stored: Stored) -> None:
    for box in BOXES:
        left, top, right, bottom = box
        made = crop(stored.data, left, top, right - left, bottom - top, max_pixels=LIMIT)

        expected = as_pillow_does(stored, methodcaller("crop", box))
        assert np.array_equal(visible(opened(made.content)), expected)


@LOSSY_KINDS
def test_lossy_files_are_resized_as_pillow_does(stored: Stored) -> None:
    for size in SIZES:
        made = resize(stored.data, *size, max_pixels=LIMIT)

        expected = as_pillow_does(stored, methodcaller("resize", size, Image.Resampling.LANCZOS))
        assert np.array_equal(visible(opened(made.content)), expected)


@EVERY_KIND
def test_the_result_says_what_it_is(stored: Stored) -> None:
    family = stored.name.partition(" ")[0]
    identified = identify(stored.data, max_pixels=LIMIT)
    assert identified.content == stored.data
    for made, size in (
        (identified, (WIDTH, HEIGHT)),
        (crop(stored.data, 5, 3, 20, 11, max_pixels=LIMIT), (20, 11)),
        (resize(stored.data, 20, 11, max_pixels=LIMIT), (20, 11)),
    ):
        image = opened(made.content)
        assert (made.width, made.height) == image.size == size
        assert made.format.name == family.upper().replace("WEBP", "WebP")
        assert made.format.extension == SUFFIXES.get(family, family)
        assert (image.format or "").replace("MPO", "JPEG") == made.format.name.upper()


@pytest.mark.parametrize("file_format", ["PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_the_result_is_a_single_picture(file_format: str) -> None:
    first, second = (Image.fromarray(photograph(HEIGHT, WIDTH, phase=phase)) for phase in (0, 1))
    data = encode(first, file_format, save_all=True, append_images=[second])
    assert getattr(opened(data), "n_frames", 1) == 2

    for made in (
        crop(data, 0, 0, WIDTH, HEIGHT, max_pixels=LIMIT),
        resize(data, WIDTH, HEIGHT, max_pixels=LIMIT),
    ):
        image = opened(made.content)
        assert getattr(image, "n_frames", 1) == 1
        assert np.abs(np.asarray(image.convert("L")).astype(int) - first.convert("L")).max() < 40


@pytest.mark.parametrize(
    ("name", "cropped", "resized"),
    [
        ("png grey 1", "1", "L"),
        ("png grey 8", "L", "L"),
        ("png grey 16", "I;16", "I;16"),
        ("png grey+alpha 8", "LA", "LA"),
        ("png palette 4", "P", "RGB"),
        ("png palette 4 tRNS", "P", "RGBA"),
        ("jpeg grey", "L", "L"),
        ("jpeg cmyk", "CMYK", "CMYK"),
        ("gif", "P", "P"),
        ("bmp 32 alpha", "RGBA", "RGBA"),
        ("tiff 1", "1", "L"),
        ("tiff palette", "P", "RGB"),
        ("tiff grey and alpha", "LA", "LA"),
        ("tiff cmyk", "CMYK", "CMYK"),
    ],
)
def test_colours_stay_of_their_kind(name: str, cropped: str, resized: str) -> None:
    [stored] = [stored for stored in KINDS if stored.name == name]

    assert opened(crop(stored.data, 1, 1, 9, 9, max_pixels=LIMIT).content).mode == cropped
    assert opened(resize(stored.data, 9, 9, max_pixels=LIMIT).content).mode == resized


def test_deep_grey_keeps_its_depth() -> None:
    samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    data = png(samples, "grey", 16)

    cropped = crop(data, 5, 3, 20, 11, max_pixels=LIMIT)
    resized = resize(data, 20, 11, max_pixels=LIMIT)

    expected = Image.fromarray(samples).resize((20, 11), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(opened(cropped.content)), samples[3:14, 5:25])
    assert np.array_equal(np.asarray(opened(resized.content)), np.asarray(expected))


def test_inks_stay_inks() -> None:
    inks = noise(HEIGHT, WIDTH, 4)
    data = tiff(inks, "separated")

    cropped = crop(data, 5, 3, 20, 11, max_pixels=LIMIT)
    resized = resize(data, 20, 11, max_pixels=LIMIT)

    expected = Image.fromarray(inks, "CMYK").resize((20, 11), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(opened(cropped.content)), inks[3:14, 5:25])
    assert np.array_equal(np.asarray(opened(resized.content)), np.asarray(expected))


def test_what_is_transparent_colours_nothing() -> None:
    pixels = np.zeros((20, 20, 4), dtype=np.uint8)
    pixels[:, :10] = (0, 255, 0, 0)
    pixels[:, 10:] = (200, 0, 0, 255)

    made = np.asarray(opened(resize(plain(pixels), 7, 7, max_pixels=LIMIT).content))

    seen = made[made[..., 3] > 0]
    assert {*seen[:, 1]} == {0}
    assert ((made[..., 3] > 0) & (made[..., 3] < 255)).any()


def test_a_gif_that_covers_part_of_its_canvas() -> None:
    palette = noise(1, 200, 3)[0]
    indices = noise(20, 20, 1, below=200)[..., 0]
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    data = bytearray(encode(image, "GIF", optimize=False))
    struct.pack_into("<HH", data, 6, 30, 25)

    made = visible(opened(crop(bytes(data), 0, 0, 30, 25, max_pixels=LIMIT).content))

    assert np.array_equal(made[:20, :20], visible(palette[indices]))
    assert not made[20:].any()
    assert not made[:, 20:].any()


def test_a_transparent_gif_stays_transparent_when_resized() -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette(bytes([0, 0, 0, 255, 0, 0, 0, 0, 255]))
    image.paste(2, (10, 0, 20, 20))

    data = encode(image, "GIF", transparency=1, optimize=False)
    made = visible(opened(resize(data, 10, 10, max_pixels=LIMIT).content))

    assert made[:, :4].tolist() == np.zeros((10, 4, 4)).tolist()
    assert made[:, 6:].tolist() == np.tile([0, 0, 255, 255], (10, 4, 1)).tolist()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encoded", [png_plain, webp, tiff_plain, tiff_deflated])
def test_pictures_are_cropped_as_they_are_shown(encoded: Encoder, orientation: int) -> None:
    pixels = noise()
    shown = turned(pixels, orientation)

    made = crop(encoded(pixels, orientation), 2, 3, 15, 13, max_pixels=LIMIT)

    image = opened(made.content)
    assert np.array_equal(visible(image), visible(shown[3:16, 2:17]))
    assert np.array_equal(visible(ImageOps.exif_transpose(image)), visible(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encoded", [jpeg, png_plain, webp, tiff_plain, avif])
def test_pictures_are_resized_as_they_are_shown(encoded: Encoder, orientation: int) -> None:
    corner = np.zeros((40, 60, 3), dtype=np.uint8)
    corner[:20, :20] = 255
    shown = turned(corner, orientation)

    data = encoded(corner, orientation)
    made = resize(data, 30, 20, max_pixels=LIMIT)
    image = opened(made.content)

    expected = Image.fromarray(shown).resize((30, 20), Image.Resampling.LANCZOS)
    assert image.size == (30, 20)
    assert np.abs(np.asarray(image.convert("L")).astype(int) - expected.convert("L")).max() < 40
    assert np.array_equal(visible(ImageOps.exif_transpose(image)), visible(image))
    identified = identify(data, max_pixels=LIMIT)
    assert (identified.width, identified.height) == (shown.shape[1], shown.shape[0])


def profile(space: bytes) -> bytes:
    """An ICC profile of a colour space, as far as its header tells."""
    size = 132
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02400000, b"mntr", space, b"XYZ ")
    return (head.ljust(36, b"\0") + b"acsp").ljust(size, b"\0")


PROFILES = [
    *((name, "RGB", b"RGB ") for name in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF")),
    *((name, "L", b"GRAY") for name in ("PNG", "JPEG", "TIFF", "AVIF")),
    *((name, "CMYK", b"CMYK") for name in ("JPEG", "TIFF")),
]


@pytest.mark.parametrize(("file_format", "mode", "space"), PROFILES)
def test_colour_profiles_are_kept(file_format: str, mode: str, space: bytes) -> None:
    kept = profile(space)
    image = Image.fromarray(photograph(HEIGHT, WIDTH)).convert(mode)
    data = encode(image, file_format, icc_profile=kept)

    for made in (
        crop(data, 1, 1, 9, 9, max_pixels=LIMIT),
        resize(data, 9, 9, max_pixels=LIMIT),
    ):
        assert opened(made.content).info["icc_profile"] == kept


def test_palettes_become_the_colours_that_their_profile_describes() -> None:
    data = encode(Image.fromarray(noise()).quantize(), "PNG", icc_profile=profile(b"RGB "))

    made = resize(data, 9, 9, max_pixels=LIMIT)

    assert opened(made.content).info["icc_profile"] == profile(b"RGB ")


def test_a_profile_stays_where_a_colour_key_becomes_alpha() -> None:
    deep = Image.fromarray(noise()[..., 0].astype(np.uint16) * 257)
    data = encode(deep, "PNG", icc_profile=profile(b"GRAY"), transparency=257)

    image = opened(crop(data, 0, 0, 9, 9, max_pixels=10_000).content)

    assert image.mode == "LA"
    assert image.info["icc_profile"] == profile(b"GRAY")


def test_a_profile_of_grey_is_not_put_on_colours() -> None:
    grey = Image.fromarray(noise()).convert("L")
    data = encode(grey, "PNG", icc_profile=profile(b"GRAY"), transparency=7)

    image = opened(resize(data, 9, 9, max_pixels=LIMIT).content)

    assert image.mode == "RGBA"
    assert "icc_profile" not in image.info


CANARY = "Canary"


def told_exif() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.ImageDescription] = CANARY
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSMapDatum] = CANARY
    return tags.tobytes()


def told_png() -> dict[str, Any]:
    text = PngInfo()
    text.add_text("Comment", CANARY)
    text.add_itxt("Author", CANARY)
    text.add_itxt("XML:com.adobe.xmp", CANARY)
    text.add(b"tIME", bytes(7))
    return {"pnginfo": text, "exif": told_exif(), "dpi": (300, 300)}


def told(file_format: str) -> bytes:
    """A file that tells more than its pixels, wherever its format has room for that."""
    xmp = CANARY.encode()
    options: dict[str, dict[str, Any]] = {
        "PNG": told_png(),
        "JPEG": {"exif": told_exif(), "xmp": xmp, "comment": CANARY, "dpi": (300, 300)},
        "WEBP": {"exif": told_exif(), "xmp": xmp, "lossless": True},
        "GIF": {"comment": CANARY},
        "TIFF": {"tiffinfo": {270: CANARY, 315: CANARY, 700: xmp, 33723: xmp}},
        "AVIF": {"exif": told_exif(), "xmp": xmp},
    }
    data = encode(photograph(HEIGHT, WIDTH), file_format, **options[file_format])
    if file_format == "JPEG":
        iptc = b"Photoshop 3.0\0" + xmp
        data = data[:2] + b"\xff\xed" + struct.pack(">H", len(iptc) + 2) + iptc + data[2:]
    return data


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_nothing_else_that_the_file_tells_is_kept(file_format: str) -> None:
    data = told(file_format)
    assert CANARY.encode() in data

    for made in (
        crop(data, 0, 0, WIDTH, HEIGHT, max_pixels=LIMIT),
        resize(data, WIDTH, HEIGHT, max_pixels=LIMIT),
        resize(data, 9, 9, max_pixels=LIMIT),
    ):
        image = opened(made.content)
        image.load()
        assert CANARY.encode() not in made.content
        assert not {"exif", "xmp", "comment", "photoshop", "Comment", "Author"} & set(image.info)
        assert image.info.get("dpi", (1, 1))[0] in (1, 72)


def test_webp_stays_as_lossless_or_lossy_as_it_was() -> None:
    pixels = photograph(HEIGHT, WIDTH)
    lossless = encode(pixels, "WEBP", lossless=True)
    lossy = encode(pixels, "WEBP", quality=80)

    assert b"VP8L" in resize(lossless, 9, 9, max_pixels=LIMIT).content
    assert b"VP8 " in resize(lossy, 9, 9, max_pixels=LIMIT).content


PICTURE = translucent(HEIGHT, WIDTH)
PICTURE_FILE = plain(PICTURE)


@given(st.integers(1, 60), st.integers(1, 60))
def test_any_size(width: int, height: int) -> None:
    made = resize(PICTURE_FILE, width, height, max_pixels=LIMIT)

    expected = Image.fromarray(PICTURE).resize((width, height), Image.Resampling.LANCZOS)
    assert np.array_equal(visible(opened(made.content)), visible(expected))


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 65_535), st.integers(1, 65_535))
def test_any_rectangle(left: int, top: int, width: int, height: int) -> None:
    expected = PICTURE[top : top + height, left : left + width]

    if not expected.size:
        with pytest.raises(InvalidField, match="nothing of it is in the rectangle"):
            crop(PICTURE_FILE, left, top, width, height, max_pixels=LIMIT)
        return
    made = crop(PICTURE_FILE, left, top, width, height, max_pixels=LIMIT)
    assert (made.width, made.height) == (expected.shape[1], expected.shape[0])
    assert np.array_equal(visible(opened(made.content)), visible(expected))


def test_results_over_the_limit_are_not_made() -> None:
    assert resize(PICTURE_FILE, 100, 100, max_pixels=10_000).width == 100
    with pytest.raises(TooLarge, match="would be 101x100 pixels, over the limit of 10000 pixels"):
        resize(PICTURE_FILE, 101, 100, max_pixels=10_000)


@pytest.mark.parametrize(
    "edit", [resize, lambda data, *size, **limit: crop(data, 0, 0, *size, **limit)]
)
def test_sources_over_the_limit_are_not_read(edit: Callable[..., object]) -> None:
    with pytest.raises(TooLarge, match=f"is {WIDTH}x{HEIGHT} pixels, over the limit of 850 pixels"):
        edit(PICTURE_FILE, 1, 1, max_pixels=WIDTH * HEIGHT - 1)


@pytest.mark.parametrize(
    ("file_format", "longest"),
    [("JPEG", 65_500), ("WEBP", 16_383), ("AVIF", 65_535), ("GIF", 65_535), ("BMP", 65_535)],
)
def test_sides_are_what_the_format_can_hold(file_format: str, longest: int) -> None:
    data = encode(np.zeros((2, 2, 3), dtype=np.uint8), file_format)

    assert resize(data, longest, 1, max_pixels=LIMIT).width == longest
    for size in ((longest + 1, 1), (1, longest + 1)):
        with pytest.raises(TooLarge, match=f"over the limit of {longest} pixels a side"):
            resize(data, *size, max_pixels=LIMIT)


def test_a_source_of_one_endless_row_is_not_resized() -> None:
    data = encode(Image.new("1", (65_536, 1)), "PNG")

    with pytest.raises(TooLarge, match="is 65536x1 and would be 1x1 pixels"):
        resize(data, 1, 1, max_pixels=LIMIT)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize(
    "edit",
    [
        lambda data: identify(data, max_pixels=LIMIT),
        lambda data: resize(data, 9, 9, max_pixels=LIMIT),
        lambda data: crop(data, 0, 0, 9, 9, max_pixels=LIMIT),
    ],
)
def test_files_cut_short_are_refused(file_format: str, edit: Callable[[bytes], object]) -> None:
    data = encode(noise(), file_format)

    with pytest.raises(UnsupportedImage):
        edit(data[: len(data) * 2 // 3])


MEASURE = """
import re, sys
from pathlib import Path
from imgdiff.engine import crop, resize
def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
small, large = (Path(name).read_bytes() for name in sys.argv[1:])
resize(small, 5, 5, max_pixels=10**8)
idle = status("VmRSS")
resize(large, 3000, 2400, max_pixels=10**8)
crop(large, 1, 1, 2400, 3000, max_pixels=10**8)
print(status("VmHWM") - idle)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Peak memory is read from Linux's /proc."
)
def test_memory_is_a_few_times_the_picture(tmp_path: Path) -> None:
    large: NDArray[np.uint8] = np.tile(photograph(400, 500), (6, 6, 1))
    for name, pixels in (("small", photograph(9, 9)), ("large", large)):
        (tmp_path / name).write_bytes(encode(pixels, "JPEG", exif=exif(6)))

    peak = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "small", tmp_path / "large"],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "functions")},
        capture_output=True,
        text=True,
    )

    assert int(peak.stdout) <= 4.5 * 4 * large.size / 3
