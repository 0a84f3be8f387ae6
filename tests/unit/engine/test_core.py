"""The core: rows of every kind against brute force, whatever their bytes."""

import importlib.util
import shutil
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import override

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgdiff.engine import library
from imgdiff.engine.core import Figures, Tally, palette
from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.scanlines import Irregular
from imgdiff.engine.strips import rows_per_strip
from tests.unit.engine.images import Pixels, as_rgb, noise
from tests.unit.engine.png_rows import filtered
from tests.unit.engine.reference import changed_mask, expected_figures, expected_picture, is_opaque
from tests.unit.engine.test_properties import bounded


class Rows(Frame):
    """A frame of samples, shape (height, width, 1, 3 or 4), filtered if filters are given."""

    def __init__(self, pixels: Pixels, filters: Sequence[int] = ()) -> None:
        self.height, self.width, self.channels = pixels.shape
        self.filtered = bool(filters)
        data = filtered(pixels, filters) if filters else pixels.tobytes()
        self.rows = np.frombuffer(data, np.uint8).reshape(self.height, -1).copy()
        self.pixels = as_rgb(pixels[..., 0]) if self.channels == 1 else pixels

    @override
    def strips(self) -> Iterator[Samples]:
        yield self.rows


def run(
    source: Rows, target: Rows, cuts: Sequence[int] = (), *, shown: bool = True
) -> tuple[Figures, Samples]:
    """What the core makes of two frames that are cut into strips behind the given rows."""
    tally = Tally(source, target, shown=shown)
    drawn = []
    places = [0, *sorted({*cuts} - {0, source.height}), source.height]
    for top, bottom in pairwise(places):
        beside = None if target is source else target.rows[top:bottom]
        picture = tally.add(source.rows[top:bottom], beside)
        assert (picture is not None) is shown
        drawn.append(np.zeros(0, np.uint8) if picture is None else picture.copy())
    return tally.figures, np.concatenate(drawn)


def assert_exact(source: Rows, target: Rows, cuts: Sequence[int] = ()) -> None:
    """That figures and picture are those of brute force, and the figures the same without it."""
    found, picture = run(source, target, cuts)

    expected = expected_figures(source.pixels, target.pixels)
    opaque = is_opaque(source.pixels) and is_opaque(target.pixels)
    samples = source.width * source.height * (3 if opaque else 4)
    assert found.squares / (samples * 255**4) == expected.diff
    assert found.absolutes / (samples * 255) == expected.mae
    assert found.largest / 255 == expected.max_error
    assert found.changed == changed_mask(source.pixels, target.pixels).sum()
    box = (found.left, found.top, found.right, found.bottom)
    assert (box if found.changed else None) == expected.bbox
    # What is transparent in both and equal may go unseen where it makes no difference.
    assert bool(found.transparent) is not opaque

    assert not picture[:, 0].any()
    colours = np.frombuffer(palette(), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(
        colours[picture[:, 1:]], expected_picture(source.pixels, target.pixels)
    )
    assert bytes(run(source, target, cuts, shown=False)[0]) == bytes(found)


FILTERS = st.lists(st.integers(0, 4), max_size=9)
CHANNELS = st.sampled_from([1, 3, 4])


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """Two frames of one size and any kinds, alike in most rows or in none."""
    height, width = draw(st.tuples(st.integers(1, 9), st.integers(1, 70)))
    source = _pixels(draw, height, width, draw(CHANNELS))
    target = _pixels(draw, height, width, draw(CHANNELS))
    if source.shape == target.shape and draw(st.integers(0, 3)):
        target = source.copy()
        for place in draw(st.lists(st.integers(0, target.size - 1), max_size=4)):
            target.flat[place] ^= draw(st.integers(1, 255))
    filters = draw(FILTERS)
    return Rows(source, filters), Rows(target, draw(st.one_of(st.just(filters), FILTERS)))


def _pixels(draw: st.DrawFn, height: int, width: int, channels: int) -> Pixels:
    pixels = noise(height, width, channels, seed=draw(st.integers(0, 999)))
    if draw(st.booleans()):
        pixels //= np.uint8(85)
        pixels *= np.uint8(85)
    if channels == 4:
        opaque = draw(st.lists(st.booleans(), min_size=height, max_size=height))
        pixels[opaque, :, 3] = 255
    if draw(st.booleans()):
        pixels[1:] = pixels[0]
    return pixels


@settings(bounded, max_examples=100)
@given(pairs(), st.lists(st.integers(1, 8), max_size=4))
def test_rows_of_any_kind(pair: tuple[Rows, Rows], cuts: list[int]) -> None:
    source, target = pair

    assert_exact(source, target, [cut for cut in cuts if cut < source.height])
    assert_exact(source, source)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [8192, 10_923, 32_768, 33_000])
def test_sums_of_long_rows(channels: int, width: int) -> None:
    dark, light = (np.full((1, width, channels), sample, np.uint8) for sample in (0, 255))

    assert_exact(Rows(dark, [4]), Rows(light))


@pytest.mark.parametrize("kind", [5, 6, 127, 128, 255])
@pytest.mark.parametrize("row", range(3))
@pytest.mark.parametrize("place", [0, 1], ids=["source", "target"])
def test_filters_that_nobody_knows(kind: int, row: int, place: int) -> None:
    pair = [Rows(noise(3, 4, seed=seed), [2]) for seed in (1, 2)]
    pair[place].rows[row, 0] = kind

    with pytest.raises(Irregular):
        run(pair[0], pair[1])


def test_strips_of_another_size_than_told_are_refused() -> None:
    frame = Rows(noise(4, 5), [1])
    tally = Tally(frame, frame, shown=True)

    for strip in (
        frame.rows[:, 1:],
        frame.rows[:, :-1].copy(),
        frame.rows[::2],
    ):
        with pytest.raises(ValueError, match="packed rows of 16 bytes"):
            tally.add(strip, None)
    with pytest.raises(ValueError, match="packed rows"):
        tally.add(frame.rows, frame.rows[:3])
    with pytest.raises(ValueError, match="packed rows"):
        tally.add(np.tile(frame.rows, (2, 1)), None)


def test_a_strip_may_be_as_large_as_they_are_cut() -> None:
    rows = rows_per_strip(256)
    source, target = (Rows(noise(rows + 9, 256, seed=seed), [4]) for seed in (1, 2))

    assert_exact(source, target, [rows])
    with pytest.raises(ValueError, match="packed rows"):
        run(source, target)


def test_a_missing_library_says_how_to_build_it(tmp_path: Path) -> None:
    alone = shutil.copy(Path(library.__file__), tmp_path)
    spec = importlib.util.spec_from_file_location("alone", alone)
    assert spec
    assert spec.loader

    with pytest.raises(ImportError, match=r"core-\w+-\w+\.so can't be loaded; `make core` builds"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
