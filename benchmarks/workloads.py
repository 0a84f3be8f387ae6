"""Pairs of images to compare, made the same each time."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

type Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

TEXT = (
    "the of and a to in is you that it for on are with as they at be this have from or one had by "
    "but not what all were when your can said there use each which their time if will way about "
    "many then them would like so these her long make thing see him two has look more day could "
    "come did number sound most people over know water than call first may down side been now find"
)
WORDS = TEXT.split()
INK = (36, 41, 47)
MUTED = (101, 109, 118)
ACCENT = (9, 105, 218)
MARGIN = 80


@dataclass(frozen=True, slots=True)
class Pair:
    """Two image files; ``kind`` is their suffix, or ``rgba`` where they are transparent."""

    source: Path
    target: Path
    kind: str


type Make = Callable[[Path], Pair]
type Task = Literal["difference", "pixelmatch", "ssim"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of pair that people compare, how one is made in a folder, and what is found of it."""

    name: str
    title: str
    make: Make
    task: Task = "difference"


def photo(rng: Generator, width: int, height: int, grain: float = 3) -> Image.Image:
    """A picture as a camera takes it: large shapes, finer and finer detail, grain."""
    picture = np.full((height, width, 3), 128, np.float32)
    for detail, light, colour in ((400, 0.8, 0.4), (90, 0.4, 0.1), (20, 0.2, 0), (5, 0.1, 0)):
        cells = (max(2, height // detail), max(2, width // detail), 3)
        weights = rng.random(cells) * colour + rng.random((*cells[:2], 1)) * light
        shapes = Image.fromarray((255 * weights / (colour + light)).astype(np.uint8))
        shapes = shapes.resize((width, height), Image.Resampling.BICUBIC)
        picture += (colour + light) * (np.asarray(shapes, np.float32) - 128)
    return grained(rng, picture, grain)


def grained(rng: Generator, picture: NDArray[np.float32], sigma: float) -> Image.Image:
    """The picture with random noise over it."""
    noise = rng.standard_normal(picture.shape, np.float32)
    return Image.fromarray((picture + sigma * noise).clip(0, 255).astype(np.uint8))


def page(rng: Generator, width: int, height: int) -> Image.Image:
    """A web page from top to bottom: text, cards with photos, banners and white space."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width, 64), INK)
    _write(draw, (MARGIN, 16), "Example", 28, (255, 255, 255))
    for column, word in enumerate(rng.choice(WORDS, 5)):
        _write(draw, (width - 520 + 100 * column, 22), word, 16, (208, 215, 222))
    top, blocks = 64, (_banner, _text, _cards, _text, _text, _table)
    while top < height:
        for block in blocks:
            top = block(rng, image, top) + 48
    return image


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, ink: tuple[int, ...]
) -> None:
    draw.text(place, text, ink, _font(size))


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def _sentence(rng: Generator, words: int) -> str:
    return " ".join(rng.choice(WORDS, words)).capitalize()


def _banner(rng: Generator, image: Image.Image, top: int) -> int:
    draw = ImageDraw.Draw(image)
    image.paste(photo(rng, image.width, 320), (0, top))
    _write(draw, (MARGIN, top + 90), _sentence(rng, 5), 48, (255, 255, 255))
    draw.rounded_rectangle((MARGIN, top + 190, MARGIN + 180, top + 238), 8, ACCENT)
    _write(draw, (MARGIN + 32, top + 202), _sentence(rng, 2), 18, (255, 255, 255))
    return top + 320


def _text(rng: Generator, image: Image.Image, top: int) -> int:
    draw = ImageDraw.Draw(image)
    _write(draw, (MARGIN, top), _sentence(rng, 4), 30, INK)
    top += 56
    for _ in range(int(rng.integers(2, 4))):
        for _ in range(int(rng.integers(3, 7))):
            # Lines end at about two thirds of the width, as columns of text do.
            _write(draw, (MARGIN, top), _sentence(rng, max(3, image.width // 85)), 17, INK)
            top += 27
        top += 16
    return top


def _cards(rng: Generator, image: Image.Image, top: int) -> int:
    draw = ImageDraw.Draw(image)
    step = (image.width - 2 * MARGIN) // 4
    for left in range(MARGIN, image.width - MARGIN - step + 1, step):
        right = left + step - 24
        draw.rounded_rectangle((left, top, right, top + 360), 12, (246, 248, 250), (208, 215, 222))
        image.paste(photo(rng, max(8, right - left - 32), 180), (left + 16, top + 16))
        _write(draw, (left + 16, top + 212), _sentence(rng, 2), 20, INK)
        for line in range(3):
            _write(draw, (left + 16, top + 248 + 24 * line), _sentence(rng, 5), 14, MUTED)
    return top + 360


def _table(rng: Generator, image: Image.Image, top: int) -> int:
    draw = ImageDraw.Draw(image)
    for row in range(9):
        line = top + 40 * row
        if row % 2:
            draw.rectangle((MARGIN, line, image.width - MARGIN, line + 40), (246, 248, 250))
        _write(draw, (MARGIN + 16, line + 10), _sentence(rng, 3), 16, INK)
        for column in range(MARGIN + 360, image.width - MARGIN - 100, 160):
            _write(draw, (column, line + 10), f"{rng.integers(1, 10**6):,}", 16, MUTED)
    return top + 40 * 9


def changed(rng: Generator, image: Image.Image, changes: int) -> Image.Image:
    """The same picture with small things on it that were not there before."""
    target = image.copy()
    draw = ImageDraw.Draw(target)
    for _ in range(changes):
        left = int(rng.integers(0, max(1, image.width - 200)))
        top = int(rng.integers(0, max(1, image.height - 40)))
        paper, ink = ((255, 255, 255), INK) if rng.random() < 0.5 else (ACCENT, (255, 255, 255))
        draw.rounded_rectangle((left, top, left + int(rng.integers(130, 200)), top + 36), 6, paper)
        _write(draw, (left + 12, top + 8), _sentence(rng, 2), 16, ink)
    return target


def translucent(image: Image.Image) -> Image.Image:
    """The picture fading out towards its edges."""
    edge = min(image.size) // 6
    alpha = Image.new("L", image.size)
    box = (edge, edge, image.width - edge, image.height - edge)
    ImageDraw.Draw(alpha).rounded_rectangle(box, edge, 255)
    image = image.convert("RGBA")
    image.putalpha(alpha.filter(ImageFilter.GaussianBlur(edge / 3)))
    return image


def save(folder: Path, source: Image.Image, target: Image.Image, kind: str) -> Pair:
    """Write a pair; JPEG and WebP lose more of the target than of the source."""
    suffix = "png" if kind == "rgba" else kind
    paths = (folder / f"source.{suffix}", folder / f"target.{suffix}")
    with ThreadPoolExecutor(2) as pool:
        saved = [
            pool.submit(image.save, path, quality=quality)
            for image, path, quality in zip((source, target), paths, (92, 75), strict=True)
        ]
    for each in saved:
        each.result()
    return Pair(*paths, kind)


def pages(width: int, height: int, changes: int, kind: str = "png") -> Make:
    """A page, and the same with ``changes`` small changes."""

    def make(folder: Path) -> Pair:
        rng = np.random.default_rng(1)
        source = page(rng, width, height)
        target = changed(rng, source, changes)
        if kind == "rgba":
            source, target = translucent(source), translucent(target)
        return save(folder, source, target, kind)

    return make


def icons(size: int, kind: str = "png") -> Make:
    """A small picture, and the same with something on it."""

    def make(folder: Path) -> Pair:
        rng = np.random.default_rng(2)
        source = photo(rng, size, size)
        return save(folder, source, changed(rng, source, 1), kind)

    return make


def photos(width: int, height: int) -> Make:
    """A photo as JPEG, in better and in worse quality."""

    def make(folder: Path) -> Pair:
        image = photo(np.random.default_rng(3), width, height)
        # A copy, for saving takes note of its options in the image itself.
        return save(folder, image, image.copy(), "jpg")

    return make


def noise(width: int, height: int, sigma: float = 6) -> Make:
    """A smooth picture under noise that is different in each of the two."""

    def make(folder: Path) -> Pair:
        rng = np.random.default_rng(4)
        smooth = photo(rng, width // 60, height // 60, grain=0)
        picture = np.asarray(smooth.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        return save(folder, grained(rng, picture, sigma), grained(rng, picture, sigma), "png")

    return make


def identical(width: int, height: int) -> Make:
    """A page, and a byte for byte copy of its file."""

    def make(folder: Path) -> Pair:
        pair = pages(width, height, 0)(folder)
        shutil.copyfile(pair.source, pair.target)
        return pair

    return make


def large(megapixels: int, kind: str) -> Make:
    """A square of so many megapixels: a page, as PNG, or a photo, as JPEG, again and again."""

    def make(folder: Path) -> Pair:
        side = round((megapixels * 10**6) ** 0.5)
        rng = np.random.default_rng(5)
        # A page is as wide as the square: what comes again in a row would be compressed to nothing.
        tile = page(rng, side, 1000) if kind == "png" else photo(rng, 1000, 1000)
        source = Image.new("RGB", (side, side))
        for top in range(0, side, tile.height):
            for left in range(0, side, tile.width):
                source.paste(tile, (left, top))
        return save(folder, source, changed(rng, source, 12 * megapixels), kind)

    return make


WORKLOADS = (
    Workload("full", "a whole page, 1600×9000 PNG, 12 small changes", pages(1600, 9000, 12)),
    Workload("hd", "a screen, 1920×1080 PNG, 6 small changes", pages(1920, 1080, 6)),
    Workload("photo", "a photo, 4000×3000 JPEG, quality 92 and 75", photos(4000, 3000)),
    Workload("noise", "noise everywhere, 3840×2160 PNG", noise(3840, 2160)),
    Workload("identical", "a whole page, 1600×9000 PNG, and its copy", identical(1600, 9000)),
    Workload("small", "an icon, 64×64 PNG", icons(64)),
    Workload("webp", "a screen, 1920×1080 lossy WebP", pages(1920, 1080, 6, "webp")),
    Workload("rgba", "a translucent screen, 1920×1080 PNG", pages(1920, 1080, 6, "rgba")),
    Workload(
        "full-pixelmatch", "the page, what looks different", pages(1600, 9000, 12), "pixelmatch"
    ),
    Workload(
        "hd-pixelmatch", "the screen, what looks different", pages(1920, 1080, 6), "pixelmatch"
    ),
    Workload(
        "photo-pixelmatch", "the photo, what looks different", photos(4000, 3000), "pixelmatch"
    ),
    Workload("full-ssim", "the page, structural similarity", pages(1600, 9000, 12), "ssim"),
    Workload("hd-ssim", "the screen, structural similarity", pages(1920, 1080, 6), "ssim"),
    Workload("photo-ssim", "the photo, structural similarity", photos(4000, 3000), "ssim"),
)
