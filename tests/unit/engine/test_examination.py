"""What counts, and sizes that differ: against the same images cut and padded by numpy."""

from dataclasses import fields, replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine import Comparison, Options, compare
from imgdiff.engine.rectangle import Length, Rectangle
from imgdiff.engine.strips import Window, strips
from imgdiff.errors import InvalidField, SizesDiffer, TooLarge, UnsupportedImage
from tests.unit.engine.images import Pixels, encode, noise, plain, translucent
from tests.unit.engine.reference import expected_figures, figures
from tests.unit.engine.test_properties import bounded

FIGURES_ONLY = Options(style=None)
# Asks for nothing more of two opaque images of one size, but has them examined.
EVERYWHERE = (Rectangle(Length(0), Length(0), Length(100, percent=True), Length(99999)),)
EXAMINED = Options(style=None, include=EVERYWHERE)
EVERY_METRIC = Options(
    metrics=frozenset({"ssim", "ms_ssim", "pixelmatch", "ciede2000", "dhash"}), regions=True
)


def rectangle(
    x: float, y: float, width: float, height: float, *, percent: bool = False
) -> Rectangle:
    return Rectangle(*(Length(value, percent) for value in (x, y, width, height)))


def changed_in_places(source: Pixels, seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    hit = random.random(source.shape[:2]) < 0.2
    height, width, channels = source.shape
    return np.where(hit[..., np.newaxis], noise(height, width, channels, seed=seed), source)


PAIRS = {
    "opaque": (noise(60, 47, 3), changed_in_places(noise(60, 47, 3), 1)),
    "transparent": (translucent(60, 47), changed_in_places(translucent(60, 47), 2)),
    "one transparent": (noise(60, 47, 3), changed_in_places(translucent(60, 47), 3)),
    "wide": (noise(3, 70_000, 3), changed_in_places(noise(3, 70_000, 3), 4)),
    "tall": (noise(70_000, 1, 3), changed_in_places(noise(70_000, 1, 3), 5)),
}


@pytest.mark.parametrize("case", PAIRS)
def test_examined_figures_are_the_plain_ones(case: str) -> None:
    source, target = map(plain, PAIRS[case])

    assert compare(source, target, options=EXAMINED) == compare(
        source, target, options=FIGURES_ONLY
    )


def test_a_file_compared_with_itself() -> None:
    same = plain(noise())

    found = compare(same, same, options=replace(EXAMINED, metrics=EVERY_METRIC.metrics))

    assert (found.diff, found.changed_pixels, found.bbox, found.psnr) == (0, 0, None, None)
    assert found.measured["ssim"] == 1
    assert (
        found.measured["pixelmatch"] == found.measured["ciede2000"] == found.measured["dhash"] == 0
    )


def counting(source: Pixels, target: Pixels, counted: NDArray[np.bool_]) -> dict[str, Any]:
    """What is expected of the pixels that count: as if they were an image of one row."""
    told = expected_figures(source[counted][np.newaxis], target[counted][np.newaxis])
    changed = counted & (expected_changes(source, target))
    ys, xs = np.nonzero(changed)
    bbox = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1) if len(ys) else None
    height, width = counted.shape
    return {**vars(told), "bbox": bbox, "width": width, "height": height}


def expected_changes(source: Pixels, target: Pixels) -> NDArray[np.bool_]:
    premultiplied = []
    for pixels in (source, target):
        wide = pixels.astype(int)
        alpha = wide[..., 3:] if wide.shape[2] == 4 else np.full((*wide.shape[:2], 1), 255)
        premultiplied.append(np.concatenate((wide[..., :3] * alpha, alpha), axis=2))
    differs: NDArray[np.bool_] = (premultiplied[0] != premultiplied[1]).any(axis=2)
    return differs


def told(found: Comparison) -> dict[str, Any]:
    return vars(figures(found))


BOXES = st.lists(
    st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(0, 70), st.integers(0, 70)),
    max_size=3,
)


@bounded
@given(
    case=st.sampled_from(["opaque", "transparent", "one transparent"]), ignore=BOXES, include=BOXES
)
def test_what_is_ignored_and_included(
    case: str, ignore: list[tuple[int, ...]], include: list[tuple[int, ...]]
) -> None:
    source, target = PAIRS[case]
    counted = np.full(source.shape[:2], not include)
    for x, y, width, height in include:
        counted[y : y + height, x : x + width] = True
    for x, y, width, height in ignore:
        counted[y : y + height, x : x + width] = False
    options = Options(
        style=None,
        ignore=tuple(rectangle(*box) for box in ignore),
        include=tuple(rectangle(*box) for box in include),
    )

    if not counted.any():
        with pytest.raises(InvalidField, match="leave nothing to compare"):
            compare(plain(source), plain(target), options=options)
        return
    found = compare(plain(source), plain(target), options=options)

    assert told(found) == counting(source, target, counted)
    assert found.counted_pixels == counted.sum()
    assert found.changed_ratio == float(Fraction(found.changed_pixels, int(counted.sum())))


def test_what_is_transparent_and_ignored_leaves_the_rest_opaque() -> None:
    source = np.full((4, 4, 4), 255, np.uint8)
    source[0] = 0
    target = source.copy()
    target[3, 3, 0] = 0
    top = rectangle(0, 0, 4, 1)

    found = compare(plain(source), plain(target), options=Options(style=None, ignore=(top,)))

    assert found.diff == float(Fraction(1, 3 * 12))


@pytest.mark.parametrize(
    ("share", "box"),
    [
        (rectangle(0, 0, 50, 100, percent=True), (0, 0, 24, 60)),
        (rectangle(50, 25, 50, 50, percent=True), (23, 15, 47, 45)),
        (rectangle(33.3, 33.3, 0, 0, percent=True), None),
        (rectangle(0, 0, 100, 100, percent=True), (0, 0, 47, 60)),
        (rectangle(90, 90, 50, 50, percent=True), (42, 54, 47, 60)),
        (rectangle(200, 0, 10, 10, percent=True), (47, 0, 47, 6)),
        (rectangle(46, 59, 5, 5), (46, 59, 47, 60)),
        (rectangle(48, 70, 5, 5), (47, 60, 47, 60)),
    ],
)
def test_shares_are_of_every_pixel_that_they_touch(
    share: Rectangle, box: tuple[int, ...] | None
) -> None:
    found = share.within(47, 60)

    if box is None:
        assert found[0] >= found[2] - 1
    else:
        assert found == box


@pytest.mark.parametrize("side", [3, 7, 10, 30, 49, 60, 99, 1000, 4096])
def test_thirds_and_the_like_meet_without_a_gap_or_overlap(side: int) -> None:
    for parts in (2, 3, 5, 7):
        share = 100 / parts
        edges = [
            Rectangle(
                Length(index * share, percent=True),
                Length(0),
                Length(share, percent=True),
                Length(1),
            ).within(side, 1)[::2]
            for index in range(parts)
        ]
        if side % parts == 0:
            assert [left for left, _ in edges] == [index * side // parts for index in range(parts)]
            assert [right for _, right in edges] == [
                (index + 1) * side // parts for index in range(parts)
            ]
        assert edges[0][0] == 0
        assert edges[-1][1] == side


def mask(counted: NDArray[np.bool_]) -> bytes:
    return encode(Image.fromarray(counted), "PNG")


@pytest.mark.parametrize("case", ["opaque", "transparent", "wide"])
def test_only_what_is_white_in_the_mask_counts(case: str) -> None:
    source, target = PAIRS[case]
    counted = np.random.default_rng(7).random(source.shape[:2]) < 0.5

    found = compare(plain(source), plain(target), mask=mask(counted), options=FIGURES_ONLY)

    assert told(found) == counting(source, target, counted)
    assert found.counted_pixels == counted.sum()


def test_masks_of_other_kinds() -> None:
    source, target = PAIRS["opaque"]
    counted = np.zeros((60, 47), bool)
    counted[10:40, 5:30] = True
    grey = np.where(counted, 128, 127).astype(np.uint8)
    clear = np.dstack([np.full((60, 47, 3), 255, np.uint8), counted * np.uint8(255)])
    expected = compare(plain(source), plain(target), mask=mask(counted))

    for other in (
        encode(Image.fromarray(grey), "PNG"),
        plain(clear),
        encode(Image.fromarray(grey), "TIFF"),
    ):
        assert compare(plain(source), plain(target), mask=lambda: other) == expected  # noqa: B023


def test_a_mask_of_another_size_is_refused() -> None:
    source, target = map(plain, PAIRS["opaque"])

    with pytest.raises(SizesDiffer) as raised:
        compare(source, target, mask=mask(np.ones((60, 46), bool)))

    assert str(raised.value) == "mask is 46x60 pixels, but what is compared is 47x60"


@pytest.mark.parametrize("data", [b"no image", plain(noise())[:-40]])
def test_a_mask_that_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedImage) as raised:
        compare(*map(plain, PAIRS["opaque"]), mask=data)

    assert raised.value.field == "mask"


@pytest.mark.parametrize("metric", sorted(EVERY_METRIC.metrics))
def test_what_is_ignored_is_not_seen_beside_what_counts(metric: Any) -> None:
    source = noise(200, 190, 3)
    one, other = source.copy(), source.copy()
    one[40:60, 40:60] = noise(20, 20, 3, seed=5)
    other[40:60, 40:60] = 0
    box = rectangle(40, 40, 20, 20)
    options = Options(style=None, metrics=frozenset({metric}), regions=True, ignore=(box,))

    ignored, equal, changed = (
        compare(plain(source), plain(target), options=options) for target in (one, source, other)
    )

    assert ignored.measured == equal.measured == changed.measured
    assert ignored.measured["regions"] == []


SIZES = [((60, 47), (60, 47)), ((60, 47), (40, 47)), ((60, 47), (70, 40)), ((5, 300), (300, 5))]


def padded(pixels: Pixels, height: int, width: int) -> Pixels:
    whole = np.zeros((height, width, 4), np.uint8)
    whole[: pixels.shape[0], : pixels.shape[1], :3] = pixels[..., :3]
    whole[: pixels.shape[0], : pixels.shape[1], 3] = 255 if pixels.shape[2] == 3 else pixels[..., 3]
    return whole


@pytest.mark.parametrize(("mine", "theirs"), SIZES)
@pytest.mark.parametrize("channels", [3, 4])
def test_pad(mine: tuple[int, int], theirs: tuple[int, int], channels: int) -> None:
    source, target = noise(*mine, channels), noise(*theirs, channels, seed=3)
    height, width = max(mine[0], theirs[0]), max(mine[1], theirs[1])

    found = compare(plain(source), plain(target), options=replace(EVERY_METRIC, fit="pad"))

    same = compare(
        plain(padded(source, height, width)),
        plain(padded(target, height, width)),
        options=EVERY_METRIC,
    )
    assert found.sizes == (mine[::-1], theirs[::-1])
    assert replace(found, sizes=same.sizes) == same


def test_padding_is_changed() -> None:
    white = np.full((10, 10, 3), 255, np.uint8)

    found = compare(plain(white), plain(white[:8, :7]), options=Options(style=None, fit="pad"))

    assert found.changed_pixels == 100 - 56
    assert found.bbox == (0, 0, 10, 10)
    assert found.max_error == 255


@pytest.mark.parametrize(("mine", "theirs"), SIZES)
def test_crop(mine: tuple[int, int], theirs: tuple[int, int]) -> None:
    source, target = noise(*mine, 3), noise(*theirs, 3, seed=3)
    height, width = min(mine[0], theirs[0]), min(mine[1], theirs[1])

    found = compare(plain(source), plain(target), options=replace(EVERY_METRIC, fit="crop"))

    same = compare(
        plain(source[:height, :width]), plain(target[:height, :width]), options=EVERY_METRIC
    )
    assert replace(found, sizes=same.sizes) == same


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("mine", "theirs"), SIZES)
def test_resize(mine: tuple[int, int], theirs: tuple[int, int], channels: int) -> None:
    source, target = noise(*mine, channels), noise(*theirs, channels, seed=3)
    scaled = np.asarray(Image.fromarray(target).resize(mine[::-1], Image.Resampling.LANCZOS))

    found = compare(plain(source), plain(target), options=replace(EVERY_METRIC, fit="resize"))

    same = compare(plain(source), plain(scaled), options=EVERY_METRIC)
    assert replace(found, sizes=same.sizes) == same


def test_sizes_that_differ_are_refused_unless_fit_says_what_to_do() -> None:
    with pytest.raises(SizesDiffer, match="bring them to one size with fit"):
        compare(plain(noise(3, 4)), plain(noise(4, 3)), options=EVERY_METRIC)


def test_padding_keeps_to_the_limit_of_pixels() -> None:
    options = Options(fit="pad")

    with pytest.raises(
        TooLarge, match=r"^fit would make 300x300 pixels of the images, over the limit"
    ):
        compare(plain(noise(3, 300)), plain(noise(300, 3)), options=options, max_pixels=10_000)


def test_more_than_there_is_memory_for_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("imgdiff.engine.examination.draw", exhausted)

    with pytest.raises(TooLarge, match=r"^there is not enough memory for all that is asked"):
        compare(plain(noise()), plain(noise()), options=EVERY_METRIC)


@pytest.mark.parametrize("fit", ["pad", "crop", "resize"])
def test_images_of_16_bits_fit_too(fit: Any) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (60, 47), np.uint16)
    shallow = noise(50, 40, 3)

    found = compare(
        encode(Image.fromarray(deep), "PNG"), plain(shallow), options=Options(style=None, fit=fit)
    )

    assert 0 < found.diff < 1
    assert found.conversions == (("16 to 8 bit",) if fit == "resize" else (), ())


@pytest.mark.parametrize("options", [EVERY_METRIC, Options(fit="crop"), Options(style="heatmap")])
def test_a_file_that_pillow_alone_reads_is_examined_alike(options: Options) -> None:
    source, target = map(plain, PAIRS["opaque"])
    odd = target + b"behind the end"

    assert compare(source, odd, options=options) == compare(source, target, options=options)


@pytest.mark.parametrize("damage", [-12, -30, -400])
def test_a_file_cut_short_is_refused_whatever_is_asked(damage: int) -> None:
    source, target = map(plain, PAIRS["opaque"])

    with pytest.raises(UnsupportedImage, match=r"^target is damaged or cut short$"):
        compare(source, target[: damage - 20], options=EVERY_METRIC)


@pytest.mark.parametrize("fit", ["pad", "crop", "resize"])
def test_damage_behind_what_is_compared_is_found(fit: Any) -> None:
    source = plain(noise(10, 40))
    target = encode(noise(3000, 40), "PNG", compress_level=0)
    broken = target[:-200] + bytes(100) + target[-100:]

    with pytest.raises(UnsupportedImage, match=r"^target is damaged or cut short$"):
        compare(source, broken, options=Options(fit=fit))


def test_every_figure_stays_what_it_is_without_options() -> None:
    source, target = map(plain, PAIRS["opaque"])
    bare, asked = compare(source, target), compare(source, target, options=EVERY_METRIC)

    measured = {field.name for field in fields(Comparison)} - {"measured"}
    assert {name: getattr(asked, name) for name in measured} == {
        name: getattr(bare, name) for name in measured
    }
    assert bare.measured == {}


@given(
    height=st.integers(1, 60),
    margin=st.integers(0, 6),
    cuts=st.lists(st.integers(1, 9), min_size=60),
)
def test_windows_have_each_row_once_with_its_neighbours(
    height: int, margin: int, cuts: list[int]
) -> None:
    whole = np.arange(height, dtype=np.uint8)[:, np.newaxis]
    window: Any = Window(margin, height)
    seen, top = [], 0
    while top < height:
        bottom = min(height, top + cuts.pop())
        rows = window.slide(whole[top:bottom], whole[top:bottom])
        assert all((array == whole[rows.top :][: len(array)]).all() for array in rows.arrays)
        for row in range(rows.begin, rows.end):
            place = rows.top + row
            low, high = max(0, place - margin), min(height, place + margin + 1)
            assert rows.top <= low
            assert high <= rows.top + len(rows.arrays[0])
            seen.append(place)
        assert len(rows.arrays[0]) <= bottom - top + 2 * margin
        top = bottom
    assert seen == [*range(height)]


def test_strips_cover_an_image() -> None:
    assert [*strips(70_000, 3)] == [(0, 1), (1, 2), (2, 3)]
