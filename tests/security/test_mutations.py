"""Mutated files of every kind meet no error but ours, whatever a decoder makes of them."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from imgdiff.engine import compare
from imgdiff.errors import SizesDiffer, TooLarge, UnsupportedImage
from tests.unit.engine.stored import every_kind

MUTATIONS = 5_000
BATCHES = 20

FILES = [stored.data for stored in every_kind()]
# What a length, a size, a count or an offset may be, at its worst.
NUMBERS = (
    *(bytes(size) for size in (1, 2, 4, 8)),
    *(b"\xff" * size for size in (1, 2, 4, 8)),
    *(b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\0\0\0\x80", b"\0\0\0\1"),
)

type Mutation = Callable[[random.Random, bytearray], None]


def place(draw: random.Random, data: bytearray) -> int:
    """Any place, but mostly near the start, where headers are."""
    return min(int(len(data) * draw.random() ** draw.choice((1, 3))), len(data) - 1)


def stretch(draw: random.Random, data: bytearray) -> slice:
    start = place(draw, data)
    return slice(start, start + draw.choice((1, 2, 4, 12, 64, 500)))


def flip(draw: random.Random, data: bytearray) -> None:
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[place(draw, data)] ^= 1 << draw.randrange(8)


def put(draw: random.Random, data: bytearray) -> None:
    number, start = draw.choice(NUMBERS), place(draw, data)
    data[start : start + len(number)] = number


def scramble(draw: random.Random, data: bytearray) -> None:
    part = stretch(draw, data)
    data[part] = draw.randbytes(len(data[part]))


def insert(draw: random.Random, data: bytearray) -> None:
    start = place(draw, data)
    data[start:start] = draw.choice((draw.randbytes(draw.choice((1, 4, 64))), *NUMBERS))


def remove(draw: random.Random, data: bytearray) -> None:
    del data[stretch(draw, data)]


def repeat(draw: random.Random, data: bytearray) -> None:
    part = stretch(draw, data)
    data[part.stop : part.stop] = data[part] * draw.choice((1, 2, 30))


def move(draw: random.Random, data: bytearray) -> None:
    part = stretch(draw, data)
    moved = data[part]
    del data[part]
    start = place(draw, data) if data else 0
    data[start:start] = moved


def cut(draw: random.Random, data: bytearray) -> None:
    del data[max(1, place(draw, data)) :]


def splice(draw: random.Random, data: bytearray) -> None:
    """Go on as another file of the same or another kind does."""
    other = draw.choice(FILES)
    share = draw.random()
    data[int(len(data) * share) :] = other[int(len(other) * share) :]


WAYS: tuple[Mutation, ...] = (flip, put, scramble, insert, remove, repeat, move, cut, splice)


def mutated(draw: random.Random, sound: bytes) -> bytes:
    data = bytearray(sound)
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        if data:
            draw.choice(WAYS)(draw, data)
    return bytes(data)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_mutated_files(batch: int) -> None:
    draw = random.Random(batch)
    answers: Counter[str] = Counter()
    for _ in range(MUTATIONS // BATCHES):
        sound = draw.choice(FILES)
        pair = [sound, mutated(draw, sound)]
        draw.shuffle(pair)
        try:
            compare(*pair, max_pixels=1_000_000)
            answers["compared"] += 1
        except (UnsupportedImage, TooLarge, SizesDiffer) as error:
            answers[type(error).__name__] += 1
    # Neither is everything refused, nor does nothing matter.
    assert answers["compared"] > 20
    assert answers["UnsupportedImage"] > 20
