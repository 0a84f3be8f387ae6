"""Pixelmatch: counts equal to those of the npm package, to the pixel."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFont

from benchmarks.workloads import changed, page, translucent
from imgdiff.engine.pixelmatch import Pixelmatch
from imgdiff.engine.strips import Strip, rows_per_strip
from tests.unit.engine import images, npm
from tests.unit.engine.images import Pixels, noise, photograph, with_alpha
from tests.unit.engine.test_properties import bounded

SAMPLES = Path(__file__).parents[3] / "samples"
THRESHOLDS = (0, 0.05, 0.1, 0.5, 1)

type Pair = tuple[Pixels, Pixels]


@pytest.fixture(scope="module")
def package() -> Iterator[npm.Pixelmatch]:
    with npm.Pixelmatch() as running:
        yield running


def measured(
    source: Pixels,
    target: Pixels,
    *,
    rows: int | None = None,
    counted: Pixels | None = None,
    threshold: float = 0.1,
    include_aa: bool = False,
) -> dict[str, Any]:
    """What is found of two images that come in strips of so many rows, else as they are cut."""
    height, width, _ = source.shape
    measure = Pixelmatch(width, height, threshold=threshold, include_aa=include_aa)
    differs = (source != target).any(axis=2).astype(np.uint8)
    rows = rows or rows_per_strip(width)
    for top, bottom in pairwise([*range(0, height, rows), height]):
        here = slice(top, bottom)
        flags = None if counted is None else counted[here]
        measure.add(Strip(top, source[here], target[here], differs[here], flags))
    return measure.result()


def assert_equal(package: npm.Pixelmatch, pair: Pair, **options: Any) -> int:
    """That the counts are equal, and which they are."""
    height, width, _ = pair[0].shape
    expected = package.count(*pair, **{"threshold": 0.1, "include_aa": False, **options})
    for rows in (None, 1, 3):
        found = measured(*pair, rows=rows, **options)
        assert found == {
            "pixelmatch": expected, "pixelmatch_ratio": expected / (width * height)
        }  # fmt: skip
    return expected


def rgba(image: Image.Image) -> Pixels:
    return np.array(image.convert("RGBA"))


def drawing(shift: float = 0, *, ink: str = "black", paper: str = "white") -> Pixels:
    """Text, lines and curves with soft edges, moved to the right by so many pixels."""
    large = Image.new("RGBA", (4 * 220, 4 * 130), paper)
    draw = ImageDraw.Draw(large)
    left = 4 * shift
    draw.text((40 + left, 20), "Anti-aliased", ink, ImageFont.load_default(100))
    draw.text((40 + left, 150), "it is, or is it not?", "teal", ImageFont.load_default(52))
    draw.ellipse((60 + left, 250, 300 + left, 480), "orange", ink, 12)
    draw.line((350 + left, 480, 800 + left, 260), ink, 6)
    draw.line((350 + left, 300, 850 + left, 470), "red", 2)
    return rgba(large.resize((220, 130), Image.Resampling.BOX))


def faded(pixels: Pixels) -> Pixels:
    """The same with alpha from 0 at the left to 255 at the right."""
    height, width, _ = pixels.shape
    return with_alpha(pixels[..., :3], np.tile(np.linspace(0, 255, width), (height, 1)))


def screens(width: int, height: int) -> tuple[Image.Image, Image.Image]:
    rng = np.random.default_rng(7)
    source = page(rng, width, height)
    return source, changed(rng, source, 8)


def clear(pixels: Pixels, alpha: int) -> Pixels:
    return with_alpha(pixels[..., :3], np.full(pixels.shape[:2], alpha))


def few(height: int, width: int, seed: int, colours: int = 3) -> Pair:
    """Two images of the same few colours, mostly equal, with flat parts."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colours, 4), np.uint8)
    palette[: colours // 2 + 1, 3] = 255
    source = rng.integers(0, colours, (height, width)) * (rng.random((height, width)) < 0.5)
    target = np.where(rng.random((height, width)) < 0.2, rng.integers(0, colours), source)
    return palette[source], palette[target]


def pairs() -> dict[str, Pair]:
    opaque = [clear(noise(37, 53, seed=seed), 255) for seed in (1, 2)]
    waves = [clear(photograph(60, 80, phase=phase), 255) for phase in (0, 0.2)]
    photo = [images.photograph(48, 64, channels=4, phase=phase) for phase in (0, 0.4)]
    screen = screens(640, 900)
    return {
        "noise": (opaque[0], opaque[1]),
        "translucent noise": (images.translucent(), images.translucent(seed=1)),
        "gradients": (waves[0], waves[1]),
        "translucent gradients": (photo[0], photo[1]),
        "drawing, a pixel": (drawing(), drawing(1)),
        "drawing, half a pixel": (drawing(), drawing(0.5)),
        "drawing, a quarter": (drawing(), drawing(0.25)),
        "dark drawing, half a pixel": (
            drawing(ink="white", paper="navy"), drawing(0.5, ink="white", paper="navy")
        ),
        "faded drawing, half a pixel": (faded(drawing()), faded(drawing(0.5))),
        "drawing on nothing": (
            drawing(paper="#ffffff00"), drawing(0.5, paper="#ffffff00")
        ),
        "drawing, half as clear": (drawing(), clear(drawing(), 128)),
        "drawing, invisible": (clear(drawing(), 0), clear(drawing(1), 0)),
        "screens": (rgba(screen[0]), rgba(screen[1])),
        "translucent screens": (rgba(translucent(screen[0])), rgba(translucent(screen[1]))),
    }  # fmt: skip


PAIRS = pairs()


@pytest.mark.parametrize("include_aa", [False, True])
@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("name", PAIRS)
def test_counts_are_those_of_the_package(
    package: npm.Pixelmatch, name: str, threshold: float, *, include_aa: bool
) -> None:
    assert_equal(package, PAIRS[name], threshold=threshold, include_aa=include_aa)


@pytest.mark.parametrize("name", ["page-{}.png", "photo-{}.jpg"])
def test_samples_count_as_with_the_package(package: npm.Pixelmatch, name: str) -> None:
    source, target = (
        rgba(Image.open(SAMPLES / name.format(side))) for side in ("source", "target")
    )
    for include_aa in (False, True):
        assert assert_equal(package, (source, target), include_aa=include_aa)


def test_antialiasing_is_let_pass(package: npm.Pixelmatch) -> None:
    pair = PAIRS["drawing, half a pixel"]

    strict = assert_equal(package, pair, include_aa=True)
    lenient = assert_equal(package, pair, include_aa=False)

    assert 0 < lenient < strict / 2


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 50), (50, 1), (2, 2), (2, 9), (9, 2), (3, 3), (5, 4)]
)
def test_edges_of_the_image(package: npm.Pixelmatch, shape: tuple[int, int]) -> None:
    for seed in range(12):
        assert_equal(package, few(*shape, seed), threshold=0.05)


@pytest.mark.parametrize("shape", [(500, 300), (7, 40_000), (3, 65_535)])
def test_edges_of_strips(package: npm.Pixelmatch, shape: tuple[int, int]) -> None:
    assert assert_equal(package, few(*shape, seed=3)) > 0


def test_what_differs_only_at_the_edge_of_a_strip(package: npm.Pixelmatch) -> None:
    source, shifted = (np.tile(drawing(shift), (2, 2, 1)) for shift in (0, 0.5))
    edge = rows_per_strip(source.shape[1])
    for top in range(edge - 3, edge + 3):
        target = source.copy()
        target[top] = shifted[top]
        assert assert_equal(package, (source, target), include_aa=True) > 0
        assert_equal(package, (source, target))


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("direction", [(1, -1, -1), (1, 1, 1), (1, 0, 0), (0, 0, 1)])
def test_the_least_difference_that_counts(
    package: npm.Pixelmatch, direction: tuple[int, ...], threshold: float
) -> None:
    # Each row differs by one step more, along colours that are as far apart as can be, and others.
    steps = np.arange(256)[:, np.newaxis] * np.array(direction)
    source = np.repeat(np.where(steps < 0, -steps, 0)[:, np.newaxis], 150, axis=1)
    target = np.repeat(np.where(steps > 0, steps, 0)[:, np.newaxis], 150, axis=1)
    for alpha in (255, 90):
        pair = (clear(source, alpha), clear(target, alpha))
        assert_equal(package, pair, threshold=threshold, include_aa=True)


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_the_least_difference_that_counts_where_alpha_differs_too(
    package: npm.Pixelmatch, threshold: float
) -> None:
    white = np.full((256, 150, 4), 255, np.uint8)
    fading = white - np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    assert_equal(package, (white, fading), threshold=threshold, include_aa=True)


def test_equal_images_have_nothing_to_count() -> None:
    assert measured(drawing(), drawing(), threshold=0, include_aa=True) == {
        "pixelmatch": 0, "pixelmatch_ratio": 0
    }  # fmt: skip


def test_black_on_white_is_all_of_it() -> None:
    black, white = (np.full((4, 5, 4), (v, v, v, 255), np.uint8) for v in (0, 255))
    assert measured(black, white)["pixelmatch_ratio"] == 1


def test_what_does_not_count_is_seen_as_equal(package: npm.Pixelmatch) -> None:
    source, target = PAIRS["drawing, a pixel"]
    counted = np.ones(source.shape[:2], np.uint8)
    counted[20:50, 30:90] = counted[:, 150:] = 0
    target = np.where(counted[..., np.newaxis], target, source)

    found = measured(source, target, counted=counted)

    expected = package.count(source, target, threshold=0.1, include_aa=False)
    assert 0 < expected < package.count(*PAIRS["drawing, a pixel"], threshold=0.1, include_aa=False)
    assert found == {"pixelmatch": expected, "pixelmatch_ratio": expected / int(counted.sum())}


def colours(alpha: st.SearchStrategy[int]) -> st.SearchStrategy[Sequence[tuple[int, ...]]]:
    sample = st.one_of(st.sampled_from([0, 1, 120, 128, 254, 255]), st.integers(0, 255))
    return st.lists(st.tuples(sample, sample, sample, alpha), min_size=4, max_size=4)


@st.composite
def palette_pairs(draw: st.DrawFn, alpha: st.SearchStrategy[int]) -> Pair:
    """Two images of the same four colours, most pixels of the first one."""
    shape = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    palette = np.array(draw(colours(alpha)), np.uint8)
    chosen = arrays(np.uint8, shape, elements=st.integers(0, 3), fill=st.just(0))
    return palette[draw(chosen)], palette[draw(chosen)]


@bounded
@given(
    pair=palette_pairs(st.just(255)),
    threshold=st.sampled_from(THRESHOLDS),
    include_aa=st.booleans(),
)
def test_few_colours(
    package: npm.Pixelmatch, pair: Pair, threshold: float, *, include_aa: bool
) -> None:
    assert_equal(package, pair, threshold=threshold, include_aa=include_aa)


@bounded
@given(
    pair=palette_pairs(st.integers(0, 255)),
    threshold=st.sampled_from(THRESHOLDS),
    include_aa=st.booleans(),
)
def test_few_translucent_colours(
    package: npm.Pixelmatch, pair: Pair, threshold: float, *, include_aa: bool
) -> None:
    assert_equal(package, pair, threshold=threshold, include_aa=include_aa)
