"""What a file tells besides its pixels reaches nothing that is made of it.

The colour profile is kept where pictures are edited: without it the same numbers would be other
colours.
"""

import io
import struct
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, TiffImagePlugin
from PIL.PngImagePlugin import PngInfo

from imgdiff.engine import compare, crop, resize
from tests.unit.engine.images import encode, photograph
from tests.unit.engine.png_writer import chunk

SECRET = "51.5007N 0.1246W"
HEIGHT, WIDTH = 23, 37
LIMIT = 10_000
PICTURE = Image.fromarray(photograph(HEIGHT, WIDTH))
PROFILE = (
    struct.pack(">I4s4x4s4s4s", 132, b"test", b"mntr", b"RGB ", b"XYZ ").ljust(36, b"\0") + b"acsp"
).ljust(132, b"\0")
# The thumbnail that is left of what was cut away tells the most.
THUMBNAIL = encode(PICTURE.resize((16, 16)), "JPEG", comment=SECRET)


def told_exif() -> bytes:
    """EXIF with text, a place, a note by the maker and a thumbnail."""
    tags = Image.Exif()
    tags[ExifTags.Base.ImageDescription] = SECRET
    tags[ExifTags.Base.XPComment] = SECRET.encode("utf-16-le")
    tags.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSMapDatum] = SECRET
    tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.MakerNote] = SECRET.encode() + THUMBNAIL
    return tags.tobytes()


def png() -> bytes:
    text = PngInfo()
    text.add_text("Comment", SECRET)
    text.add_text("Packed", SECRET, zip=True)
    text.add_itxt("XML:com.adobe.xmp", SECRET)
    text.add(b"tIME", bytes(7))
    text.add(b"prIv", SECRET.encode())
    told = encode(
        PICTURE, "PNG", pnginfo=text, exif=told_exif(), dpi=(300, 300), icc_profile=PROFILE
    )
    behind = chunk(b"tEXt", f"Behind\0{SECRET}".encode())
    return told[:-12] + behind + told[-12:] + SECRET.encode()


def jpeg() -> bytes:
    told = encode(
        PICTURE, "MPO", save_all=True, append_images=[Image.open(io.BytesIO(THUMBNAIL))],
        exif=told_exif(), xmp=SECRET.encode(), comment=SECRET, icc_profile=PROFILE,
    )  # fmt: skip
    others = b"".join(
        struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content
        for marker, content in (
            (0xE0, b"JFXX\0\x10" + THUMBNAIL),
            (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + SECRET.encode()),
            (0xED, b"Photoshop 3.0\x008BIM\4\4\0\0" + struct.pack(">I", 16) + SECRET.encode()),
            (0xEB, SECRET.encode()),
        )
    )
    return told[:2] + others + told[2:] + SECRET.encode()


def webp() -> bytes:
    return encode(
        PICTURE, "WEBP", lossless=True, exif=told_exif(), xmp=SECRET.encode(), icc_profile=PROFILE
    )


def gif() -> bytes:
    told = encode(PICTURE.quantize(64), "GIF", comment=SECRET)
    private = b"!\xff\x0bPRIVATE 1.0" + bytes([len(SECRET)]) + SECRET.encode() + b"\0"
    start = told.index(b"!\xfe")
    return told[:start] + private + told[start:] + SECRET.encode()


def bmp() -> bytes:
    told = bytearray(encode(PICTURE, "BMP"))
    # Between the header and the pixels, and behind these.
    start = struct.unpack_from("<I", told, 10)[0]
    told[start:start] = SECRET.encode()
    struct.pack_into("<I", told, 10, start + len(SECRET))
    return bytes(told) + SECRET.encode()


def tiff() -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    for tag in (269, 270, 285, 305, 306, 315, 316, 33432):
        tags[tag] = SECRET
    for tag in (700, 33723, 34377, 37724, 65000):
        tags[tag] = SECRET.encode()
        tags.tagtype[tag] = 7
    told = {"tiffinfo": tags, "icc_profile": PROFILE}
    image = PICTURE.copy()
    return encode(image, "TIFF", save_all=True, append_images=[PICTURE.rotate(180)], **told)


def avif() -> bytes:
    return encode(
        PICTURE, "AVIF", speed=10, exif=told_exif(), xmp=SECRET.encode(), icc_profile=PROFILE
    )


FILES: dict[str, Callable[[], bytes]] = {
    "PNG": png, "JPEG": jpeg, "WEBP": webp, "GIF": gif, "BMP": bmp, "TIFF": tiff, "AVIF": avif
}  # fmt: skip
EDITS: dict[str, Callable[[bytes], Any]] = {
    "crop to all of it": partial(crop, left=0, top=0, width=WIDTH, height=HEIGHT, max_pixels=LIMIT),
    "crop": partial(crop, left=3, top=5, width=9, height=9, max_pixels=LIMIT),
    "resize to its size": partial(resize, width=WIDTH, height=HEIGHT, max_pixels=LIMIT),
    "resize": partial(resize, width=9, height=9, max_pixels=LIMIT),
}
# What a written TIFF tells: size, coding, place of the pixels, resolution, profile.
TIFF_TAGS = {256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 317, 320, 34675}


def png_parts(data: bytes) -> set[bytes]:
    names = set()
    position = 8
    while position < len(data):
        names.add(data[position + 4 : position + 8])
        position += 12 + int.from_bytes(data[position : position + 4])
    assert position == len(data)
    return names


def riff_parts(data: bytes) -> set[bytes]:
    names = set()
    position = 12
    while position < len(data):
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        names.add(data[position : position + 4])
        position += 8 + length + length % 2
    assert position == len(data)
    return names


def assert_silent(data: bytes) -> None:
    """Nothing of the secret is in the file, nor anything that could hold it."""
    for coded in (SECRET.encode(), SECRET.encode("utf-16-le"), THUMBNAIL[20:200]):
        assert coded not in data
    image = Image.open(io.BytesIO(data))
    match image.format:
        case "PNG":
            assert png_parts(data) <= {b"IHDR", b"PLTE", b"tRNS", b"iCCP", b"IDAT", b"IEND"}
        case "JPEG":
            told = [content for _, content in image.applist]  # type: ignore[attr-defined]
            assert all(
                content.startswith((b"JFIF\0", b"Adobe\0", b"ICC_PROFILE\0")) for content in told
            )
            assert data.endswith(b"\xff\xd9")
        case "WEBP":
            assert riff_parts(data) <= {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ICCP"}
        case "GIF":
            assert not {"comment", "extension"} & image.info.keys()
            assert data.endswith(b"\0;")
        case "BMP":
            (told_length,) = struct.unpack_from("<I", data, 2)
            (start,) = struct.unpack_from("<I", data, 10)
            assert start in (54, 122)
            assert told_length == len(data) == start + -(-image.width * 3 // 4) * 4 * image.height
        case "TIFF":
            assert set(image.tag_v2) <= TIFF_TAGS  # type: ignore[attr-defined]
            assert getattr(image, "n_frames", 1) == 1
        case "AVIF":
            assert not {"exif", "xmp"} & image.info.keys()
            assert b"mime" not in data
            assert b"Exif" not in data
        case _:
            raise AssertionError(image.format)


@pytest.mark.parametrize("name", FILES)
def test_the_files_here_tell_the_secret(name: str) -> None:
    data = FILES[name]()

    with pytest.raises(AssertionError):
        assert_silent(data)
    Image.open(io.BytesIO(data)).load()


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("name", FILES)
def test_edited_pictures_keep_the_profile_alone(name: str, edit: Callable[[bytes], Any]) -> None:
    data = FILES[name]()

    made = edit(data).content

    assert_silent(made)
    kept = Image.open(io.BytesIO(made)).info.get("icc_profile")
    assert kept == (None if name in ("GIF", "BMP") else PROFILE)


@pytest.mark.parametrize("name", FILES)
def test_difference_images_keep_nothing(name: str) -> None:
    data = FILES[name]()
    other = encode(np.zeros((HEIGHT, WIDTH, 3), np.uint8), "PNG")

    for pair in ((data, data), (data, other), (other, data)):
        made = compare(*pair).image
        assert made
        assert_silent(made)
        assert png_parts(made) == {b"IHDR", b"PLTE", b"IDAT", b"IEND"}


def test_pixels_that_were_cut_away_are_gone() -> None:
    pixels = photograph(HEIGHT, WIDTH)
    hidden = np.frombuffer(SECRET.encode() * 3, np.uint8).reshape(1, -1, 3)
    pixels[0, : hidden.shape[1]] = hidden
    for name in ("PNG", "BMP", "TIFF"):
        data = encode(pixels, name)

        made = crop(data, 0, 1, WIDTH, HEIGHT - 1, max_pixels=LIMIT).content

        image = np.asarray(Image.open(io.BytesIO(made)))
        assert SECRET.encode() in pixels.tobytes()
        assert SECRET.encode() not in image.tobytes() + made
