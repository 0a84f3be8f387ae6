"""Figures, to the last digit: against scikit-image and against exact fractions."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from imgdiff.engine import Options, compare
from tests.unit.engine import scikit_image
from tests.unit.engine.images import Pixels, encode, noise, pillow_pixels, plain, translucent
from tests.unit.engine.reference import expected_figures, figures
from tests.unit.engine.stored import Stored, every_kind

EVERY_KIND = pytest.mark.parametrize("stored", every_kind(), ids=lambda stored: stored.name)
OPAQUE_KINDS = pytest.mark.parametrize(
    "stored",
    [stored for stored in every_kind() if stored.pixels.shape[2] == 3],
    ids=lambda stored: stored.name,
)
DEEP_KINDS = [stored for stored in every_kind() if stored.deep is not None]


def _recompressed(pixels: Pixels) -> Pixels:
    return pillow_pixels(encode(pixels, "JPEG", quality=40))


def _brighter(pixels: Pixels) -> Pixels:
    return np.minimum(pixels, 246) + np.uint8(9)


def _shifted(pixels: Pixels) -> Pixels:
    return np.roll(pixels, 1, axis=1)


def _one_sample_off(pixels: Pixels) -> Pixels:
    changed = pixels.copy()
    changed[-1, -1, 1] ^= 1
    return changed


def _inverted(pixels: Pixels) -> Pixels:
    return 255 - pixels


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
@pytest.mark.parametrize(
    "altered", [_recompressed, _brighter, _shifted, _one_sample_off, _inverted]
)
def test_photographs_measure_as_in_scikit_image(
    name: str, altered: Callable[[Pixels], Pixels]
) -> None:
    source = scikit_image.photograph(name)
    target = altered(source)

    found = compare(plain(source), plain(target), options=Options(style=None))

    assert found.mse == scikit_image.mse(source, target)
    assert found.psnr == pytest.approx(scikit_image.psnr(source, target), rel=1e-12)
    assert figures(found) == expected_figures(source, target)


def test_photograph_as_jpeg_measures_as_its_decoded_pixels() -> None:
    photograph = scikit_image.photograph("rocket")
    source = encode(photograph, "JPEG", quality=90)
    target = encode(photograph, "JPEG", quality=30, progressive=True)

    found = compare(source, target)

    assert found.mse == scikit_image.mse(pillow_pixels(source), pillow_pixels(target))
    assert 0 < found.diff < 0.01


def test_premultiplied_alpha_is_measured_in_integers() -> None:
    # Together they make up the whole product of colour and alpha, both ways.
    colour, alpha = np.mgrid[:256, :256].astype(np.uint8)
    source = np.dstack([colour, alpha, 255 - colour, alpha])
    target = np.dstack([alpha, colour, colour, 255 - colour])

    found = compare(plain(source), plain(target), options=Options(style=None))

    assert figures(found) == expected_figures(source, target)


def test_premultiplied_figures_are_those_of_pen_and_paper() -> None:
    source = np.array([[[200, 100, 0, 128], [1, 2, 3, 0]]], dtype=np.uint8)
    target = np.array([[[200, 100, 0, 64], [9, 9, 9, 0]]], dtype=np.uint8)

    found = compare(plain(source), plain(target))

    # 64 steps of alpha: of 255 in alpha itself, of 200, 100 and 0 in the colours.
    squares = (64 * 200) ** 2 + (64 * 100) ** 2 + (64 * 255) ** 2
    assert found.diff == squares / (8 * 65025**2)
    assert found.mse == squares / (8 * 65025)
    assert found.mae == 64 * (200 + 100 + 255) / (8 * 255)
    assert found.max_error == 64
    assert (found.changed_pixels, found.changed_ratio, found.bbox) == (1, 0.5, (0, 0, 1, 1))


@pytest.mark.parametrize("step", [1, 2, 100, 254, 255])
def test_one_sample_in_the_whole_picture_is_counted(step: int) -> None:
    source = np.zeros((300, 300, 3), dtype=np.uint8)
    target = source.copy()
    target[299, 299, 2] = step

    found = compare(plain(source), plain(target), options=Options(style=None))

    assert found.diff == step**2 / (270_000 * 65025)
    assert found.mse == step**2 / 270_000
    assert found.rmse == math.sqrt(step**2 / 270_000)
    assert found.mae == step / 270_000
    assert found.max_error == step
    assert found.bbox == (299, 299, 300, 300)


@pytest.mark.parametrize("size", [(1000, 800), (2, 100_000)], ids=str)
def test_the_largest_sums_do_not_overflow(size: tuple[int, int]) -> None:
    clear, white = (encode(Image.new("RGBA", size, (255, 255, 255, a)), "PNG") for a in (0, 255))

    found = compare(clear, white, options=Options(style=None))

    assert (found.diff, found.mae, found.max_error) == (1, 255, 255)
    assert found.changed_pixels == size[0] * size[1]


@EVERY_KIND
def test_every_kind_of_file_holds_the_pixels_a_viewer_shows(stored: Stored) -> None:
    found = compare(stored.data, plain(stored.pixels), options=stored.by_its_pixels)

    assert (found.changed_pixels, found.diff, found.psnr) == (0, 0, None)


@EVERY_KIND
@pytest.mark.parametrize("other", [noise, translucent], ids=["opaque", "translucent"])
def test_every_kind_of_file_is_measured_exactly(
    stored: Stored, other: Callable[..., Pixels]
) -> None:
    target = other(*stored.pixels.shape[:2], seed=1000)

    there = compare(stored.data, plain(target), options=stored.by_its_pixels)
    back = compare(plain(target), stored.data, options=stored.by_its_pixels)

    assert figures(there) == expected_figures(stored.pixels, target)
    assert figures(back) == expected_figures(target, stored.pixels)


@pytest.mark.parametrize("stored", DEEP_KINDS, ids=lambda stored: stored.name)
@pytest.mark.parametrize("other", [noise, translucent], ids=["opaque", "translucent"])
def test_every_deep_kind_is_measured_at_16_bit(
    stored: Stored, other: Callable[..., Pixels]
) -> None:
    assert stored.deep is not None
    target = other(*stored.pixels.shape[:2], seed=1000)

    there = compare(stored.data, plain(target), options=Options(style=None))
    back = compare(plain(target), stored.data, options=Options(style=None))

    assert figures(there) == expected_figures(stored.deep, target)
    assert figures(back) == expected_figures(target, stored.deep)


@pytest.mark.parametrize(
    ("source", "target"), list(itertools.pairwise(DEEP_KINDS)), ids=lambda stored: stored.name
)
def test_deep_kinds_are_measured_beside_each_other(source: Stored, target: Stored) -> None:
    assert source.deep is not None
    assert target.deep is not None

    found = compare(source.data, target.data, options=Options(style=None))

    assert figures(found) == expected_figures(source.deep, target.deep)


@OPAQUE_KINDS
def test_opaque_kinds_measure_as_in_scikit_image(stored: Stored) -> None:
    target = noise(*stored.pixels.shape[:2], seed=1001)

    found = compare(stored.data, plain(target), options=replace(stored.by_its_pixels, style=None))

    assert found.mse == scikit_image.mse(stored.pixels, target)
    assert found.psnr == pytest.approx(scikit_image.psnr(stored.pixels, target), rel=1e-12)
