"""Every way of storing a picture that the contract names, each with the pixels a viewer shows."""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine import Options
from tests.unit.engine.images import (
    Pixels,
    as_rgb,
    encode,
    noise,
    photograph,
    pillow_pixels,
    tiff,
    translucent,
    with_alpha,
)
from tests.unit.engine.png_writer import ColourType, png

HEIGHT, WIDTH = 23, 37

type Deep = NDArray[np.uint16]


@dataclass(frozen=True)
class Stored:
    """A file, and the RGB or RGBA pixels that it shows; of a deep one the high bytes, and all."""

    name: str
    data: bytes
    pixels: Pixels
    deep: Deep | None = None

    @property
    def by_its_pixels(self) -> Options:
        """What compares them: of a deep file, the high bytes alone."""
        return Options(managed=self.deep is None)


def every_kind() -> list[Stored]:
    """One file of every kind."""
    return [
        *_png_grey(),
        *_png_grey16(),
        *_png_rgb(),
        *_png_alpha(),
        *_png_palette(),
        *_png_animated(),
        *_jpeg(),
        *_webp(),
        *_gif(),
        *_bmp(),
        *_tiff(),
        *_tiff_alpha(),
        *_tiff_cmyk(),
        *_avif(),
    ]


def _layouts(name: str) -> Iterator[tuple[str, bool]]:
    yield name, False
    yield f"{name} interlaced", True


def _png_grey() -> Iterator[Stored]:
    for bits in (1, 2, 4, 8):
        top = 2**bits - 1
        samples = noise(HEIGHT, WIDTH, 1, seed=bits, below=top + 1)[..., 0]
        shown = as_rgb(samples.astype(int) * 255 // top)
        # Not the middle of the range, where a key at the wrong depth might do no harm.
        key = top - (bits > 1)
        keyed = with_alpha(shown, np.where(samples == key, 0, 255))
        for name, interlaced in _layouts(f"png grey {bits}"):
            yield Stored(name, png(samples, "grey", bits, interlaced=interlaced), shown)
            transparency = struct.pack(">H", key)
            data = png(samples, "grey", bits, transparency=transparency, interlaced=interlaced)
            yield Stored(f"{name} tRNS", data, keyed)


def _png_grey16() -> Iterator[Stored]:
    samples = np.random.default_rng(16).integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
    samples[:4] = 0x80FF
    # Equal to the key in the high byte alone, or in the low byte alone.
    samples[4:8] = 0x80FE
    samples[8:12] = 0x7FFF
    deep = np.dstack([samples] * 3)
    deep_keyed = np.dstack([deep, np.where(samples == 0x80FF, 0, 65535).astype(np.uint16)])
    shown, keyed = _high(deep), _high(deep_keyed)
    for name, interlaced in _layouts("png grey 16"):
        yield Stored(name, png(samples, "grey", 16, interlaced=interlaced), shown, deep)
        data = png(samples, "grey", 16, transparency=b"\x80\xff", interlaced=interlaced)
        yield Stored(f"{name} tRNS", data, keyed, deep_keyed)


def _png_rgb() -> Iterator[Stored]:
    for bits in (8, 16):
        samples = np.random.default_rng(bits).integers(0, 2**bits, (HEIGHT, WIDTH, 3))
        key = np.array([0x80FF, 0x01FF, 0x0040]) >> (16 - bits)
        samples[:4] = key
        samples[4:8] = key ^ (0, 0, 1)
        samples[8:10] = key ^ (1, 0, 0)
        samples[10:12] = key ^ (1 << (bits - 1), 0, 0)
        shown = (samples >> (bits - 8)).astype(np.uint8)
        opaque = (samples != key).any(axis=2)
        keyed = with_alpha(shown, opaque * 255)
        deep = samples.astype(np.uint16) if bits == 16 else None
        deep_keyed = None if deep is None else np.dstack([deep, opaque.astype(np.uint16) * 65535])
        transparency = struct.pack(">HHH", *key)
        for name, interlaced in _layouts(f"png rgb {bits}"):
            yield Stored(name, png(samples, "rgb", bits, interlaced=interlaced), shown, deep)
            data = png(samples, "rgb", bits, transparency=transparency, interlaced=interlaced)
            yield Stored(f"{name} tRNS", data, keyed, deep_keyed)


def _png_alpha() -> Iterator[Stored]:
    shown = translucent(HEIGHT, WIDTH, seed=4)
    low = noise(HEIGHT, WIDTH, 4, seed=5).astype(int)
    kinds: list[tuple[ColourType, list[int]]] = [
        ("grey+alpha", [0, 3]),
        ("rgba", [0, 1, 2, 3]),
    ]
    for colour, channels in kinds:
        places = [0, 1, 2, 3] if colour == "rgba" else [0, 0, 0, 3]
        for bits in (8, 16):
            samples = shown.astype(int) if bits == 8 else shown.astype(int) << 8 | low
            deep = samples[..., places].astype(np.uint16) if bits == 16 else None
            for name, interlaced in _layouts(f"png {colour} {bits}"):
                data = png(samples[..., channels], colour, bits, interlaced=interlaced)
                yield Stored(name, data, shown[..., places], deep)


def _png_palette() -> Iterator[Stored]:
    for bits in (1, 2, 4, 8):
        # One less than the depth has room for, where there is room for more than two.
        colours = max(2, 2**bits - 1)
        palette = noise(1, colours, 3, seed=20 + bits)[0]
        alphas = noise(1, colours, 1, seed=30 + bits)[0, :, 0]
        indices = noise(HEIGHT, WIDTH, 1, seed=40 + bits, below=colours)[..., 0]
        for name, interlaced in _layouts(f"png palette {bits}"):
            data = png(indices, "palette", bits, palette=palette, interlaced=interlaced)
            yield Stored(name, data, palette[indices])
            for share, count in (("tRNS", colours), ("short tRNS", colours // 2)):
                table = np.full(colours, 255, dtype=np.uint8)
                table[:count] = alphas[:count]
                data = png(
                    indices,
                    "palette",
                    bits,
                    palette=palette,
                    transparency=alphas[:count].tobytes(),
                    interlaced=interlaced,
                )
                yield Stored(f"{name} {share}", data, with_alpha(palette[indices], table[indices]))


def _png_animated() -> Iterator[Stored]:
    first, second = noise(HEIGHT, WIDTH, seed=50), noise(HEIGHT, WIDTH, seed=51)
    later = [Image.fromarray(second)]
    yield Stored("png animated", encode(first, "PNG", save_all=True, append_images=later), first)


def _jpeg() -> Iterator[Stored]:
    photo = photograph(HEIGHT, WIDTH)
    image, inks = Image.fromarray(photo), photograph(HEIGHT, WIDTH, channels=4)
    for name, data in (
        ("jpeg baseline", encode(image, "JPEG")),
        ("jpeg 4:4:4", encode(image, "JPEG", subsampling=0, quality=95)),
        ("jpeg progressive", encode(image, "JPEG", progressive=True)),
        ("jpeg grey", encode(image.convert("L"), "JPEG")),
        ("jpeg cmyk", encode(Image.fromarray(inks, "CMYK"), "JPEG")),
    ):
        yield Stored(name, data, pillow_pixels(data))
    several = encode(image, "MPO", save_all=True, append_images=[image.rotate(180)])
    yield Stored("jpeg of several pictures", several, pillow_pixels(encode(image, "JPEG")))


def _webp() -> Iterator[Stored]:
    opaque, shown = noise(HEIGHT, WIDTH, seed=60), translucent(HEIGHT, WIDTH, seed=61)
    yield Stored("webp lossless", encode(opaque, "WEBP", lossless=True), opaque)
    yield Stored("webp lossless alpha", encode(shown, "WEBP", lossless=True, exact=True), shown)
    photo = photograph(HEIGHT, WIDTH)
    lossy = encode(photo, "WEBP", quality=70)
    yield Stored("webp lossy", lossy, pillow_pixels(lossy))
    alpha = encode(with_alpha(photo, shown[..., 3]), "WEBP", quality=70)
    yield Stored("webp lossy alpha", alpha, pillow_pixels(alpha))
    later = [Image.fromarray(noise(HEIGHT, WIDTH, seed=62))]
    animated = encode(opaque, "WEBP", lossless=True, save_all=True, append_images=later)
    yield Stored("webp animated", animated, opaque)


def _gif() -> Iterator[Stored]:
    palette = noise(1, 200, 3, seed=70)[0]
    indices = noise(HEIGHT, WIDTH, 1, seed=71, below=200)[..., 0]
    image = Image.fromarray(indices, "P")
    image.putpalette(palette.tobytes())
    shown = palette[indices]
    for name, interlace in (("gif", 0), ("gif interlaced", 1)):
        yield Stored(name, encode(image, "GIF", interlace=interlace, optimize=False), shown)
        data = encode(image, "GIF", interlace=interlace, optimize=False, transparency=7)
        yield Stored(f"{name} transparent", data, with_alpha(shown, np.where(indices == 7, 0, 255)))
    grey = noise(HEIGHT, WIDTH, 1, seed=72)[..., 0]
    yield Stored("gif grey", encode(grey, "GIF"), as_rgb(grey))
    later = Image.fromarray(noise(HEIGHT, WIDTH, seed=73)).quantize(64)
    animated = encode(image, "GIF", save_all=True, append_images=[later], optimize=False)
    yield Stored("gif animated", animated, shown)


def _bmp() -> Iterator[Stored]:
    colours, shown = noise(HEIGHT, WIDTH, seed=80), translucent(HEIGHT, WIDTH, seed=81)
    yield Stored("bmp 24", encode(colours, "BMP"), colours)
    yield Stored("bmp 8 grey", encode(colours[..., 0], "BMP"), as_rgb(colours[..., 0]))
    indices = Image.fromarray(colours[..., 0], "P")
    palette = noise(1, 256, 3, seed=82)[0]
    indices.putpalette(palette.tobytes())
    yield Stored("bmp 8 palette", encode(indices, "BMP"), palette[colours[..., 0]])
    bits = colours[..., 0] > 127
    yield Stored("bmp 1", encode(Image.fromarray(bits), "BMP"), as_rgb(bits * 255))
    # With the plain header the fourth byte is unused, with masks it is alpha.
    yield Stored("bmp 32", encode(shown, "BMP"), shown[..., :3])
    yield Stored("bmp 32 alpha", _bmp_with_masks(shown), shown)


def _bmp_with_masks(pixels: Pixels) -> bytes:
    height, width = pixels.shape[:2]
    rows = pixels[::-1].tobytes()
    masks = struct.pack("<4I", 0xFF, 0xFF00, 0xFF0000, 0xFF000000)
    sizes = struct.pack("<IiiHHIIiiII", 108, width, height, 1, 32, 3, len(rows), 0, 0, 0, 0)
    header = sizes + masks + b"BGRs" + bytes(48)
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(rows), 0, 0, 14 + 108) + header + rows


def _tiff() -> Iterator[Stored]:
    colours = noise(HEIGHT, WIDTH, seed=90)
    image = Image.fromarray(colours)
    yield Stored("tiff rgb", encode(image, "TIFF"), colours)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield Stored(f"tiff {compression}", encode(image, "TIFF", compression=compression), colours)
    yield Stored("tiff predictor", tiff(colours, "rgb", compression="lzw", predictor=True), colours)
    yield Stored("tiff tiled", tiff(colours, "rgb", tile=(16, 16)), colours)
    planes = np.ascontiguousarray(colours.transpose(2, 0, 1))
    yield Stored("tiff planar", tiff(planes, "rgb", planarconfig="separate"), colours)
    later = [Image.fromarray(noise(HEIGHT, WIDTH, seed=91))]
    pages = encode(image, "TIFF", save_all=True, append_images=later)
    yield Stored("tiff of several pages", pages, colours)

    grey = colours[..., 0]
    yield Stored("tiff grey 8", tiff(grey, "minisblack"), as_rgb(grey))
    yield Stored("tiff min-is-white 8", tiff(grey, "miniswhite"), as_rgb(255 - grey))
    bits = Image.fromarray(grey > 127)
    yield Stored("tiff 1", encode(bits, "TIFF"), as_rgb((grey > 127) * 255))
    yield Stored("tiff fax", encode(bits, "TIFF", compression="group4"), as_rgb((grey > 127) * 255))
    indices = Image.fromarray(grey, "P")
    indices.putpalette(noise(1, 256, 3, seed=92)[0].tobytes())
    yield Stored("tiff palette", encode(indices, "TIFF"), np.asarray(indices.convert("RGB")))

    deep = np.random.default_rng(93).integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    greys = deep[..., [0, 0, 0]]
    for name, order in (("little-endian", "<"), ("big-endian", ">")):
        grey16 = tiff(deep[..., 0], "minisblack", byteorder=order)
        yield Stored(f"tiff grey 16 {name}", grey16, _high(greys), greys)
        rgb16 = tiff(deep, "rgb", byteorder=order)
        yield Stored(f"tiff rgb 16 {name}", rgb16, _high(deep), deep)
    white16 = tiff(deep[..., 0], "miniswhite", byteorder="<")
    yield Stored("tiff min-is-white 16", white16, _high(65535 - greys), 65535 - greys)
    twelve = tiff(deep[..., 0] >> 4, "minisblack", bitspersample=12)
    stretched = np.rint((greys >> 4) * (65535 / 4095)).astype(np.uint16)
    yield Stored("tiff grey 12", twelve, _high(greys), stretched)


def _tiff_alpha() -> Iterator[Stored]:
    shown = translucent(HEIGHT, WIDTH, seed=100)
    straight = ["unassalpha"]
    yield Stored("tiff rgba", tiff(shown, "rgb", extrasamples=straight), shown)
    deep = (shown.astype(int) << 8 | noise(HEIGHT, WIDTH, 4, seed=101)).astype(np.uint16)
    yield Stored("tiff rgba 16", tiff(deep, "rgb", extrasamples=straight), shown, deep)
    grey = np.ascontiguousarray(shown[..., [0, 3]])
    grey_data = tiff(grey, "minisblack", planarconfig="contig", extrasamples=straight)
    yield Stored("tiff grey and alpha", grey_data, shown[..., [0, 0, 0, 3]])

    # Colours that are whole numbers after multiplication by these alphas, so that nothing is lost.
    colours = noise(HEIGHT, WIDTH, 3, seed=102, below=18) * 15
    alpha = np.array([0, 51, 85, 255])[noise(HEIGHT, WIDTH, 1, seed=103, below=4)]
    pixels = with_alpha(colours, alpha)
    multiplied = with_alpha((colours.astype(int) * alpha // 255).astype(np.uint8), alpha)
    associated = ["assocalpha"]
    yield Stored("tiff premultiplied", tiff(multiplied, "rgb", extrasamples=associated), pixels)
    grey = np.ascontiguousarray(multiplied[..., [0, 3]])
    grey_data = tiff(grey, "minisblack", planarconfig="contig", extrasamples=associated)
    yield Stored("tiff grey premultiplied", grey_data, pixels[..., [0, 0, 0, 3]])
    # A fourth sample that is not said to be alpha is none.
    yield Stored("tiff rgb and one more", tiff(shown, "rgb", extrasamples=[0]), shown[..., :3])


def _tiff_cmyk() -> Iterator[Stored]:
    inks = noise(HEIGHT, WIDTH, 4, seed=110)
    wide = inks.astype(int)
    product = (255 - wide[..., :3]) * (255 - wide[..., 3:])
    shown = (2 * product + 255) // 510
    yield Stored("tiff cmyk", tiff(inks, "separated"), shown.astype(np.uint8))


def _avif() -> Iterator[Stored]:
    photo = photograph(HEIGHT, WIDTH)
    alpha = with_alpha(photo, translucent(HEIGHT, WIDTH, seed=120)[..., 3])
    for name, data in (
        ("avif", encode(photo, "AVIF", quality=60, speed=10)),
        ("avif alpha", encode(alpha, "AVIF", quality=60, speed=10)),
        ("avif grey", encode(photo[..., 0], "AVIF", quality=60, speed=10)),
    ):
        yield Stored(name, data, pillow_pixels(data))
    later = [Image.fromarray(photograph(HEIGHT, WIDTH, phase=1))]
    options = {"quality": 60, "speed": 10}
    animated = encode(photo, "AVIF", save_all=True, append_images=later, **options)
    yield Stored("avif animated", animated, _first_frame(animated))


def _high(deep: Deep) -> Pixels:
    return (deep >> 8).astype(np.uint8)


def _first_frame(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        image.seek(0)
        return np.asarray(image.convert("RGB"))
