"""Exact sums of what counts, at 8 and 16 bit, held against Python's integers."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from imgdiff.engine.exact import Exact, Exact8, Exact16
from imgdiff.engine.pixels import Pixels
from imgdiff.engine.strips import strips
from tests.unit.engine.test_properties import bounded

type Flags = NDArray[np.uint8]
type Box = tuple[int, int, int, int] | None

EITHER_DEPTH = pytest.mark.parametrize("bits", [8, 16])


@dataclass(frozen=True)
class Found:
    """Sums, in steps of which ``largest`` is the whole range."""

    squares: int
    absolutes: int
    changed: int
    largest: int
    transparent: bool
    box: Box


def brute_force(source: Pixels, target: Pixels, counted: Flags | None) -> tuple[Found, Flags]:
    """Pixel by pixel."""
    most = int(np.iinfo(source.dtype).max)
    flags = np.zeros(source.shape[:2], np.uint8)
    distances: list[int] = []
    transparent = False
    for y, x in np.ndindex(*flags.shape):
        if counted is not None and not counted[y, x]:
            continue
        one, other = (
            [sample * alpha for sample in (*colour, most)]
            for *colour, alpha in (source[y, x].tolist(), target[y, x].tolist())
        )
        apart = [abs(a - b) for a, b in zip(one, other, strict=True)]
        distances += apart
        flags[y, x] = any(apart)
        transparent |= min(source[y, x, 3], target[y, x, 3]) < most
    rows, columns = np.nonzero(flags)
    box = None
    if len(rows):
        box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    squares = sum(distance**2 for distance in distances)
    largest = max(distances, default=0)
    found = Found(squares, sum(distances), len(rows), largest, bool(transparent), box)
    return found, flags


def exact(
    source: Pixels, target: Pixels, counted: Flags | None, *, rows: int | None = None
) -> tuple[Found, Flags]:
    """What is found, strip by strip, of so many rows each."""
    height, width = source.shape[:2]
    sums: Exact = Exact8(width, height) if source.dtype == np.uint8 else Exact16()
    assert sums.largest == int(np.iinfo(source.dtype).max) ** 2
    cuts = list(strips(width, height))
    if rows:
        cuts = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    changed = [
        sums.add(
            source[top:bottom],
            target[top:bottom],
            None if counted is None else counted[top:bottom],
        )
        for top, bottom in cuts
    ]
    figures = sums.figures
    box = figures.left, figures.top, figures.right, figures.bottom
    found = Found(
        figures.squares,
        figures.absolutes,
        figures.changed,
        figures.largest,
        bool(figures.transparent),
        box if figures.changed else None,
    )
    return found, np.concatenate(changed)


def assert_exact(source: Pixels, target: Pixels, counted: Flags | None = None) -> None:
    before = source.copy(), target.copy()
    expected, flags = brute_force(source, target, counted)
    for rows in (None, 1, 3):
        found, changed = exact(source, target, counted, rows=rows)

        assert found == expected
        np.testing.assert_array_equal(changed, flags)
    np.testing.assert_array_equal(source, before[0])
    np.testing.assert_array_equal(target, before[1])


def _of_bits(samples: NDArray[np.int64], bits: int) -> Pixels:
    return samples.astype(np.uint8) if bits == 8 else samples.astype(np.uint16)


@st.composite
def images(draw: st.DrawFn, bits: int) -> tuple[Pixels, Pixels, Flags | None]:
    """Two small images that share a part, and what counts of them."""
    width, height = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    chance = np.random.default_rng(draw(st.integers(0, 2**32)))
    most = 2**bits - 1
    few = np.array([0, 1, most // 2, most - 1, most])
    levels = few if draw(st.booleans()) else np.arange(most + 1)
    source, target = (_of_bits(chance.choice(levels, (height, width, 4)), bits) for _ in range(2))
    same = chance.random((height, width)) < draw(st.sampled_from([0, 0.5, 1]))
    target[same] = source[same]
    opaque = chance.random((height, width)) < draw(st.sampled_from([0, 0.9, 1]))
    source[opaque, 3] = target[opaque, 3] = most
    if draw(st.booleans()):
        return source, target, None
    counted = chance.random((height, width)) < draw(st.sampled_from([0, 0.5, 1]))
    return source, target, counted.astype(np.uint8)


@EITHER_DEPTH
@settings(bounded, max_examples=300)
@given(data=st.data())
def test_any_images(bits: int, data: st.DataObject) -> None:
    assert_exact(*data.draw(images(bits)))


@EITHER_DEPTH
def test_transparency_counts_where_it_counts(bits: int) -> None:
    most = 2**bits - 1
    source = np.full((5, 7, 4), most, f"uint{bits}")
    source[2, 3, 3] = 0
    counted = np.ones((5, 7), np.uint8)

    assert exact(source, source, counted)[0].transparent
    counted[2, 3] = 0
    assert not exact(source, source, counted)[0].transparent
    assert_exact(source, source, counted)


@EITHER_DEPTH
def test_what_is_invisible_in_both_is_the_same(bits: int) -> None:
    source = np.zeros((3, 3, 4), f"uint{bits}")
    target = source.copy()
    target[..., :3] = 7

    found, _ = exact(source, target, None)

    assert (found.changed, found.squares, found.transparent) == (0, 0, True)


@pytest.mark.parametrize("size", [(256, 256), (1, 65_536), (65_535, 1)], ids=str)
def test_a_whole_strip_of_the_largest_squares(size: tuple[int, int]) -> None:
    height, width = size
    clear, white = np.zeros((2, height, width, 4), np.uint16)
    white[:] = 65535

    found, _ = exact(clear, white, None)

    pixels = height * width
    assert found.squares == pixels * 4 * 65535**4
    assert found.absolutes == pixels * 4 * 65535**2
    assert (found.changed, found.largest) == (pixels, 65535**2)


@EITHER_DEPTH
def test_the_box_over_several_strips(bits: int) -> None:
    source = np.full((700, 300, 4), 2**bits - 1, f"uint{bits}")
    target = source.copy()
    for y, x in ((3, 200), (450, 17), (698, 250)):
        target[y, x, 1] ^= 1

    found, changed = exact(source, target, None)

    assert found.box == (17, 3, 251, 699)
    assert [tuple(place) for place in np.argwhere(changed)] == [(3, 200), (450, 17), (698, 250)]
