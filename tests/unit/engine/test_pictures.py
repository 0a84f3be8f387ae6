"""Pictures in every style and format, pixel by pixel."""

import io
import math
import struct
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

from imgdiff.engine import Options, compare, encoding
from imgdiff.engine.options import FORMATS_OF, HIGHLIGHT, Colour, Style
from imgdiff.engine.pictures import draw
from imgdiff.engine.rectangle import Length, Rectangle
from imgdiff.engine.strips import Strip
from imgdiff.errors import InvalidField, TooLarge
from imgdiff.formats import GIF, JPEG, PNG, Format
from tests.unit.engine.images import Pixels, noise, photograph, plain, translucent
from tests.unit.engine.reference import expected_picture

WEBP = FORMATS_OF["blink"][0]
# Those that are of one image's size and can be told pixel by pixel.
FLAT: tuple[Style, ...] = ("highlight", "mask", "absolute", "heatmap", "overlay")
LOSSLESS: tuple[Style, ...] = ("highlight", "mask", "absolute", "heatmap")
EVERY_FLAT = pytest.mark.parametrize("style", FLAT)
EVERY_PAIR = pytest.mark.parametrize(
    ("style", "file_format"),
    [(style, file_format) for style, formats in FORMATS_OF.items() for file_format in formats],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
GREEN = (3, 201, 94)
HEAT = [
    *((0, (0, 0, 0)), (1, (64, 16, 120)), (24, (205, 30, 50))),
    *((72, (245, 130, 20)), (144, (255, 225, 60)), (254, (255, 255, 255))),
]

type Flags = NDArray[np.bool_]


def rectangle(left: int, top: int, width: int, height: int) -> Rectangle:
    return Rectangle(Length(left), Length(top), Length(width), Length(height))


IGNORED = rectangle(9, 4, 21, 14)


def opened(data: bytes | None) -> Image.Image:
    assert data is not None
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def pixels_of(data: bytes | None) -> Pixels:
    return np.asarray(opened(data).convert("RGB"))


def frames_of(data: bytes | None) -> list[Pixels]:
    image = opened(data)
    found = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        found.append(np.asarray(image.convert("RGB")))
    return found


def drawn(source: Pixels, target: Pixels, **options: Any) -> bytes | None:
    return compare(plain(source), plain(target), options=Options(**options)).image


def counting(source: Pixels, *ignored: Rectangle) -> Flags:
    counted = np.ones(source.shape[:2], bool)
    for each in ignored:
        left, top, right, bottom = each.within(source.shape[1], source.shape[0])
        counted[top:bottom, left:right] = False
    return counted


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


def mixed(one: Any, share: Fraction, other: Any) -> list[int]:
    return [
        half_up(int(mine) * share + int(theirs) * (1 - share))
        for mine, theirs in zip(one, other, strict=True)
    ]


def on_white(pixel: Any) -> list[int]:
    *colour, alpha = pixel
    return mixed(colour, Fraction(int(alpha), 255), [255] * 3)


def premultiplied(pixel: Any) -> list[int]:
    *colour, alpha = map(int, pixel)
    return [*(sample * alpha for sample in colour), alpha]


def heat(difference: int) -> list[int]:
    difference = min(difference, 254)
    for (low, cold), (high, hot) in pairwise(HEAT):
        if low <= difference <= high:
            roots = [math.sqrt(value) for value in (low, difference, high)]
            share = (roots[1] - roots[0]) / (roots[2] - roots[0])
            return [round(a + share * (b - a)) for a, b in zip(cold, hot, strict=True)]
    raise AssertionError(difference)


def expected_pixel(
    style: Style, source: Any, target: Any, colour: Colour, *, counts: bool, stripe: bool
) -> list[int]:
    changed = counts and premultiplied(source) != premultiplied(target)
    mine, theirs = on_white(source), on_white(target)
    away = [abs(a - b) for a, b in zip(mine, theirs, strict=True)]
    shown = [0, 0, 0]
    match style:
        case "highlight":
            red, green, blue = mine
            luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
            shown = mixed([luma] * 3, Fraction(1, 5), colour if changed else [255] * 3)
        case "mask" if changed:
            shown = [255] * 3
        case "absolute" if counts:
            shown = away
        case "heatmap" if changed:
            shown = heat(max(1, *away, abs(int(source[3]) - int(target[3]))))
        case "overlay":
            shown = mixed(theirs, Fraction(2, 5), colour) if changed else theirs
            if not counts:
                shown = mixed(shown, Fraction(1, 4), [255] * 3)
    return mixed(shown, Fraction(1, 4), [128] * 3) if stripe else shown


def expected(
    style: Style,
    source: Pixels,
    target: Pixels,
    counted: Flags | None = None,
    colour: Colour = HIGHLIGHT,
) -> Pixels:
    """The picture as its formulas have it, worked out pixel by pixel in fractions."""
    mine, theirs = (
        image if image.shape[2] == 4 else np.dstack([image, np.full(image.shape[:2], 255)])
        for image in (source, target)
    )
    result = np.zeros((*mine.shape[:2], 3), np.uint8)
    for y, x in np.ndindex(mine.shape[:2]):
        counts = counted is None or bool(counted[y, x])
        result[y, x] = expected_pixel(
            style,
            mine[y, x].tolist(),
            theirs[y, x].tolist(),
            colour,
            counts=counts,
            stripe=not counts and (x + y) % 8 < 3,
        )
    return result


def partly_changed(source: Pixels) -> Pixels:
    """Half of the rows as they are; in the others differences of every size."""
    target = source.copy()
    rows = target[1::2]
    shifts = (np.arange(rows.shape[1], dtype=np.uint8) % 8)[:, np.newaxis]
    height, width = rows.shape[:2]
    rows[..., :3] ^= noise(height, width, seed=5) >> shifts
    return target


OPAQUE = noise(), partly_changed(noise())
CLEAR = translucent(seed=1), partly_changed(translucent(seed=1))
CLEARER = translucent(seed=1), translucent(seed=2)
IMAGES = {
    "opaque": OPAQUE,
    "alpha": CLEAR,
    "alpha changed": CLEARER,
    "mixed": (OPAQUE[0], CLEAR[1]),
}
EVERY_IMAGE = pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)


@EVERY_FLAT
@EVERY_IMAGE
@pytest.mark.parametrize("ignored", [(), (IGNORED,)], ids=["all counts", "part counts"])
def test_every_pixel(
    style: Style, images: tuple[Pixels, Pixels], ignored: tuple[Rectangle, ...]
) -> None:
    found = drawn(*images, style=style, ignore=ignored, highlight_color=GREEN)

    counted = counting(images[0], *ignored)
    np.testing.assert_array_equal(pixels_of(found), expected(style, *images, counted, GREEN))


@EVERY_IMAGE
def test_default_highlight_is_the_plain_comparisons(images: tuple[Pixels, Pixels]) -> None:
    width, height = images[0].shape[1::-1]
    picture = draw(Options(), width, height)
    rgba = [np.asarray(Image.fromarray(image).convert("RGBA")) for image in images]
    wide = [image.astype(int) for image in rgba]
    shown = [np.dstack([image[..., :3] * image[..., 3:], image[..., 3]]) for image in wide]
    changed = (shown[0] != shown[1]).any(axis=2).astype(np.uint8)
    assert picture is not None
    picture.add(Strip(0, rgba[0], rgba[1], changed, None))

    plainly = drawn(*images)

    np.testing.assert_array_equal(pixels_of(picture.finish()), pixels_of(plainly))
    np.testing.assert_array_equal(pixels_of(plainly), expected_picture(*images))


@pytest.mark.parametrize("colour", [HIGHLIGHT, GREEN, (0, 0, 0), (255, 255, 255), (7, 128, 254)])
def test_every_luma_in_every_colour(colour: Colour) -> None:
    source = np.dstack([np.arange(256, dtype=np.uint8).reshape(16, 16)] * 3)
    target = 255 - source
    ignored = rectangle(0, 0, 8, 16)

    found = drawn(source, target, highlight_color=colour, ignore=(ignored,))

    assert opened(found).mode == "P"
    counted = counting(source, ignored)
    wanted = expected("highlight", source, target, counted, colour)
    np.testing.assert_array_equal(pixels_of(found), wanted)


@EVERY_FLAT
def test_what_counts_looks_as_without_what_does_not(style: Style) -> None:
    counted = counting(OPAQUE[0], IGNORED)

    with_part, whole = (drawn(*OPAQUE, style=style, ignore=part) for part in ((IGNORED,), ()))

    assert (pixels_of(with_part)[counted] == pixels_of(whole)[counted]).all()
    assert (pixels_of(with_part)[~counted] != pixels_of(whole)[~counted]).any()


@pytest.mark.parametrize("style", ["highlight", "mask", "absolute", "heatmap"])
def test_what_does_not_count_never_looks_changed(style: Style) -> None:
    source = noise()
    target = source.copy()
    target[6:16, 12:28] = 255 - target[6:16, 12:28]

    altered, same = (
        drawn(source, each, style=style, ignore=(IGNORED,)) for each in (target, source)
    )

    np.testing.assert_array_equal(pixels_of(altered), pixels_of(same))


@pytest.mark.parametrize("style", FLAT)
def test_stripes_are_seen_on_any_colour(style: Style) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 16, axis=1).repeat(3, axis=2)
    stripe: Flags = np.add.outer(np.arange(256), np.arange(16)) % 8 < 3

    found = pixels_of(drawn(grey, grey, style=style, ignore=(rectangle(0, 0, 16, 255),)))

    stripes, between = (
        np.ma.masked_array(found[:255, :, 1], hidden[:255]).mean(axis=1)
        for hidden in (~stripe, stripe)
    )
    assert (abs(stripes - between) > 40).all()


def test_heat_grows_with_the_difference() -> None:
    levels = np.arange(256, dtype=np.uint8)
    target = np.dstack([levels.reshape(1, 256)] * 3)

    row = pixels_of(drawn(np.zeros_like(target), target, style="heatmap"))[0].astype(int)

    brightness = row @ (299, 587, 114)
    assert brightness[0] == 0
    assert (np.diff(brightness[:255]) > 0).all()
    # Even the smallest difference is told from none at a glance.
    assert row[1].max() > 100


def test_a_change_below_eight_bits_is_seen_in_the_heatmap() -> None:
    same = np.full((1, 2, 4), 255, np.uint8)
    picture = draw(Options(style="heatmap"), 2, 1)
    assert picture is not None
    picture.add(Strip(0, same, same, np.array([[0, 1]], np.uint8), None))

    assert pixels_of(picture.finish()).tolist() == [[[0, 0, 0], heat(1)]]


@pytest.mark.parametrize("style", LOSSLESS)
@EVERY_IMAGE
def test_webp_has_the_pixels_of_png(style: Style, images: tuple[Pixels, Pixels]) -> None:
    png, webp = (
        drawn(*images, style=style, format=file_format, ignore=(IGNORED,))
        for file_format in (PNG, WEBP)
    )

    np.testing.assert_array_equal(pixels_of(webp), pixels_of(png))


@pytest.mark.parametrize("file_format", [WEBP, JPEG], ids=["webp", "jpeg"])
@pytest.mark.parametrize("style", [*FLAT, "side_by_side"])
def test_what_is_lossy_comes_near(style: Style, file_format: Format) -> None:
    source = photograph(300, 400)
    target = source.copy()
    target[100:200, 100:300] //= 2

    png, lossy = (drawn(source, target, style=style, format=each) for each in (PNG, file_format))

    away = abs(pixels_of(lossy).astype(int) - pixels_of(png))
    assert away.mean() < 3


@pytest.mark.parametrize("style", [*FLAT, "side_by_side"])
def test_jpeg_has_colours_in_full_resolution(style: Style) -> None:
    image = opened(drawn(*OPAQUE, style=style, format=JPEG))

    assert JpegImagePlugin.get_sampling(image) == 0


@pytest.mark.parametrize(("width", "height"), [(37, 23), (200, 8), (700, 2), (1, 1), (1, 90)])
def test_side_by_side_has_three_panels(width: int, height: int) -> None:
    source = translucent(height, width, seed=1) if height > 2 else noise(height, width)
    target = partly_changed(source)
    part = (rectangle(0, 0, max(1, width // 3), height - 1 or 1),) if height > 1 else ()

    found = pixels_of(drawn(source, target, style="side_by_side", ignore=part))

    background = found[0, 0].tolist()
    header = found.shape[0] - height
    panels = [
        *(expected("overlay", each, each) for each in (source, target)),
        expected("highlight", source, target, counting(source, *part)),
    ]
    step = (found.shape[1] + header // 2) // 3
    assert step >= width
    for index, panel in enumerate(panels):
        left = index * step
        column = found[:, left : left + step]
        np.testing.assert_array_equal(column[header:, :width], panel)
        assert (column[header:, width:] == background).all()
        # A caption, which does not run into the next.
        ink = (column[:header] != background).any(axis=2)
        assert ink.any()
        assert not ink[:, step - header // 2 :].any()


def test_captions_differ() -> None:
    # In strips of one row each.
    source = np.zeros((1, 33_000, 3), np.uint8)

    found = pixels_of(drawn(source, source, style="side_by_side"))

    header = len(found) - len(source)
    step = (found.shape[1] + header // 2) // 3
    captions = [found[:header, left : left + step] for left in range(0, 2 * step + 1, step)]
    shared = [caption[:, :33_000] for caption in captions]
    assert not any((one == other).all() for one, other in pairwise(shared))
    assert (found[header:, :33_000] == 0).all()


@pytest.mark.parametrize("style", FLAT)
def test_strips_of_one_row(style: Style) -> None:
    width = 40_000
    source = np.tile(noise(5, 40), (1, width // 40, 1))
    target = np.tile(noise(5, 40, seed=1), (1, width // 40, 1))
    ignored = Rectangle(Length(0), Length(0), Length(100, percent=True), Length(2))

    found = pixels_of(drawn(source, target, style=style, ignore=(ignored,)))

    small = expected(style, source[:, :40], target[:, :40], counting(source[:, :40], ignored))
    np.testing.assert_array_equal(found, np.tile(small, (1, width // 40, 1)))


@pytest.mark.parametrize("style", FLAT)
def test_strips_of_many_rows(style: Style) -> None:
    # Two strips and the half of one.
    source = np.tile(noise(16, 8), (1000, 4, 1))[:5120]
    target = np.tile(noise(16, 8, seed=1), (1000, 4, 1))[:5120]
    ignored = rectangle(0, 0, 16, 5119)

    found = pixels_of(drawn(source, target, style=style, ignore=(ignored,)))

    counted = counting(source[:16], rectangle(0, 0, 16, 16))
    small = expected(style, source[:16], target[:16], counted)
    np.testing.assert_array_equal(found[:-1], np.tile(small, (320, 1, 1))[:-1])


@pytest.mark.parametrize("style", ["overlay", "side_by_side", "blink"])
def test_webp_that_can_not_be_lossy_loses_nothing(
    style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    # libwebp refuses large images so, having worked on them for seconds.
    monkeypatch.setattr(encoding, "_LOSSY_WEBP", {"method": 7})
    source, target = noise(seed=1), noise(seed=2)

    found = frames_of(drawn(source, target, style=style, format=WEBP))

    still = drawn(source, target, style="overlay" if style == "blink" else style)
    wanted = [source, target] if style == "blink" else frames_of(still)
    np.testing.assert_array_equal(found, wanted)


@EVERY_PAIR
@pytest.mark.parametrize(("width", "height"), [(1, 1), (300, 300), (5_000, 2)])
def test_every_style_and_format_is_read(
    style: Style, file_format: Format, width: int, height: int
) -> None:
    source, target = noise(height, width), noise(height, width, seed=1)

    image = opened(drawn(source, target, style=style, format=file_format))

    assert image.format == file_format.name.upper()
    if style != "side_by_side":
        assert image.size == (width, height)
    assert getattr(image, "n_frames", 1) == (2 if style == "blink" else 1)


@pytest.mark.parametrize("file_format", [WEBP, GIF], ids=["webp", "gif"])
def test_blink_alternates_for_ever(file_format: Format) -> None:
    source, target = photograph(60, 80), photograph(60, 80, phase=1)

    data = drawn(source, target, style="blink", format=file_format)

    image = opened(data)
    assert image.info["loop"] == 0
    durations = []
    for index in range(2):
        image.seek(index)
        image.load()
        durations.append(image.info["duration"])
    assert durations == [600, 600]
    for frame, wanted in zip(frames_of(data), (source, target), strict=True):
        assert abs(frame.astype(int) - wanted).mean() < 8


def test_blinking_gif_keeps_colours_that_a_palette_has_room_for() -> None:
    colours = noise(1, 200)[0]
    source = colours[np.arange(1200).reshape(30, 40) % 200]
    target = source.copy()
    target[10:20] = colours[7]

    found = frames_of(drawn(source, target, style="blink", format=GIF))

    np.testing.assert_array_equal(found, [source, target])


@pytest.mark.parametrize(("height", "width"), [(120, 160), (1200, 1600)])
def test_what_is_equal_does_not_flicker_in_a_gif(height: int, width: int) -> None:
    source = photograph(height, width)
    target = source.copy()
    target[40:80, 40:80] = noise(40, 40)

    first, second = frames_of(drawn(source, target, style="blink", format=GIF))

    assert (first == second)[(source == target).all(axis=2)].all()
    assert abs(first.astype(int) - source).mean() < 8


def test_blink_hatches_both_frames_alike() -> None:
    source, target = noise(seed=1), noise(seed=2)
    counted = counting(source, IGNORED)
    wanted = expected("overlay", source, source, counted)

    first, second = frames_of(drawn(source, target, style="blink", format=GIF, ignore=(IGNORED,)))

    assert (first == second)[~counted].all()
    away = abs(first[~counted].astype(int) - wanted[~counted])
    assert away.mean() < 12
    assert (first != second)[counted].any()


def test_blink_of_equal_images_stands_still() -> None:
    for file_format in FORMATS_OF["blink"]:
        frames = frames_of(drawn(OPAQUE[0], OPAQUE[0], style="blink", format=file_format))

        assert (frames[0] == frames[-1]).all()


@pytest.mark.parametrize("style", LOSSLESS)
def test_rows_of_png_are_written_as_they_come(style: Style) -> None:
    data = drawn(*OPAQUE, style=style)
    assert data is not None
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)

    assert (width, height, depth) == (37, 23, 8)
    assert colour_type == (2 if style == "absolute" else 3)


def test_nothing_is_drawn_where_nothing_is_asked_for() -> None:
    assert draw(Options(style=None), 10, 10) is None


@pytest.mark.parametrize(
    ("style", "file_format", "size", "told"),
    [
        ("highlight", WEBP, (16_384, 1), "16383 .* choose PNG or JPEG"),
        ("mask", WEBP, (1, 16_384), "16383 .* choose PNG or JPEG"),
        ("overlay", JPEG, (65_501, 1), "65500 .* choose PNG$"),
        ("side_by_side", WEBP, (5_500, 9), "16383 .* choose PNG or JPEG"),
        ("side_by_side", JPEG, (22_000, 9), "65500 .* choose PNG$"),
        ("side_by_side", WEBP, (9, 16_380), "16383 .* choose PNG or JPEG"),
        ("side_by_side", WEBP, (4_000, 4_200), "50000000 .* choose PNG or JPEG"),
        ("blink", WEBP, (16_384, 1), "16383 .* choose GIF"),
        ("blink", GIF, (1, 65_536), "65535 .* choose another style"),
    ],
)
def test_longer_sides_than_a_format_holds(
    style: Style, file_format: Format, size: tuple[int, int], told: str
) -> None:
    with pytest.raises(TooLarge, match=told) as refused:
        draw(Options(style=style, format=file_format), *size)

    assert refused.value.field == "format"


@pytest.mark.parametrize(
    ("style", "file_format"), [("mask", WEBP), ("overlay", JPEG), ("blink", GIF)]
)
def test_the_longest_side_that_a_format_holds(style: Style, file_format: Format) -> None:
    width = {"WebP": 16_383, "JPEG": 65_500, "GIF": 65_535}[file_format.name]
    source = noise(1, width)

    assert opened(drawn(source, 255 - source, style=style, format=file_format)).size == (width, 1)


@pytest.mark.parametrize(
    ("style", "file_format", "allowed"),
    [
        ("highlight", GIF, "PNG or WebP or JPEG"),
        ("side_by_side", GIF, "PNG or WebP or JPEG"),
        ("blink", PNG, "WebP or GIF"),
        ("blink", JPEG, "WebP or GIF"),
    ],
)
def test_formats_that_a_style_is_not_made_in(
    style: Style, file_format: Format, allowed: str
) -> None:
    with pytest.raises(InvalidField, match=allowed) as refused:
        draw(Options(style=style, format=file_format), 3, 3)

    assert refused.value.field == "format"


def test_each_style_has_formats() -> None:
    assert set(FORMATS_OF) == set(Style.__value__.__args__)
    assert all(formats[0] is PNG for style, formats in FORMATS_OF.items() if style != "blink")
