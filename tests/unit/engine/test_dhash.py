"""Difference hashes, against the formula of imagehash on whole images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgdiff.engine.dhash import DHash
from imgdiff.engine.strips import rows_per_strip
from tests.unit.engine import scikit_image
from tests.unit.engine.images import Pixels, noise, photograph, translucent
from tests.unit.engine.measuring import Plane, measured, on_white, opaque


def distance(source: Pixels, target: Pixels, counted: Plane | None = None) -> int:
    height, width = source.shape[:2]
    found: int = measured(DHash(width, height), source, target, counted)["dhash"]
    return found


def expected_hash(rgba: Pixels) -> Plane:
    """The bits of imagehash.dhash(image, hash_size=8)."""
    image = Image.fromarray(on_white(rgba)).convert("L").resize((9, 8), Image.Resampling.LANCZOS)
    pixels = np.asarray(image)
    return (pixels[:, 1:] > pixels[:, :-1]).astype(np.uint8)


def expected_distance(source: Pixels, target: Pixels) -> int:
    return int((expected_hash(source) ^ expected_hash(target)).sum())


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
def test_photographs(name: str) -> None:
    source = opaque(scikit_image.photograph(name))

    for target in (np.roll(source, 40, axis=1), source[:, ::-1], source[::-1], source // 2):
        target[..., 3] = 255
        assert distance(source, target) == expected_distance(source, target)


@pytest.mark.parametrize("width", [1, 2, 8, 9, 10, 17, 18, 1000, 40_000])
@pytest.mark.parametrize("height", [1, 7, 8, 9, 25])
def test_noise_of_every_shape(width: int, height: int) -> None:
    for seed in range(2):
        source, target = noise(height, width, 4, seed=seed), noise(height, width, 4, seed=seed + 9)

        assert distance(source, target) == expected_distance(source, target)


@pytest.mark.parametrize("rows", [-1, 0, 1, 500])
def test_strips_are_hashed_as_one_image(rows: int) -> None:
    width = 300
    height = 2 * rows_per_strip(width) + rows
    source, target = opaque(photograph(height, width)), opaque(photograph(height, width, phase=2))
    target[: height // 2] = source[: height // 2]

    found = distance(source, target)

    assert found == expected_distance(source, target)
    assert found > 0


def test_the_highest_image_there_is() -> None:
    source, target = noise(65_535, 3, 4), noise(65_535, 3, 4, seed=1)

    assert distance(source, target) == expected_distance(source, target)


def test_every_bit_may_differ() -> None:
    rising: Pixels = np.broadcast_to(np.arange(63)[:, np.newaxis] * 4, (50, 63, 3)).astype(np.uint8)

    assert distance(opaque(rising), opaque(rising[:, ::-1])) == 64


def test_what_does_not_count_is_not_seen() -> None:
    source, target = opaque(photograph(90, 80)), opaque(photograph(90, 80, phase=2))
    counted = np.zeros((90, 80), np.uint8)
    counted[:, :40] = 1
    seen = np.where(counted[..., np.newaxis], target, source)

    assert distance(source, target, counted) == expected_distance(source, seen)
    assert distance(source, target, counted * 0) == 0


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_distances_are_symmetric_and_0_for_equal_images(height: int, width: int, seed: int) -> None:
    source, target = (
        translucent(height, width, seed=seed),
        translucent(height, width, seed=seed + 1),
    )

    found = distance(source, target)

    assert found == distance(target, source) == expected_distance(source, target)
    assert 0 <= found <= 64
    assert distance(source, source) == 0
