"""Pictures to compare: pixel arrays, and how they are encoded."""

import io
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image

from tests.unit.engine.png_writer import insert

type Pixels = NDArray[np.uint8]


def encode(picture: Pixels | Image.Image, file_format: str, **options: Any) -> bytes:
    """Encode with Pillow."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def plain(pixels: Pixels) -> bytes:
    """The plainest file of RGB or RGBA pixels: what every other file is measured against."""
    return encode(pixels, "PNG", compress_level=1)


def tiff(samples: NDArray[Any], photometric: str, **options: Any) -> bytes:
    """Encode with tifffile, which writes what Pillow doesn't."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=photometric, **options)
    return file.getvalue()


def exif(orientation: int) -> bytes:
    """EXIF that says how to turn the picture."""
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    return tags.tobytes()


def with_orientation(png: bytes, orientation: int) -> bytes:
    """The PNG file, to be turned when shown."""
    return insert(png, b"eXIf", exif(orientation).removeprefix(b"Exif\0\0"))


def pillow_pixels(data: bytes) -> Pixels:
    """What Pillow decodes, in RGB: the definition where a format is lossy."""
    image = Image.open(io.BytesIO(data))
    return np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))


def noise(
    height: int = 23, width: int = 37, channels: int = 3, *, seed: int = 0, below: int = 256
) -> Pixels:
    """Samples without any pattern, the same ones each time."""
    values = np.random.default_rng(seed).integers(0, below, (height, width, channels))
    return values.astype(np.uint8)


def translucent(height: int = 23, width: int = 37, *, seed: int = 0) -> Pixels:
    """RGBA noise with fully transparent, opaque and half-transparent parts."""
    pixels = noise(height, width, 4, seed=seed)
    pixels[: height // 3, :, 3] = 0
    pixels[height // 3 : height // 2, :, 3] = 255
    return pixels


def photograph(height: int, width: int, *, channels: int = 3, phase: float = 0) -> Pixels:
    """Smooth colour gradients, as lossy formats expect them."""
    y, x = np.mgrid[:height, :width]
    waves = [
        127.5 + 127.5 * np.sin(phase + (x * (k + 1) + y * (channels - k)) / 23)
        for k in range(channels)
    ]
    return np.stack(waves, axis=2).astype(np.uint8)


def as_rgb(grey: NDArray[Any]) -> Pixels:
    """A grey plane, shape (height, width), in three equal channels."""
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2).astype(np.uint8)


def with_alpha(pixels: Pixels, alpha: NDArray[Any]) -> Pixels:
    """RGB pixels with an alpha plane of 0 to 255."""
    return np.dstack([pixels, alpha]).astype(np.uint8)
