"""Draw the sample images: a web page before and after a release, and a photo with a retouch."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

type Array = NDArray[np.float64]
type Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
type Point = tuple[float, float]

HERE = Path(__file__).resolve().parent

PAGE_SIZE = (1280, 800)
PAGE_SCALE = 4
PAGE_COLOURS = 112
MARGIN, GAP, COLUMN = 48, 24, 278

INK, MUTED, FAINT = "#1b2238", "#6b7490", "#9aa2b8"
LINE, SURFACE, CANVAS = "#e4e8f1", "#ffffff", "#f4f6fb"
INDIGO, INDIGO_SOFT, INDIGO_PALE = "#4f5bd5", "#c9cef5", "#eceefc"
GREEN, GREEN_PALE = "#14805e", "#e0f5ec"
TEAL, TEAL_PALE, AMBER, AMBER_PALE = "#12908e", "#dff3f2", "#d98a1f", "#fdf1dc"
ROSE, ROSE_PALE = "#d4577b", "#fce8ee"

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LAST_YEAR = (14, 16, 19, 18, 22, 25, 23, 21, 26, 28, 31, 34)
THIS_YEAR = (17, 18, 23, 21, 26, 29, 27, 24, 30, 33, 35, 38)

PHOTO_SIZE = (640, 426)
PHOTO_SCALE = 2
HORIZON = 0.62
SKYLINE = 0.46
SUN = (0.56, 0.395)
SKY = ((0.0, "#26355f"), (0.3, "#5b5688"), (0.62, "#c77f86"), (0.84, "#f2ae7c"), (1.0, "#ffd9a0"))


@dataclass(frozen=True)
class Release:
    """Hold the parts of the page that differ between two releases."""

    button: str = INDIGO
    planter_price: str = "$32.00"
    july: int = THIS_YEAR[6]
    card_drop: int = 0
    has_bell: bool = True


@cache
def font(size: float) -> Font:
    """Return Pillow's embedded font."""
    return ImageFont.load_default(size)


class Canvas:
    """Draw in page pixels on a supersampled image."""

    def __init__(self) -> None:
        """Start with an empty page."""
        width, height = PAGE_SIZE
        self.image = Image.new("RGB", (width * PAGE_SCALE, height * PAGE_SCALE), CANVAS)
        self.draw = ImageDraw.Draw(self.image)

    def box(
        self, x: float, y: float, w: float, h: float, fill: str, radius: float = 0, edge: str = ""
    ) -> None:
        """Fill a rectangle, rounded and edged if asked."""
        if edge:
            self.box(x, y, w, h, edge, radius)
            x, y, w, h, radius = x + 1, y + 1, w - 2, h - 2, radius - 1
        s = PAGE_SCALE
        corners = (x * s, y * s, (x + w) * s - 1, (y + h) * s - 1)
        self.draw.rounded_rectangle(corners, radius * s, fill)

    def disc(self, x: float, y: float, radius: float, fill: str) -> None:
        """Fill a circle around a centre."""
        self.box(x - radius, y - radius, 2 * radius, 2 * radius, fill, radius)

    def arc(
        self, x: float, y: float, radius: float, start: float, end: float, fill: str, width: float
    ) -> None:
        """Stroke a part of a circle, in degrees clockwise from three o'clock."""
        s = PAGE_SCALE
        bounds = ((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s)
        self.draw.arc(bounds, start, end, fill, round(width * s))

    def shape(self, points: list[Point], fill: str) -> None:
        """Fill a polygon."""
        self.draw.polygon([(x * PAGE_SCALE, y * PAGE_SCALE) for x, y in points], fill)

    def path(self, points: list[Point], fill: str, width: float) -> None:
        """Stroke a line with round joints and ends."""
        scaled = [(x * PAGE_SCALE, y * PAGE_SCALE) for x, y in points]
        self.draw.line(scaled, fill, round(width * PAGE_SCALE), joint="curve")
        for x, y in points:
            self.disc(x, y, width / 2, fill)

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float,
        fill: str = INK,
        anchor: str = "ls",
        bold: bool = False,
    ) -> None:
        """Write a line of text; the anchor defaults to the left end of the baseline."""
        # The embedded font has one weight: a hairline stroke stands in for the bold one.
        self.draw.text(
            (x * PAGE_SCALE, y * PAGE_SCALE),
            words,
            fill,
            font(size * PAGE_SCALE),
            anchor,
            stroke_width=size * PAGE_SCALE / 50 if bold else 0,
        )

    def card(self, x: float, y: float, w: float, h: float) -> None:
        """Draw an empty card."""
        self.box(x, y + 2, w, h, "#e9ecf4", 12)
        self.box(x, y, w, h, SURFACE, 12, LINE)

    def finish(self) -> Image.Image:
        """Return the page at its real size."""
        return self.image.reduce(PAGE_SCALE)


def column(index: int) -> int:
    """Return the left edge of a grid column."""
    return MARGIN + index * (COLUMN + GAP)


def draw_bell(c: Canvas, x: float, y: float) -> None:
    """Draw a bell with a badge."""
    c.disc(x, y - 2, 6, MUTED)
    c.shape([(x - 6, y - 2), (x + 6, y - 2), (x + 8, y + 5), (x - 8, y + 5)], MUTED)
    c.disc(x, y + 7.5, 2, MUTED)
    c.disc(x, y - 8, 1.5, MUTED)
    c.disc(x + 6, y - 6, 5, SURFACE)
    c.disc(x + 6, y - 6, 3.5, ROSE)


def draw_header(c: Canvas, release: Release) -> None:
    """Draw the bar with logo, navigation, search, bell and account."""
    c.box(0, 0, 1280, 64, SURFACE)
    c.box(0, 63, 1280, 1, LINE)
    c.box(MARGIN, 16, 32, 32, INDIGO, 9)
    c.path([(57, 40), (57, 25), (71, 39), (71, 24)], SURFACE, 3)
    c.text(92, 39, "Northlight", 20, bold=True)
    x = 240.0
    for name in ("Overview", "Orders", "Products", "Customers", "Reports"):
        width = font(15).getbbox(name)[2]
        active = name == "Overview"
        c.text(x, 37, name, 15, INDIGO if active else MUTED, bold=active)
        if active:
            c.box(x, 60, width, 4, INDIGO, 2)
        x += width + 32
    c.box(858, 14, 252, 36, CANVAS, 18, LINE)
    c.arc(880, 31, 6, 0, 360, FAINT, 1.8)
    c.path([(884, 35), (888, 39)], FAINT, 1.8)
    c.text(898, 37, "Search orders", 14, FAINT)
    if release.has_bell:
        draw_bell(c, 1150, 32)
    c.disc(1214, 32, 18, AMBER_PALE)
    c.text(1214, 37, "AK", 14, AMBER, "ms", bold=True)


def draw_heading(c: Canvas) -> None:
    """Draw the page title and the period switch."""
    c.text(MARGIN, 109, "Good morning, Anna", 28, bold=True)
    c.text(MARGIN, 135, "Here is how your shop is doing this year.", 15, MUTED)
    c.box(1034, 94, 198, 36, SURFACE, 10, LINE)
    c.box(1166, 98, 62, 28, INDIGO_PALE, 7)
    for x, name in ((1067, "Week"), (1132, "Month"), (1197, "Year")):
        c.text(x, 117, name, 14, INDIGO if name == "Year" else MUTED, "ms", bold=name == "Year")


def draw_bag(c: Canvas, x: float, y: float, fill: str) -> None:
    """Draw a shopping bag."""
    c.arc(x, y - 4, 5, 180, 360, fill, 2)
    c.box(x - 9, y - 4, 18, 14, fill, 3)


def draw_box(c: Canvas, x: float, y: float, fill: str) -> None:
    """Draw a parcel."""
    c.box(x - 10, y - 9, 20, 6, fill, 2)
    c.box(x - 8.5, y - 1.5, 17, 11, fill, 2)


def draw_person(c: Canvas, x: float, y: float, fill: str) -> None:
    """Draw a customer."""
    c.disc(x, y - 5, 5, fill)
    c.box(x - 9, y + 2, 18, 8, fill, 4)


def draw_trend(c: Canvas, x: float, y: float, fill: str) -> None:
    """Draw a rising line."""
    c.path([(x - 9, y + 6), (x - 3, y - 1), (x + 2, y + 3), (x + 9, y - 6)], fill, 2.5)
    c.path([(x + 3.5, y - 6), (x + 9, y - 6), (x + 9, y - 0.5)], fill, 2.5)


def draw_figures(c: Canvas, release: Release) -> None:
    """Draw the row of key figures."""
    figures: tuple[tuple[Callable[[Canvas, float, float, str], None], str, str, str, str, str], ...]
    figures = (
        (draw_bag, INDIGO, INDIGO_PALE, "Revenue", "$321,480", "+16.1%"),
        (draw_box, TEAL, TEAL_PALE, "Orders", "6,214", "+8.1%"),
        (draw_person, ROSE, ROSE_PALE, "Customers", "3,907", "+5.6%"),
        (draw_trend, AMBER, AMBER_PALE, "Conversion", "3.42%", "-0.3%"),
    )
    for index, (icon, dark, pale, name, value, change) in enumerate(figures):
        x, y = column(index), 160 + (release.card_drop if name == "Customers" else 0)
        c.card(x, y, COLUMN, 92)
        c.box(x + 20, y + 22, 48, 48, pale, 12)
        icon(c, x + 44, y + 46, dark)
        c.text(x + 84, y + 37, name, 14, MUTED)
        c.text(x + 84, y + 68, value, 25, bold=True)
        rising = change.startswith("+")
        c.box(x + COLUMN - 74, y + 20, 56, 24, GREEN_PALE if rising else ROSE_PALE, 12)
        c.text(x + COLUMN - 46, y + 36.5, change, 12.5, GREEN if rising else ROSE, "ms", bold=True)


def draw_bar(c: Canvas, x: float, base: float, value: int, fill: str) -> None:
    """Draw a chart bar with a rounded top."""
    height = value * 3.6
    c.box(x, base - height, 18, height, fill, 4)
    c.box(x, base - 4, 18, 4, fill)


def draw_chart(c: Canvas, release: Release) -> None:
    """Draw the bar chart of this year's and last year's revenue."""
    x, y, width, base = column(0), 276, 3 * COLUMN + 2 * GAP, 486
    c.card(x, y, width, 244)
    c.text(x + 24, y + 36, "Revenue by month", 18, bold=True)
    for offset, fill, name in ((198, INDIGO_SOFT, "Last year"), (98, INDIGO, "This year")):
        c.disc(x + width - offset, y + 30, 5, fill)
        c.text(x + width - offset + 12, y + 35, name, 14, MUTED)
    for step in range(0, 41, 10):
        height = base - step * 3.6
        c.box(x + 68, height - 1, width - 92, 1, LINE)
        c.text(x + 56, height + 4, f"${step}k" if step else "$0", 13, FAINT, "rs")
    values = (*THIS_YEAR[:6], release.july, *THIS_YEAR[7:])
    for index, (month, before, now) in enumerate(zip(MONTHS, LAST_YEAR, values, strict=True)):
        left = x + 80 + index * 66
        draw_bar(c, left, base, before, INDIGO_SOFT)
        draw_bar(c, left + 21, base, now, INDIGO)
        c.text(left + 19.5, base + 20, month, 13, MUTED, "ms")


def draw_orders(c: Canvas) -> None:
    """Draw the list of the latest orders."""
    x, y = column(3), 276
    c.card(x, y, COLUMN, 244)
    c.text(x + 24, y + 36, "Latest orders", 18, bold=True)
    c.text(x + COLUMN - 24, y + 36, "View all", 14, INDIGO, "rs")
    orders = (
        ("MB", TEAL, TEAL_PALE, "Mira Berg", "2 items", "$96.00"),
        ("JT", ROSE, ROSE_PALE, "Jonas Thal", "1 item", "$128.00"),
        ("LF", AMBER, AMBER_PALE, "Lena Frost", "3 items", "$74.50"),
        ("OS", INDIGO, INDIGO_PALE, "Oskar Steen", "1 item", "$32.00"),
    )
    for index, (initials, dark, pale, name, items, price) in enumerate(orders):
        top = y + 54 + index * 46
        if index:
            c.box(x + 24, top, COLUMN - 48, 1, LINE)
        c.disc(x + 40, top + 23, 16, pale)
        c.text(x + 40, top + 27.5, initials, 12.5, dark, "ms", bold=True)
        c.text(x + 68, top + 20, name, 15)
        c.text(x + 68, top + 37, items, 13, FAINT)
        c.text(x + COLUMN - 24, top + 28, price, 15, anchor="rs", bold=True)


def draw_mug(c: Canvas, x: float, y: float) -> None:
    """Draw a mug."""
    c.arc(x + 20, y + 4, 13, 0, 360, "#3d48b8", 5)
    c.box(x - 24, y - 20, 44, 48, INDIGO, 9)
    c.box(x - 24, y - 20, 44, 12, INDIGO, 4)
    c.box(x - 24, y - 2, 44, 9, "#8b94ea")
    for dx in (-12, -2, 8):
        c.path([(x + dx, y - 27), (x + dx + 2, y - 31), (x + dx, y - 35)], "#a9b1ee", 2.5)


def draw_lamp(c: Canvas, x: float, y: float) -> None:
    """Draw a table lamp."""
    c.box(x - 2, y - 2, 4, 28, "#8a5a1a")
    c.box(x - 18, y + 23, 36, 6, "#8a5a1a", 3)
    c.shape([(x - 16, y - 34), (x + 16, y - 34), (x + 30, y + 2), (x - 30, y + 2)], "#f0b04e")
    c.shape([(x - 16, y - 34), (x - 4, y - 34), (x - 10, y + 2), (x - 30, y + 2)], "#f6c677")


def draw_planter(c: Canvas, x: float, y: float) -> None:
    """Draw a potted plant."""
    sweep = np.linspace(0, np.pi, 25)
    for lean, length, fill in (
        (-1.0, 38, TEAL),
        (1.0, 38, TEAL),
        (-0.42, 44, GREEN),
        (0.42, 44, GREEN),
    ):
        along = np.array([np.sin(lean), -np.cos(lean)])
        across = np.array([-along[1], along[0]])
        for side, tone in ((-1, fill), (1, "#2fa884")):
            reach = (1 - np.cos(sweep)) / 2 * length
            edge = np.outer(reach, along) + np.outer(side * 9 * np.sin(sweep), across)
            c.shape([(x + dx, y + 6 + dy) for dx, dy in edge], tone)
    c.shape([(x - 20, y + 4), (x + 20, y + 4), (x + 14, y + 29), (x - 14, y + 29)], "#e08d6d")
    c.box(x - 23, y, 46, 9, "#c9714f", 3)


def draw_clock(c: Canvas, x: float, y: float) -> None:
    """Draw a wall clock."""
    c.disc(x, y - 2, 32, ROSE)
    c.disc(x, y - 2, 26, SURFACE)
    for dx, dy in ((0, -21), (21, 0), (0, 21), (-21, 0)):
        c.disc(x + dx, y - 2 + dy, 1.8, FAINT)
    c.path([(x - 9, y - 10), (x, y - 2), (x + 12, y - 13)], INK, 3)


def draw_products(c: Canvas, release: Release) -> None:
    """Draw the row of best sellers."""
    products: tuple[tuple[Callable[[Canvas, float, float], None], str, str, str, str], ...]
    products = (
        (draw_mug, INDIGO_PALE, "Stoneware mug", "$18.50", release.button),
        (draw_lamp, AMBER_PALE, "Reading lamp", "$128.00", INDIGO),
        (draw_planter, TEAL_PALE, "Clay planter", release.planter_price, INDIGO),
        (draw_clock, ROSE_PALE, "Wall clock", "$64.00", INDIGO),
    )
    for index, (picture, pale, name, price, button) in enumerate(products):
        x, y = column(index), 544
        c.card(x, y, COLUMN, 188)
        c.box(x + 12, y + 12, COLUMN - 24, 92, pale, 8)
        picture(c, x + COLUMN / 2, y + 60)
        c.text(x + 20, y + 137, name, 16)
        c.text(x + 20, y + 166, price, 20, bold=True)
        c.box(x + COLUMN - 128, y + 132, 108, 36, button, 9)
        c.text(x + COLUMN - 74, y + 155, "Add to cart", 14, SURFACE, "ms", bold=True)


def draw_footer(c: Canvas) -> None:
    """Draw the footer line."""
    c.box(0, 756, 1280, 44, SURFACE)
    c.box(0, 756, 1280, 1, LINE)
    c.text(MARGIN, 783, "© Northlight Goods", 13, FAINT)
    x = 1232.0
    for name in ("Privacy", "Terms", "Support"):
        c.text(x, 783, name, 13, MUTED, "rs")
        x -= font(13).getbbox(name)[2] + 28


def draw_page(release: Release) -> Image.Image:
    """Draw the whole page."""
    c = Canvas()
    draw_header(c, release)
    draw_heading(c)
    draw_figures(c, release)
    draw_chart(c, release)
    draw_orders(c)
    draw_products(c, release)
    draw_footer(c)
    return c.finish()


def save_pages() -> None:
    """Write the page before and after the release."""
    after = Release(TEAL, planter_price="$39.50", july=36, card_drop=3, has_bell=False)
    pages = np.stack([np.asarray(draw_page(release)) for release in (Release(), after)])
    colours, inverse, counts = np.unique(
        pages.reshape(-1, 3), axis=0, return_inverse=True, return_counts=True
    )
    # One palette for both, or unchanged parts would differ by rounding; the most frequent
    # colours, because they keep plain areas exact.
    palette = colours[np.argsort(-counts, kind="stable")[:PAGE_COLOURS]]
    gaps = colours[:, None].astype(int) - palette.astype(int)
    nearest = np.square(gaps).sum(2).argmin(1).astype(np.uint8)
    indexed = nearest[inverse].reshape(pages.shape[:3])
    for name, index in zip(("source", "target"), indexed, strict=True):
        page = Image.fromarray(index)
        page.putpalette(palette.tobytes())
        page.save(HERE / f"page-{name}.png", optimize=True)


def rgb(colour: str) -> Array:
    """Return a hexadecimal colour as three numbers from 0 to 1."""
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8) / 255


def mix(below: Array, above: Array, weight: Array) -> Array:
    """Blend a picture or colour over a picture."""
    return below + (above - below) * weight[..., None]


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float], octaves: int
) -> Array:
    """Return fractal noise around 0 with the given number of coarsest cells down and across."""
    total = np.zeros(shape)
    for octave in range(octaves):
        rows, columns = (max(2, round(count * 2**octave)) for count in cells)
        coarse = Image.fromarray(rng.standard_normal((rows, columns)).astype(np.float32))
        fine = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
        total += np.asarray(fine) * 0.5**octave
    return total


def sky(rng: np.random.Generator, y: Array, x: Array) -> Array:
    """Paint the evening sky with its sun and clouds."""
    stops, colours = zip(*((stop, rgb(colour)) for stop, colour in SKY), strict=True)
    height = np.clip(y / SKYLINE, 0, 1)
    image = np.stack([np.interp(height, stops, band) for band in np.transpose(colours)], -1)
    distance = np.hypot((x - SUN[0]) * 1.5, y - SUN[1])
    noise = smooth_noise(rng, (y.shape[0], y.shape[1]), (14, 2), 6)
    cover = np.clip(noise * 0.8 - 0.1, 0, 1) * np.clip(1.2 - height, 0, 1)
    lit = mix(np.broadcast_to(rgb("#6d5f86"), image.shape), rgb("#ffb48a"), height**1.5)
    image = mix(image, lit, np.clip(cover * 1.2, 0, 0.8))
    image = mix(image, rgb("#ffcf8a"), 0.85 * np.exp(-distance / 0.17))
    return mix(image, rgb("#fff0cc"), np.clip((0.036 - distance) / 0.002, 0, 1))


def ridge(rng: np.random.Generator, width: int, peaks: float) -> Array:
    """Return the heights of a mountain range from 0 to 1."""
    line = smooth_noise(rng, (2, width), (1, peaks), 8)[0]
    return np.asarray((line - line.min()) / np.ptp(line))


def forest(rng: np.random.Generator, x: Array) -> Array:
    """Return the height of a row of firs along the near shore."""
    heights = np.zeros(x.shape)
    for centre in rng.uniform(-0.02, 1.02, 260):
        tall = rng.uniform(0.014, 0.05)
        side = np.abs(x - centre) / (tall * 0.2)
        # Saw teeth on the flanks read as branches.
        tree = tall * (1 - side - 0.12 * ((side * 5) % 1))
        heights = np.maximum(heights, tree)
    return heights


def mountains(rng: np.random.Generator, image: Array, y: Array, x: Array) -> Array:
    """Lay the ranges over the sky, from the hazy far one to the dark near one."""
    ranges = (
        (0.25, 0.10, 5.0, "#9c7692", "#e5a592", False),
        (0.16, 0.08, 6.0, "#80698c", "#cf978f", False),
        (0.09, 0.07, 7.0, "#4b4870", "#94727f", False),
        (0.03, 0.05, 4.0, "#272b48", "#4a4258", True),
    )
    across = x[0]
    for rise, relief, peaks, dark, haze, wooded in ranges:
        top = HORIZON - rise + relief / 2 - relief * ridge(rng, across.size, peaks)
        if wooded:
            top -= forest(rng, across)
        depth = np.clip((y - top) / (HORIZON - top), 0, 1)
        grain = smooth_noise(rng, (y.shape[0], y.shape[1]), (30, 30), 4) * 0.01
        tone = mix(np.broadcast_to(rgb(dark), image.shape), rgb(haze), depth**1.6)
        glow = 0.35 * np.exp(-np.abs(x - SUN[0]) / 0.18)
        tone = mix(tone, rgb("#ffb27a"), glow * (1 - depth) * rise * 4) + grain[..., None]
        image = np.where((y > top)[..., None], tone, image)
    return image


def water(rng: np.random.Generator, image: Array, y: Array, x: Array) -> Array:
    """Mirror the scene below the horizon in rippled water."""
    rows, columns = y.shape
    shore = round(HORIZON * rows)
    depth = (y[shore:] - HORIZON) / (1 - HORIZON)
    shape = (depth.shape[0], columns)
    near = smooth_noise(rng, shape, (26, 9), 4)
    far = smooth_noise(rng, shape, (60, 14), 3)
    ripple = near * depth + far * (1 - depth) * 0.5
    mirrored = 2 * shore - np.arange(shore, rows)[:, None] * 1.0
    row = np.clip(mirrored + ripple * (5 + 60 * depth), 0, shore - 1).astype(int)
    column_at = np.clip(np.arange(columns) + ripple * 6, 0, columns - 1).astype(int)
    surface = mix(image[row, column_at] * rgb("#ffe0d4"), rgb("#1d2a4d"), 0.1 + 0.34 * depth)
    beam = np.exp(-(((x[shore:] - SUN[0]) / (0.025 + 0.07 * depth)) ** 2))
    glint = np.clip(ripple * 1.6 + 0.1, 0, 1) * beam * (1 - 0.4 * depth)
    image[shore:] = mix(surface, rgb("#ffd09a"), np.clip(glint, 0, 0.9))
    return image


def sail(image: Array) -> Array:
    """Retouch the picture: put a small sailing boat and its reflection on the water."""
    rows, columns = image.shape[:2]
    x, y, size = 0.33 * columns, 0.735 * rows, 0.13 * rows
    parts: tuple[tuple[str, list[Point]], ...] = (
        ("#f8e3cb", [(0.03, -0.13), (0.03, -1.0), (0.2, -0.6), (0.42, -0.16)]),
        ("#e6bfa6", [(-0.03, -0.15), (-0.03, -0.86), (-0.32, -0.16)]),
        ("#2a2238", [(-0.42, -0.1), (0.5, -0.12), (0.36, 0.0), (-0.32, 0.0)]),
    )
    for flip, strength in ((-0.7, 0.35), (1.0, 1.0)):
        for colour, outline in parts:
            mask = Image.new("L", (columns, rows))
            points = [(x + px * size, y + py * size * flip) for px, py in outline]
            ImageDraw.Draw(mask).polygon(points, 255)
            image = mix(image, rgb(colour), np.asarray(mask) / 255 * strength)
    return image


def draw_photo(retouched: bool) -> Image.Image:
    """Paint the lake at dusk as a camera would see it."""
    rng = np.random.default_rng(7)
    width, height = PHOTO_SIZE
    columns, rows = width * PHOTO_SCALE, height * PHOTO_SCALE
    y, x = np.meshgrid(np.arange(rows) / rows, np.arange(columns) / columns, indexing="ij")
    image = water(rng, mountains(rng, sky(rng, y, x), y, x), y, x)
    if retouched:
        image = sail(image)
    image *= (1.04 - 0.55 * ((x - 0.5) ** 2 + (y - 0.5) ** 2))[..., None]
    image = image.reshape(height, PHOTO_SCALE, width, PHOTO_SCALE, 3).mean((1, 3))
    image += rng.normal(0, 0.01, (height, width, 1))
    return Image.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8))


def save_photos() -> None:
    """Write the photo and its retouched, more strongly compressed copy."""
    for name, retouched, quality in (("source", False, 85), ("target", True, 60)):
        draw_photo(retouched).save(HERE / f"photo-{name}.jpg", quality=quality, optimize=True)


if __name__ == "__main__":
    save_pages()
    save_photos()
