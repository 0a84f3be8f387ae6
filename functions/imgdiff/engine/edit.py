"""Resizing and cropping: encoded image in, encoded image of the same format out.

An image is edited as a viewer shows it: the first frame, turned as EXIF says. Colours, alpha and
colour profile stay; no other metadata does. The work is Pillow's.
"""

import io
import struct
from dataclasses import dataclass
from typing import Any

from PIL import Image

from imgdiff.engine.decode import Decoded, eight_bit, is_deep, open_image
from imgdiff.engine.frame import shown_size, turn
from imgdiff.errors import InvalidField, TooLarge
from imgdiff.formats import PNG, Format

# What Pillow's writers of these formats can hold; all else is brought to the last of them.
_WRITABLE = {
    "JPEG": ("L", "CMYK", "RGB"),
    "WebP": ("RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "AVIF": ("L", "RGB", "RGBA"),
}
_LOSSLESS_WEBP = b"VP8L"
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_BITFIELDS = 3
# What the formats can hold, and a filter's weights for what is longer fill the memory.
_LONGEST_SIDE = {"JPEG": 65_500, "WebP": 16_383}
_ANY_LONGEST_SIDE = 65_535


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
        As `imgdiff.engine.decode.open_image` and `imgdiff.engine.decode.Opened.load`.
    """
    decoded = open_image(data, max_pixels=max_pixels).load()
    return Encoded(data, decoded.format, *shown_size(decoded.image, decoded.orientation))


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
        raise TooLarge(f"would be {width}x{height} pixels, over the limit of {max_pixels} pixels")
    decoded, image = _shown(data, max_pixels)
    longest = _LONGEST_SIDE.get(decoded.format.name, _ANY_LONGEST_SIDE)
    if max(width, height, *image.size) > longest:
        raise TooLarge(
            f"is {image.width}x{image.height} and would be {width}x{height} pixels, over the "
            f"limit of {longest} pixels a side for {decoded.format.name}"
        )
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
    decoded = open_image(data, max_pixels=max_pixels).load()
    image = decoded.image
    if is_deep(image) and decoded.format is not PNG:
        image = eight_bit(image)
    if image.mode in _PREMULTIPLIED:
        image = image.convert(_PREMULTIPLIED[image.mode])
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
    if name == "GIF" and image.mode == "RGBA":
        image, options["transparency"] = _with_transparent_index(image)
    profile = decoded.image.info.get("icc_profile")
    if profile and (image.mode == decoded.image.mode or _describes(profile, image)):
        options["icc_profile"] = profile
    if name == "JPEG":
        options |= {"quality": 90}
    elif name == "WebP":
        lossless = _LOSSLESS_WEBP in data
        # Where nothing is lost, quality is the effort: more of it takes three times as long.
        options |= {"lossless": lossless, "quality": 20 if lossless else 90, "exact": True}
    elif name == "TIFF":
        options |= {"compression": "tiff_lzw"}
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    file = io.BytesIO()
    image.save(file, name, **options)
    content = file.getvalue()
    if name == "BMP" and image.mode == "RGBA":
        content = _with_alpha_mask(content)
    return Encoded(content, decoded.format, image.width, image.height)


def _with_transparent_index(image: Image.Image) -> tuple[Image.Image, int]:
    # Pillow's own way from alpha to a palette rounds colours that the palette has room for.
    index = 255
    hidden = image.getchannel("A").point([255] * 128 + [0] * 128)
    image = image.convert("RGB").quantize(index)
    image.paste(index, mask=hidden)
    return image, index


def _describes(profile: bytes, image: Image.Image) -> bool:
    return profile[16:20] == b"RGB " and image.mode in ("RGB", "RGBA")


def _with_alpha_mask(bmp: bytes) -> bytes:
    """Say of a 32-bit BMP's fourth byte that it is alpha, which Pillow's header leaves open."""
    masks = struct.pack("<4I4s48x", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs")
    header = bytearray(bmp[:54])
    struct.pack_into("<I4xII", header, 2, len(bmp) + len(masks), len(header) + len(masks), 108)
    struct.pack_into("<I", header, 30, _BITFIELDS)
    return bytes(header) + masks + bmp[54:]
