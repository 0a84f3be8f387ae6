"""Mutated files: whatever is done to a file, what comes of comparing it is an answer of ours."""

import random
import struct
import warnings
from collections.abc import Callable
from functools import cache

import pytest
from PIL import Image

from imgdiff.engine import compare
from imgdiff.errors import SizesDiffer, TooLarge, UnsupportedImage
from tests.unit.engine.images import encode, exif, photograph, plain
from tests.unit.engine.png_rows import with_sound_checksums
from tests.unit.engine.stored import every_kind

MUTATIONS = 5_000
BATCHES = 20
# Of each hundred mutants. Changes that are too coarse or too fine would test little of the code.
LEAST_ACCEPTED, LEAST_REFUSED = 10, 40

ANSWERS = (SizesDiffer, TooLarge, UnsupportedImage)
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 1 << 24, 0x7FFFFFFF, 0xFFFFFFFF)
# What lengths, counts and places are told in.
CODES = (">H", "<H", ">I", "<I", "B", ">Q", "<Q")


@cache
def files() -> tuple[bytes, ...]:
    """One of every kind that there is, and some with more beside their pixels."""
    picture = Image.fromarray(photograph(23, 37))
    told = {"exif": exif(6), "icc_profile": bytes(300)}
    described = [encode(picture, name, **told) for name in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF")]
    return (*(stored.data for stored in every_kind()), *described)


OTHER = plain(photograph(23, 37))


def flip(draw: random.Random, data: bytearray) -> None:
    """Some bits."""
    for _ in range(draw.randint(1, 8)):
        data[somewhere(draw, data)] ^= 1 << draw.randrange(8)


def overwrite(draw: random.Random, data: bytearray) -> None:
    """Some bytes, by any."""
    at = somewhere(draw, data)
    data[at : at + draw.randint(1, 16)] = draw.randbytes(draw.randint(1, 16))


def cut(draw: random.Random, data: bytearray) -> None:
    """The end."""
    del data[somewhere(draw, data) :]


def remove(draw: random.Random, data: bytearray) -> None:
    """A part in the middle."""
    at = somewhere(draw, data)
    del data[at : at + draw.randint(1, 64)]


def insert(draw: random.Random, data: bytearray) -> None:
    """Any bytes, or many alike."""
    at = somewhere(draw, data)
    data[at:at] = draw.choice(
        [draw.randbytes(draw.randint(1, 64)), bytes([draw.randrange(256)]) * 300]
    )


def duplicate(draw: random.Random, data: bytearray) -> None:
    """A part, there or elsewhere, up to a hundred times."""
    at = somewhere(draw, data)
    part = data[at : at + draw.randint(1, 128)]
    to = draw.choice([at, somewhere(draw, data)])
    data[to:to] = part * draw.choice([1, 2, 100])


def number(draw: random.Random, data: bytearray) -> None:
    """A length, count or place, to one that is at the edge."""
    code = draw.choice(CODES)
    at = min(somewhere(draw, data), max(0, len(data) - 8))
    told = draw.choice(NUMBERS) & (1 << 8 * struct.calcsize(code)) - 1
    data[at : at + struct.calcsize(code)] = struct.pack(code, told)


def splice(draw: random.Random, data: bytearray) -> None:
    """The rest, by that of another file."""
    other = draw.choice(files())
    data[somewhere(draw, data) :] = other[somewhere(draw, other) :]


CHANGES: list[Callable[[random.Random, bytearray], None]] = [
    flip,
    overwrite,
    cut,
    remove,
    insert,
    duplicate,
    number,
    splice,
]


def somewhere(draw: random.Random, data: bytes | bytearray) -> int:
    """A place in the file, more often at its start, where most is told."""
    return int(draw.random() ** draw.choice([1, 1, 2]) * max(0, len(data) - 1))


def mutant(draw: random.Random) -> bytes:
    data = bytearray(draw.choice(files()))
    is_png = data[:4] == b"\x89PNG"
    for _ in range(draw.choice([1, 1, 1, 1, 2, 4])):
        if data:
            draw.choice(CHANGES)(draw, data)
    # Else nothing behind a PNG's checksums would ever be reached.
    if is_png and draw.random() < 0.8:
        return with_sound_checksums(bytes(data))
    return bytes(data)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutants_are_answered(batch: int) -> None:
    draw = random.Random(batch)
    accepted = refused = 0

    for _ in range(MUTATIONS // BATCHES):
        data = mutant(draw)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                compare(data, draw.choice([data, OTHER]), max_pixels=100_000)
            except ANSWERS as answer:
                refused += not isinstance(answer, SizesDiffer)
            else:
                accepted += 1

    assert accepted * 100 >= LEAST_ACCEPTED * (MUTATIONS // BATCHES)
    assert refused * 100 >= LEAST_REFUSED * (MUTATIONS // BATCHES)
