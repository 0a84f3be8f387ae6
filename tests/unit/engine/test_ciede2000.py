"""Colour differences, against published ones and scikit-image."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage import color

from imgdiff.engine.ciede2000 import Ciede2000, difference
from imgdiff.engine.strips import rows_per_strip
from tests.unit.engine.images import Pixels, noise, photograph, translucent
from tests.unit.engine.measuring import Plane, measured, on_white, opaque

# The package has no types.
_color: Any = color

TOLERANCE = 1e-9
STEP = 1 / 1024

# L*, a* and b* of two colours, and their difference: table 1 of Sharma, Wu, Dalal, "The CIEDE2000
# Color-Difference Formula: Implementation Notes, Supplementary Test Data, and Mathematical
# Observations", Color Research and Application 30 (2005).
PUBLISHED = np.array(
    [
        (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
        (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
        (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
        (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
        (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
        (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
        (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
        (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
        (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
        (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
        (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
        (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
        (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
        (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
        (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
        (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
        (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
        (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
        (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
        (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
    ]
)


def ciede2000(source: Pixels, target: Pixels, counted: Plane | None = None) -> dict[str, Any]:
    return measured(Ciede2000(), source, target, counted)


def expected_differences(source: Pixels, target: Pixels) -> NDArray[np.float64]:
    mine, theirs = (_color.rgb2lab(on_white(rgba)) for rgba in (source, target))
    found: NDArray[np.float64] = _color.deltaE_ciede2000(mine, theirs)
    # To scikit-image, equal greys are a rounding error apart where their hue is none.
    return np.where((on_white(source) == on_white(target)).all(axis=2), 0, found)


def assert_as_expected(
    source: Pixels, target: Pixels, counted: Plane | None = None
) -> dict[str, Any]:
    differences = expected_differences(source, target)
    differences = differences[slice(None) if counted is None else counted == 1]

    found = ciede2000(source, target, counted)

    percentile = np.percentile(differences, 95, method="inverted_cdf")
    assert found["ciede2000"] == pytest.approx(differences.mean(), abs=TOLERANCE)
    assert found["ciede2000_p95"] == pytest.approx(percentile, abs=STEP / 2 + TOLERANCE)
    assert found["ciede2000_noticeable"] == np.mean(differences > 2.3)
    return found


def test_published_differences_to_all_their_digits() -> None:
    one, two, expected = PUBLISHED[:, :3], PUBLISHED[:, 3:6], PUBLISHED[:, 6]

    np.testing.assert_array_equal(difference(one, two).round(4), expected)


def test_published_differences_the_other_way_round() -> None:
    # But where the hues are opposite, and it matters which is the larger.
    pairs = np.delete(PUBLISHED, [9, 13], axis=0)

    np.testing.assert_array_equal(difference(pairs[:, 3:6], pairs[:, :3]).round(4), pairs[:, 6])


def test_colours_all_over_lab_as_in_scikit_image() -> None:
    rng = np.random.default_rng(5)
    one, two = rng.uniform((0, -128, -128), (100, 128, 128), (2, 100_000, 3))
    # Hues that are nearly the same, nearly opposite, and on the axes.
    near = one + rng.normal(0, 1e-3, one.shape)
    opposite = near * (1, -1, -1)
    axes = np.where(rng.random(one.shape) < 0.3, 0, one)

    for other in (two, near, opposite, axes):
        expected = _color.deltaE_ciede2000(one, other)
        np.testing.assert_allclose(difference(one, other), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    "size", [(1, 1), (3, 2), (200, 300), (3, 40_000), (2 * rows_per_strip(700) + 3, 700)], ids=str
)
def test_noise_differs_as_in_scikit_image(size: tuple[int, int]) -> None:
    assert_as_expected(opaque(noise(*size)), opaque(noise(*size, seed=1)))


def test_slight_changes_differ_as_in_scikit_image() -> None:
    source = opaque(photograph(150, 200))
    target = source.copy()
    target[..., :3] ^= noise(150, 200, below=8)

    found = assert_as_expected(source, target)

    assert 0 < found["ciede2000_noticeable"] < 1


def test_greys_differ_as_in_scikit_image() -> None:
    grey = np.arange(256, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    source = np.broadcast_to(grey, (256, 256, 3))

    assert_as_expected(opaque(source), opaque(source.swapaxes(0, 1)))


def test_transparent_pixels_are_seen_on_white() -> None:
    assert_as_expected(translucent(90, 80), translucent(90, 80, seed=1))


def test_white_differs_from_clear_in_nothing() -> None:
    white = np.full((4, 5, 4), 255, np.uint8)

    assert set(ciede2000(white, np.zeros_like(white)).values()) == {0}


@pytest.mark.parametrize("size", [(120, 90), (2 * rows_per_strip(500) + 7, 500)], ids=str)
def test_only_what_counts_is_in_any_figure(size: tuple[int, int]) -> None:
    source, target = opaque(photograph(*size)), opaque(noise(*size))
    target[: size[0] // 3] = source[: size[0] // 3]
    counted = (noise(*size, 1, seed=4)[..., 0] < 100).astype(np.uint8)

    assert_as_expected(source, target, counted)


@pytest.mark.parametrize("changed", [4, 5, 6])
def test_the_percentile_is_that_of_nearest_rank(changed: int) -> None:
    source = np.full((10, 10, 4), 255, np.uint8)
    target = source.copy()
    target.reshape(-1, 4)[:changed, :3] = 0

    found = ciede2000(source, target)

    assert found["ciede2000_p95"] == (100 if changed > 5 else 0)
    assert found["ciede2000_noticeable"] == changed / 100
    assert found["ciede2000"] == pytest.approx(changed, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 255), st.integers(0, 2**32 - 1))
def test_differences_are_symmetric_and_0_only_for_equal_images(
    height: int, width: int, bits: int, seed: int
) -> None:
    source = opaque(noise(height, width, seed=seed))
    target = source.copy()
    target[..., :3] ^= np.uint8(bits)

    found = ciede2000(source, target)

    assert found == pytest.approx(ciede2000(target, source), abs=TOLERANCE)
    assert (found["ciede2000"] == 0) == (bits == 0)
    assert 0 <= found["ciede2000"] <= 128
    assert 0 <= found["ciede2000_p95"] <= 128
    assert 0 <= found["ciede2000_noticeable"] <= 1
    assert set(ciede2000(source, source).values()) == {0}
