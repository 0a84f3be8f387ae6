"""Structural similarity, against scikit-image."""

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import metrics, transform

from imgdiff.engine.ssim import MultiScaleSsim, Ssim
from imgdiff.engine.strips import Strip, rows_per_strip
from tests.unit.engine import scikit_image
from tests.unit.engine.images import Pixels, noise, photograph, translucent
from tests.unit.engine.measuring import Plane, measured, on_white, opaque

# The package has no types.
_metrics: Any = metrics
_transform: Any = transform

TOLERANCE = 1e-11
EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
# The luminance term is 1 beside a constant as large as this.
WITHOUT_LUMINANCE = 1e6


def ssim(source: Pixels, target: Pixels, counted: Plane | None = None) -> dict[str, Any]:
    height, width = source.shape[:2]
    return measured(Ssim(width, height), source, target, counted)


def ms_ssim(source: Pixels, target: Pixels, counted: Plane | None = None) -> Any:
    height, width = source.shape[:2]
    return measured(MultiScaleSsim(width, height), source, target, counted)["ms_ssim"]


def luma(rgba: Pixels) -> Plane:
    return np.asarray(Image.fromarray(on_white(rgba)).convert("L"))


def expected_mean(
    source: NDArray[Any],
    target: NDArray[Any],
    counted: NDArray[Any] | None = None,
    k1: float = 0.01,
) -> float:
    _, similarities = _metrics.structural_similarity(
        source,
        target,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        K1=k1,
        full=True,
    )
    inner = (slice(5, -5), slice(5, -5))
    weights = None if counted is None else counted[inner]
    return float(np.average(similarities[inner], weights=weights))


def expected_ssim(source: Pixels, target: Pixels, counted: Plane | None = None) -> dict[str, float]:
    mine, theirs = (np.dstack([on_white(rgba), rgba[..., 3]]) for rgba in (source, target))
    channels = [expected_mean(mine[..., c], theirs[..., c], counted) for c in range(4)]
    return {
        "ssim": expected_mean(luma(source), luma(target), counted),
        "ssim_min_channel": min(channels),
    }


def expected_ms_ssim(source: Pixels, target: Pixels, counted: Plane | None = None) -> float:
    planes: list[NDArray[Any]]
    flags: NDArray[Any]
    planes = [luma(source).astype(float), luma(target).astype(float)]
    flags = np.ones(planes[0].shape) if counted is None else counted.astype(float)
    means: list[float] = []
    for scale in range(5):
        counts = flags == 1
        k1 = 0.01 if scale == 4 else WITHOUT_LUMINANCE
        means.append(expected_mean(planes[0], planes[1], counts, k1))
        height, width = (side // 2 * 2 for side in flags.shape)
        *planes, flags = (
            _transform.downscale_local_mean(plane[:height, :width], (2, 2))
            for plane in (*planes, flags)
        )
    return math.prod(
        math.pow(max(0.0, mean), power) for mean, power in zip(means, EXPONENTS, strict=True)
    )


def with_noise(source: Pixels, *, most: int, seed: int = 1) -> Pixels:
    off = np.random.default_rng(seed).integers(-most, most + 1, source.shape)
    return np.clip(source + off, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
def test_photographs_are_as_similar_as_in_scikit_image(name: str) -> None:
    source = opaque(scikit_image.photograph(name))
    target = opaque(with_noise(source[..., :3], most=30))

    assert ssim(source, target) == pytest.approx(expected_ssim(source, target), abs=TOLERANCE)
    assert ms_ssim(source, target) == pytest.approx(expected_ms_ssim(source, target), abs=TOLERANCE)


@pytest.mark.parametrize(
    "size",
    [(11, 11), (11, 200), (200, 11), (12, 74), (37, 75), (31, 138), (12, 40_000), (300, 1100)],
    ids=str,
)
@pytest.mark.parametrize("source", [noise, translucent])
def test_noise_of_every_shape(source: Any, size: tuple[int, int]) -> None:
    height, width = size
    mine = noise(height, width, 4) if source is noise else translucent(height, width)
    theirs = noise(height, width, 4, seed=9)

    assert ssim(mine, theirs) == pytest.approx(expected_ssim(mine, theirs), abs=TOLERANCE)


@pytest.mark.parametrize("size", [(176, 176), (191, 177), (177, 3001), (555, 300)], ids=str)
def test_odd_rows_and_columns_are_dropped_between_scales(size: tuple[int, int]) -> None:
    source = photograph(*size, channels=4)
    target = with_noise(source, most=60)

    assert ms_ssim(source, target) == pytest.approx(expected_ms_ssim(source, target), abs=TOLERANCE)


@pytest.mark.parametrize(
    "place", [(0, 0), (5, 5), (63, 64), (64, 69), (80, 74), (99, 149), (9, 145)]
)
def test_a_single_changed_pixel(place: tuple[int, int]) -> None:
    source = photograph(100, 150, channels=4)
    target = source.copy()
    target[place] ^= 128

    found = ssim(source, target)

    assert found == pytest.approx(expected_ssim(source, target), abs=TOLERANCE)
    assert found["ssim_min_channel"] < 1


def test_changes_far_apart_across_strips() -> None:
    width = 400
    height = 3 * rows_per_strip(width)
    source = opaque(photograph(height, width))
    target = source.copy()
    for row in (3, height // 3 - 1, height // 3, height // 2, height - 6):
        target[row, 7 * row % width, :3] ^= 255

    assert ssim(source, target) == pytest.approx(expected_ssim(source, target), abs=TOLERANCE)
    assert ms_ssim(source, target) == pytest.approx(expected_ms_ssim(source, target), abs=TOLERANCE)


def test_inverted_photographs_have_nothing_in_common() -> None:
    source = opaque(scikit_image.photograph("camera"))
    target = source ^ np.array([255, 255, 255, 0], np.uint8)

    assert ssim(source, target) == pytest.approx(expected_ssim(source, target), abs=TOLERANCE)
    assert ms_ssim(source, target) == 0


def test_the_least_similar_channel_is_told() -> None:
    source = opaque(photograph(50, 60))
    target = source.copy()
    target[..., 2] = noise(50, 60)[..., 2]

    found = ssim(source, target)["ssim_min_channel"]

    assert found == pytest.approx(expected_mean(source[..., 2], target[..., 2]), abs=TOLERANCE)


def test_colours_that_cannot_be_seen_do_not_differ() -> None:
    source, target = noise(200, 180, 4), noise(200, 180, 4, seed=2)
    source[..., 3] = target[..., 3] = 0

    assert ssim(source, target) == {"ssim": 1, "ssim_min_channel": 1}
    assert ms_ssim(source, target) == 1


@pytest.mark.parametrize("size", [(10, 300), (300, 10), (1, 1), (1, 65_535)], ids=str)
def test_no_window_fits_into_a_tiny_image(size: tuple[int, int]) -> None:
    pair = noise(*size, 4), noise(*size, 4, seed=1)

    assert ssim(*pair) == {"ssim": None, "ssim_min_channel": None}


@pytest.mark.parametrize("size", [(175, 400), (400, 175), (1, 1)], ids=str)
def test_five_scales_need_176_pixels(size: tuple[int, int]) -> None:
    assert ms_ssim(noise(*size, 4), noise(*size, 4, seed=1)) is None


@pytest.mark.parametrize("size", [(300, 420), (2 * rows_per_strip(600) + 7, 600)], ids=str)
def test_the_mean_is_of_windows_whose_centre_counts(size: tuple[int, int]) -> None:
    height, width = size
    source, target = photograph(*size, channels=4), noise(*size, 4)
    counted = np.zeros(size, np.uint8)
    counted[height // 8 : -3, 2 : width * 3 // 4] = 1
    counted[40:50, 60:90] = 0
    seen = np.where(counted[..., np.newaxis], target, source)

    assert ssim(source, target, counted) == pytest.approx(
        expected_ssim(source, seen, counted), abs=TOLERANCE
    )
    assert ms_ssim(source, target, counted) == pytest.approx(
        expected_ms_ssim(source, seen, counted), abs=TOLERANCE
    )


def test_nothing_is_told_where_no_centre_counts() -> None:
    pair = noise(200, 200, 4), noise(200, 200, 4, seed=1)
    edge = np.ones((200, 200), np.uint8)
    edge[5:-5, 5:-5] = 0
    corner = np.zeros((200, 200), np.uint8)
    corner[:30, :30] = 1

    assert ssim(*pair, edge) == {"ssim": None, "ssim_min_channel": None}
    assert ms_ssim(*pair, corner) is None


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(11, 90), st.integers(11, 160)),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
)
def test_similarity_is_symmetric_and_at_most_1(size: tuple[int, int], most: int, seed: int) -> None:
    source = translucent(*size, seed=seed)
    target = with_noise(source, most=most, seed=seed)

    found = ssim(source, target)

    assert found == ssim(target, source)
    assert all(-1 <= similarity <= 1 for similarity in found.values())
    assert (found == {"ssim": 1, "ssim_min_channel": 1}) == (most == 0)
    assert ssim(source, source) == {"ssim": 1, "ssim_min_channel": 1}


@settings(max_examples=10, deadline=None)
@given(st.integers(176, 230), st.integers(176, 230), st.integers(0, 255))
def test_multi_scale_similarity_is_symmetric_and_a_share(
    height: int, width: int, most: int
) -> None:
    source = photograph(height, width, channels=4)
    target = with_noise(source, most=most)

    found = ms_ssim(source, target)

    assert found == ms_ssim(target, source)
    assert 0 <= found <= 1
    assert ms_ssim(source, source) == 1


@pytest.mark.parametrize("kind", [Ssim, MultiScaleSsim])
def test_memory_does_not_grow_with_the_height(kind: type[Ssim | MultiScaleSsim]) -> None:
    width = 2000
    rows = rows_per_strip(width)
    source, target = noise(rows, width, 4), noise(rows, width, 4, seed=1)
    peaks = []
    for strips in (8, 40):
        measure = kind(width, strips * rows)
        tracemalloc.start()
        for i in range(strips):
            changed = np.ones((rows, width), np.uint8)
            measure.add(Strip(i * rows, source, target, changed, None))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.05 * peaks[0] < 8e6
