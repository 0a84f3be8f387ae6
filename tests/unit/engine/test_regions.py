"""Regions against scipy's dilation and labelling, and what kinds of change are called."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from imgdiff.engine.regions import Regions
from imgdiff.engine.strips import Strip, strips
from tests.unit.engine.images import Pixels, noise
from tests.unit.engine.test_properties import bounded

EVERYWHERE = np.ones((3, 3))


def with_alpha(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 4:
        return pixels
    return np.dstack((pixels, np.full(pixels.shape[:2], 255, np.uint8)))


def regions(source: Pixels, target: Pixels, rows: int | None = None) -> dict[str, Any]:
    """What is found, strip by strip as the images come, or so many rows at a time."""
    source, target = with_alpha(source), with_alpha(target)
    height, width = source.shape[:2]
    changed = (source != target).any(axis=2).astype(np.uint8)
    found = Regions(width, height)
    cuts = strips(width, height)
    if rows:
        cuts = iter([(top, min(top + rows, height)) for top in range(0, height, rows)])
    for top, bottom in cuts:
        found.add(
            Strip(top, source[top:bottom], target[top:bottom], changed[top:bottom], counted=None)
        )
    return found.result()


def expected(source: Pixels, target: Pixels) -> list[dict[str, Any]]:
    """The same of opaque images, by scipy, but for the kind."""
    distance = source.astype(float) - target
    changed = distance.any(axis=2)
    grown = ndimage.maximum_filter(changed, 9, mode="constant")
    labels, total = ndimage.label(grown, EVERYWHERE)
    found = []
    for label in range(1, total + 1):
        ys, xs = np.nonzero((labels == label) & changed)
        if len(ys) >= 16:
            found.append({
                "bbox": (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1),
                "pixels": len(ys),
                "mse": pytest.approx((distance[ys, xs] ** 2).mean(), rel=1e-12),
                "centroid": (pytest.approx(xs.mean()), pytest.approx(ys.mean())),
            })  # fmt: skip
    return sorted(found, key=lambda each: (-each["pixels"], each["bbox"][1], each["bbox"][0]))


def without_kind(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in region.items() if name != "kind"}
        for region in found["regions"]
    ]


def scattered(height: int, width: int, share: float, seed: int) -> tuple[Pixels, Pixels]:
    random = np.random.default_rng(seed)
    source = noise(height, width, 3, seed=seed)
    hit = random.random((height, width)) < share
    return source, np.where(hit[..., np.newaxis], source + np.uint8(1 + seed), source)


@pytest.mark.parametrize("share", [0.0005, 0.003, 0.01, 0.03, 0.3, 1])
@pytest.mark.parametrize(
    ("height", "width"), [(120, 150), (400, 300), (7, 5000), (300, 1), (1, 300)]
)
def test_regions_are_those_of_dilation_and_labelling(height: int, width: int, share: float) -> None:
    source, target = scattered(height, width, share, 3)

    found = regions(source, target)

    assert without_kind(found) == expected(source, target)[:100]
    assert found["regions_total"] == len(expected(source, target))


@bounded
@given(
    hit=arrays(
        np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 60)), fill=st.just(value=False)
    ),
    grow=st.integers(1, 5),
    rows=st.integers(1, 12),
)
def test_regions_of_any_shape(hit: NDArray[np.bool_], grow: int, rows: int) -> None:
    thick = ndimage.binary_dilation(hit, EVERYWHERE, grow)
    source = np.zeros((*hit.shape, 3), np.uint8)
    target = source + np.uint8(9) * thick[..., np.newaxis]

    assert without_kind(regions(source, target, rows)) == expected(source, target)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 9, 64])
def test_strips_make_no_difference(rows: int) -> None:
    source, target = scattered(150, 130, 0.01, 8)

    assert regions(source, target, rows) == regions(source, target)


def spiral() -> tuple[Pixels, Pixels]:
    target = np.zeros((200, 200, 3), np.uint8)
    for inset in range(0, 96, 16):
        target[inset : 200 - inset, inset : inset + 2] = 7
        target[inset : inset + 2, inset : 200 - inset] = 7
        target[inset : 200 - inset, 198 - inset : 200 - inset] = 7
    return np.zeros_like(target), target


def test_arms_that_meet_late_are_one_region() -> None:
    source, target = spiral()
    comb = np.zeros_like(source)
    comb[:, ::20] = 7
    joined = comb.copy()
    joined[190:] = 7

    assert without_kind(regions(source, target)) == expected(source, target)
    assert [regions(source, each)["regions_total"] for each in (comb, joined)] == [10, 1]


def test_changed_pixels_nine_apart_are_one_region_and_ten_are_two() -> None:
    def beside(gap: int) -> Any:
        target = np.zeros((30, 60, 3), np.uint8)
        target[10:14, 10:14] = target[14 + gap : 18 + gap, 14 + gap : 18 + gap] = 255
        return regions(np.zeros_like(target), target)["regions_total"]

    # Each grows by 4, and neighbours touch: that bridges 8 pixels.
    assert [beside(8), beside(9)] == [1, 2]


@pytest.mark.parametrize(("pixels", "total"), [(15, 0), (16, 1)])
def test_fewer_than_16_pixels_are_noise(pixels: int, total: int) -> None:
    target = np.zeros((40, 40, 3), np.uint8)
    target.reshape(-1, 3)[800 : 800 + pixels] = 1

    assert regions(np.zeros_like(target), target)["regions_total"] == total


def test_at_most_100_are_told_largest_first_and_all_are_counted() -> None:
    target = np.zeros((400, 400, 3), np.uint8)
    sides = np.random.default_rng(1).permutation(np.tile(np.arange(4, 12), 50))[:400]
    for index, side in enumerate(sides):
        y, x = divmod(index, 20)
        target[20 * y : 20 * y + side, 20 * x : 20 * x + side] = 255

    found = regions(np.zeros_like(target), target)

    told = [region["pixels"] for region in found["regions"]]
    assert found["regions_total"] == 400
    assert told == sorted((int(side) ** 2 for side in sides), reverse=True)[:100]


def test_transparency_counts_as_in_the_mean_square_error() -> None:
    source = np.zeros((20, 20, 4), np.uint8)
    target = source.copy()
    target[:10] = (0, 0, 0, 255)

    [region] = regions(source, target)["regions"]

    assert region["mse"] == 255**2 / 4
    assert region["kind"] == "added"


def page(**drawn: Any) -> Pixels:
    image = Image.new("RGB", (200, 120), "#f6f8fa")
    draw = ImageDraw.Draw(image)
    if "text" in drawn:
        draw.text((60, 50), drawn["text"], drawn.get("ink", "#24292f"), font_size=24)
    if "box" in drawn:
        draw.rectangle((50, 30, 150, 90), drawn["box"])
    return np.asarray(image)


HELLO = page(text="Hello")
KINDS = {
    "a box appears": (page(), page(box="#0969da"), "added"),
    "text appears": (page(), HELLO, "added"),
    "a box goes": (page(box="#0969da"), page(), "removed"),
    "text goes": (HELLO, page(), "removed"),
    "a box has another colour": (page(box="#0969da"), page(box="#1a7f37"), "recolored"),
    "text has another colour": (HELLO, page(text="Hello", ink="#cf222e"), "recolored"),
    "text is fainter": (HELLO, page(text="Hello", ink="#8c959f"), "recolored"),
    "all has another colour": (page(), np.full((120, 200, 3), 9, np.uint8), "recolored"),
    "text is another": (HELLO, page(text="Howdy"), "changed"),
    "text moves": (HELLO, np.roll(HELLO, 7, axis=1), "changed"),
    "noise lies on all": (noise(60, 60, 3, seed=1), noise(60, 60, 3, seed=2), "changed"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case: str) -> None:
    source, target, kind = KINDS[case]

    assert regions(source, target)["regions"][0]["kind"] == kind


def test_what_is_added_one_way_is_removed_the_other() -> None:
    for source, target, kind in KINDS.values():
        other = {"added": "removed", "removed": "added"}.get(kind, kind)
        assert regions(target, source)["regions"][0]["kind"] == other


def test_identical_images_have_none() -> None:
    assert regions(HELLO, HELLO) == {"regions": [], "regions_total": 0}
