"""Resizing and cropping: encoded image in, encoded image of the same format out.

An image is edited as a viewer shows it: the first frame, turned as EXIF says. Colours, alpha and
colour profile stay; no other metadata does. The work is Pillow's.
"""

import io
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imgdiff.engine.decode import Decoded, eight_bit, is_deep, load
from imgdiff.engine.frame import turn
from imgdiff.errors import InvalidField, TooLarge
from imgdiff.formats import PNG, Format

# What Pillow's writers of these formats can hold; all else is brought to the last of them.
_WRITABLE = {
    "JPEG": ("L", "CMYK", "RGB"),
    "WebP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
}
_LOSSLESS_WEBP = b"VP8L"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An encoded image.

    Attributes
    ----------
    content : bytes
        The file.
    format : Format
        What it is.
    width, height : int
        Size in pixels, as shown.
    """

    content: bytes
    format: Format
    width: int
    height: int


def identify(data: bytes, *, max_pixels: int) -> Encoded:
    """Tell what an image is, having decoded it whole; its bytes stay as they are.

    Raises
    ------
    UnsupportedImage, TooLarge
        As `imgdiff.engine.decode.load`.
    """
    decoded = load(data, max_pixels=max_pixels)
    shown = turn(decoded.image, decoded.orientation)
    return Encoded(data, decoded.format, shown.width, shown.height)


def resize(data: bytes, width: int, height: int, *, max_pixels: int) -> Encoded:
    """Scale an image to exactly this size, with the Lanczos filter.

    Parameters
    ----------
    data : bytes
        The encoded image.
    width, height : int
        Size in pixels.
    max_pixels : int
        The most pixels that are read or made.

    Raises
    ------
    UnsupportedImage, TooLarge
        The image can't be read, or it or the result is over the limit.
    """
    if width * height > max_pixels:
        raise TooLarge(f"to {width}x{height} pixels is over the limit of {max_pixels} pixels")
    decoded, image = _shown(data, max_pixels)
    # Colours are blended, which indices of a palette and single bits can't be.
    if image.mode in ("1", "P", "PA") or "transparency" in image.info:
        image = image.convert(_blendable(image))
    return _encode(image.resize((width, height), Image.Resampling.LANCZOS), decoded, data)


def crop(data: bytes, left: int, top: int, width: int, height: int, *, max_pixels: int) -> Encoded:
    """Cut a rectangle out of an image, clipped to it.

    Parameters
    ----------
    data : bytes
        The encoded image.
    left, top, width, height : int
        The rectangle, in pixels.
    max_pixels : int
        The most pixels that are read.

    Raises
    ------
    UnsupportedImage, TooLarge
        The image can't be read or is over the limit.
    InvalidField
        The rectangle lies outside the image.
    """
    decoded, image = _shown(data, max_pixels)
    right, bottom = min(left + width, image.width), min(top + height, image.height)
    if left >= right or top >= bottom:
        raise InvalidField(
            f"is {image.width}x{image.height} pixels: nothing of it is in the rectangle"
        )
    return _encode(image.crop((left, top, right, bottom)), decoded, data)


def _shown(data: bytes, max_pixels: int) -> tuple[Decoded, Image.Image]:
    decoded = load(data, max_pixels=max_pixels)
    image = decoded.image
    if is_deep(image) and decoded.format is not PNG:
        image = eight_bit(image)
    return decoded, turn(image, decoded.orientation)


def _blendable(image: Image.Image) -> str:
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode == "1" else "RGB"


def _encode(image: Image.Image, decoded: Decoded, data: bytes) -> Encoded:
    name = decoded.format.name
    writable = _WRITABLE.get(name)
    if writable and image.mode not in writable:
        image = image.convert(_blendable(image) if name != "JPEG" else "RGB")
    options: dict[str, Any] = {}
    profile = decoded.image.info.get("icc_profile")
    if profile and image.mode in ("RGB", "RGBA", decoded.image.mode):
        options["icc_profile"] = profile
    if name == "JPEG":
        options |= {"quality": 90}
    elif name == "WebP":
        options |= {"lossless": _LOSSLESS_WEBP in data, "quality": 90, "exact": True}
    elif name == "TIFF":
        options |= {"compression": "tiff_lzw"}
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    file = io.BytesIO()
    image.save(file, name, **options)
    return Encoded(file.getvalue(), decoded.format, image.width, image.height)
