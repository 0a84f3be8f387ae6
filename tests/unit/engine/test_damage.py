"""Damaged files: the fast decoders accept and refuse what Pillow does, in the same words."""

import struct
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgdiff.engine import compare
from imgdiff.engine.strips import rows_per_strip
from imgdiff.errors import SizesDiffer, UnsupportedImage
from tests.unit.engine.images import (
    encode,
    exif,
    noise,
    photograph,
    plain,
    translucent,
    with_alpha,
)
from tests.unit.engine.png_rows import (
    deflated,
    filtered,
    filtered_png,
    whole,
    with_sound_checksums,
)
from tests.unit.engine.png_writer import chunk, png
from tests.unit.engine.test_properties import bounded
from tests.unit.engine.two_ways import assert_same, outcome, patient_outcome

# Pillow warns of damage that it then refuses.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

HEIGHT, WIDTH = 23, 37
STRIP = rows_per_strip(256)
PIXELS = noise(HEIGHT, WIDTH)
ROWS = filtered(PIXELS, [0, 1, 2, 3, 4])
STREAM = deflated(ROWS)
SOUND = whole(STREAM, WIDTH, HEIGHT, 3)
PHOTO = photograph(HEIGHT, WIDTH)
# What the damaged file is compared with: another reader of each kind, and what is refused itself.
OTHERS = {
    "the same pixels": plain(PIXELS),
    "other pixels": plain(translucent(HEIGHT, WIDTH)),
    "jpeg": encode(PHOTO, "JPEG"),
    "palette": png(PIXELS[..., 0], "palette", palette=noise(1, 256)[0]),
    "another size": plain(noise(3, 3)),
    "no image": b"no image",
    "damaged": SOUND[:-60],
}
BESIDE = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)


def frame_control(width: int, height: int) -> bytes:
    """An APNG frame's place, at the upper left."""
    return chunk(b"fcTL", struct.pack(">5IHHBB", 0, width, height, 0, 0, 1, 1, 0, 0))


def animation(frames: int) -> bytes:
    return chunk(b"acTL", struct.pack(">II", frames, 0))


def header(width: int, height: int, bits: int = 8, colour: int = 2, interlace: int = 0) -> bytes:
    content = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlace)
    return chunk(b"IHDR", content)


def file(stream: bytes = STREAM, *, before: bytes = b"", behind: bytes = b"") -> bytes:
    return whole(stream, WIDTH, HEIGHT, 3, before=before, behind=behind)


DAMAGED = {
    "wrong adler32": file(STREAM[:-1] + bytes([STREAM[-1] ^ 1])),
    "no adler32": file(STREAM[:-4]),
    "half an adler32": file(STREAM[:-2]),
    "no end of the stream": file(STREAM[:-6]),
    "no last row": file(deflated(ROWS[: -1 - 3 * WIDTH])),
    "half a last row": file(deflated(ROWS[:-50])),
    "no row": file(deflated(b"")),
    "no stream": file(b""),
    "one byte more": file(deflated(ROWS + b"\0")),
    "a row more": file(deflated(ROWS + bytes(1 + 3 * WIDTH))),
    "many rows more": file(deflated(ROWS + bytes(100_000))),
    "data behind the stream": file(STREAM + b"data"),
    "two streams": file(STREAM + STREAM),
    "window over 32 KiB": file(b"\x88\x1c" + STREAM[2:]),
    "wrong header check": file(b"\x78\x9d" + STREAM[2:]),
    "dictionary": file(b"\x78\xbb" + STREAM[2:]),
    "no deflate": file(b"\x79\x9b" + STREAM[2:]),
    "raw deflate": file(STREAM[2:-4]),
    "unknown filter in the first row": file(deflated(b"\x05" + ROWS[1:])),
    "IDAT again": file(behind=chunk(b"IDAT", b"data")),
    "empty IDAT again": file(behind=chunk(b"IDAT", b"")),
    "text behind": file(behind=chunk(b"tEXt", b"a\0b")),
    "text, then IDAT": file(behind=chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", b"data")),
    "stream interrupted": file(
        STREAM[:50], behind=chunk(b"tEXt", b"") + chunk(b"IDAT", STREAM[50:])
    ),
    "EXIF behind": file(behind=chunk(b"eXIf", exif(6)[6:])),
    "EXIF that is none": file(behind=chunk(b"eXIf", b"none")),
    "transparency behind": file(behind=chunk(b"tRNS", bytes(6))),
    "header behind": file(behind=header(3, 3)),
    "unknown chunk": file(before=chunk(b"ABCD", b"data")),
    "frame of the whole": file(before=animation(1) + frame_control(WIDTH, HEIGHT)),
    "frame of a part": file(before=animation(1) + frame_control(WIDTH - 1, HEIGHT)),
    "frame too large": file(before=animation(1) + frame_control(WIDTH + 1, HEIGHT)),
    "frame without animation": file(before=frame_control(WIDTH, HEIGHT - 1)),
    "frame that is missing": file(before=animation(2) + frame_control(WIDTH, HEIGHT)),
    "no frame": file(before=animation(1)),
    "second header": file(before=header(WIDTH, HEIGHT - 1)),
    "second header, deep": file(before=header(WIDTH, HEIGHT, bits=16)),
    "second header, grey": file(before=header(WIDTH, HEIGHT, colour=0)),
    "second header, interlaced": file(before=header(WIDTH, HEIGHT, interlace=1)),
    "short key": file(before=chunk(b"tRNS", bytes(2))),
    "end too early": file(before=chunk(b"IEND", b"")),
    "no end": SOUND[:-12],
    "half an end": SOUND[:-5],
    "data behind the end": SOUND + b"data",
    "wrong checksum of the data": SOUND[:-16] + b"data" + SOUND[-12:],
    "wrong checksum of the end": SOUND[:-4] + b"data",
    "wrong checksum of a text": file(before=chunk(b"tEXt", b"a\0b")[:-4] + b"data"),
    "wider": whole(STREAM, WIDTH + 1, HEIGHT, 3),
    "narrower": whole(STREAM, WIDTH - 1, HEIGHT, 3),
    "higher": whole(STREAM, WIDTH, HEIGHT + 1, 3),
    "lower": whole(STREAM, WIDTH, HEIGHT - 1, 3),
    "said to be grey": whole(STREAM, WIDTH, HEIGHT, 1),
    "said to have alpha": whole(STREAM, WIDTH, HEIGHT, 4),
}


@BESIDE
@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_png(damaged: bytes, other: bytes) -> None:
    assert_same(damaged, other)
    assert_same(damaged, damaged)


@pytest.mark.parametrize("row", [0, STRIP - 1, STRIP, 2 * STRIP])
@pytest.mark.parametrize("beside", ["png", "jpeg", "palette"])
def test_large_png_that_ends_in_any_strip(row: int, beside: str) -> None:
    height = 2 * STRIP + 44
    pixels = noise(height, 256)
    rows = filtered(pixels, [4])[: row * 769 + 100]
    others = {
        "png": filtered_png(pixels, [4]),
        "jpeg": encode(pixels, "JPEG"),
        "palette": png(pixels[..., 0], "palette", palette=noise(1, 256)[0]),
    }

    assert_same(whole(deflated(rows), 256, height, 3), others[beside])


JPEGS = {
    "baseline": encode(PHOTO, "JPEG"),
    "progressive": encode(PHOTO, "JPEG", progressive=True),
    "restarts": encode(PHOTO, "JPEG", restart_marker_blocks=1),
    "grey": encode(PHOTO[..., 0], "JPEG"),
    "progressive grey": encode(PHOTO[..., 0], "JPEG", progressive=True),
}
SEGMENTS = {
    "skips the end": b"\xff\xe2\x7f\xff",
    "skips just the end": b"\xff\xfe\x00\x06ab",
    "of no length": b"\xff\xe2\0\0",
    "tables cut short": b"\xff\xc4\0\5a",
    "start": b"\xff\xd8",
    "end": b"\xff\xd9",
    "scan": b"\xff\xda",
    "height": b"\xff\xdc\0\4\0\x80",
    "restart": b"\xff\xd0",
    "second frame": b"\xff\xc0\0\x0b\x08\0\x40\0\x40\1\1\x11\0",
    "unknown": b"\xff\2",
    "none": b"data",
}


@pytest.mark.parametrize("segment", SEGMENTS.values(), ids=SEGMENTS)
@pytest.mark.parametrize("sound", JPEGS.values(), ids=JPEGS)
def test_jpeg_with_a_segment_where_none_belongs(sound: bytes, segment: bytes) -> None:
    scan = sound.rindex(b"\xff\xda")
    for place in (2, 20, scan, (scan + len(sound)) // 2, len(sound) - 2):
        assert_same(sound[:place] + segment + sound[place:], sound)


@pytest.mark.parametrize("end", [b"", b"\xff\xd9", b"\xff\xe2\0\6ab\xff\xd9", b"\xff\xd9 data"])
@pytest.mark.parametrize("sound", JPEGS.values(), ids=JPEGS)
def test_jpeg_cut_short(sound: bytes, end: bytes) -> None:
    for cut in (3, 40, len(sound) // 2):
        assert_same(sound[:-cut] + end, sound)
        # A picture behind the first, as phones append them.
        assert_same(sound[:-cut] + end + sound, sound)


def _files() -> list[bytes]:
    alpha = with_alpha(PHOTO, translucent(HEIGHT, WIDTH)[..., 3])
    photo = Image.fromarray(PHOTO)
    pngs = [filtered_png(noise(HEIGHT, WIDTH, count), [0, 1, 2, 3, 4]) for count in (1, 3, 4)]
    several = encode(photo, "MPO", save_all=True, append_images=[photo.rotate(180)])
    turned = encode(PHOTO, "JPEG", exif=exif(6))
    webps = [
        encode(pixels, "WEBP", lossless=lossless, exif=exif(orientation))
        for pixels in (PHOTO, alpha)
        for lossless in (False, True)
        for orientation in (1, 6)
    ]
    animated = encode(photo, "WEBP", save_all=True, append_images=[photo.rotate(180)])
    bare = encode(PHOTO, "WEBP", method=0)
    return [*pngs, *pngs, *JPEGS.values(), several, turned, *webps, animated, bare]


FILES = _files()


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _insert(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at:]


def _delete(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + data[at + len(new) :]


def _flip(data: bytes, at: int, new: bytes) -> bytes:
    flipped = bytes([data[at] ^ 1 << new[0] % 8]) if at < len(data) else b""
    return data[:at] + flipped + data[at + 1 :]


def _cut(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new[:0]


EDITS: list[Callable[[bytes, int, bytes], bytes]] = [_put, _insert, _delete, _flip, _cut]


@st.composite
def damage(draw: st.DrawFn, sound: bytes) -> bytes:
    """The bytes with something changed, most often one thing."""
    data = sound
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 4]))):
        at = int(
            draw(st.floats(0, 1, exclude_max=True)) ** draw(st.sampled_from([1, 3])) * len(data)
        )
        data = draw(st.sampled_from(EDITS))(data, at, draw(st.binary(min_size=1, max_size=8)))
    return data


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """A file of a fast format, damaged; a PNG often so that only its decoder can tell."""
    sound = draw(st.sampled_from(FILES))
    data = draw(damage(sound))
    return with_sound_checksums(data) if sound[:4] == b"\x89PNG" and draw(st.booleans()) else data


@st.composite
def damaged_rows(draw: st.DrawFn) -> bytes:
    """A PNG that is sound but for its rows or its compressed stream."""
    rows = draw(st.one_of(st.just(ROWS), damage(ROWS)))
    stream = deflated(
        rows, level=draw(st.sampled_from([0, 1, 9])), strategy=draw(st.integers(0, 4))
    )
    if rows == ROWS:
        stream = draw(damage(stream))
    if draw(st.booleans()):
        stream = stream[:-4] + zlib.adler32(rows).to_bytes(4)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=3))
    return whole(stream, WIDTH, HEIGHT, 3, cuts=cuts)


@settings(bounded, max_examples=400)
@given(st.one_of(damaged_files(), damaged_rows()), st.sampled_from(list(OTHERS.values())))
def test_any_damage(damaged: bytes, other: bytes) -> None:
    assert_same(damaged, other, max_pixels=100_000)


@pytest.mark.parametrize("other", [b"no image", plain(noise(3, 3))], ids=["no image", "size"])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (300, 256)], ids=str)
def test_damaged_pixels_are_told_before_what_is_wrong_with_the_target(
    size: tuple[int, int], other: bytes
) -> None:
    height, width = size
    source = whole(deflated(filtered(noise(*size), [4])[:-9]), width, height, 3)

    assert outcome(source, other) == patient_outcome(source, other)
    with pytest.raises(UnsupportedImage) as caught:
        compare(source, other)
    assert str(caught.value) == "source is damaged or cut short"


def test_damaged_pixels_of_a_target_are_told_before_its_size() -> None:
    target = whole(deflated(filtered(noise(4, 4), [4])[:-9]), 4, 4, 3)

    with pytest.raises(UnsupportedImage) as caught:
        compare(plain(noise(3, 3)), target)
    assert not isinstance(caught.value, SizesDiffer)
    assert caught.value.field == "target"
