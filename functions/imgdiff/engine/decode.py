"""Decoding: encoded bytes to a `Frame`, with the limits checked before any pixel is decoded."""

import io
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile

from imgdiff.engine.frame import Frame
from imgdiff.engine.strips import strips
from imgdiff.errors import TooLarge, UnsupportedImage

FORMATS = ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF")

_PILLOW_FORMATS = tuple(name.upper() for name in FORMATS)
# A JPEG from a phone may hold further pictures: Pillow then calls it MPO, and shows the first.
_ACCEPTED = {*_PILLOW_FORMATS, "MPO"}
# Signed, 32-bit and floating-point samples have no agreed black and white.
_UNREADABLE_MODES = ("I", "F")
_WHITE_IS_ZERO = 0
_PHOTOMETRIC_INTERPRETATION = 262
_BITS_PER_SAMPLE = 258
_SAMPLE_FORMAT = 339
_UNSIGNED = 1
# A progressive JPEG has about ten. Each costs a pass over the whole image.
_MAX_SCANS = 100
_START_OF_SCAN = b"\xff\xda"

# The limit is checked here, for every image and at the caller's own figure.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, *, max_pixels: int) -> Frame:
    """Decode the first frame of an image.

    Parameters
    ----------
    data : bytes
        The encoded image, of one of `FORMATS`; its type is told by the content alone.
    max_pixels : int
        The most pixels (width times height) that are decoded.

    Raises
    ------
    UnsupportedImage
        ``data`` is no image of these formats, is damaged or cut short, or has samples that no
        viewer shows.
    TooLarge
        The image has more than ``max_pixels`` pixels.
    """
    image: Image.Image
    image = stored = _open(data)
    width, height = image.size
    if width * height > max_pixels:
        raise TooLarge(f"is {width}x{height} pixels, over the limit of {max_pixels} pixels")
    if stored.format in ("JPEG", "MPO") and data.count(_START_OF_SCAN) > _MAX_SCANS:
        raise TooLarge(f"has more than {_MAX_SCANS} scans")
    try:
        packing = stored.tile[0].args if stored.format == "PNG" else None
        stored.load()
        orientation = _orientation(stored)
        if stored.mode.startswith("I;16"):
            image = _eight_bit(stored)
        elif "transparency" in stored.info:
            image = _with_colour_key(stored, packing, data)
        return Frame(image, orientation)
    # Pillow's decoders raise whatever their format's parsing happens to raise.
    except Exception as error:
        raise UnsupportedImage("is damaged or cut short") from error


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        image = Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
    except Exception as error:
        raise UnsupportedImage(f"is not an image ({', '.join(FORMATS)})") from error
    if image.format not in _ACCEPTED or 0 in image.size:
        raise UnsupportedImage(f"is not an image ({', '.join(FORMATS)})")
    tags: Any = getattr(image, "tag_v2", {})
    signed = any(sample != _UNSIGNED for sample in tags.get(_SAMPLE_FORMAT, ()))
    if signed or image.mode in _UNREADABLE_MODES:
        raise UnsupportedImage("has signed, 32-bit or floating-point samples")
    return image


def _orientation(image: Image.Image) -> int:
    # Pillow turns a TIFF itself. Of what else may hold EXIF, viewers heed the format's own place.
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return 1 if image.format == "TIFF" else int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - EXIF that can't be parsed, however it fails, says nothing
        return 1


def _eight_bit(image: Image.Image) -> Image.Image:
    """The high byte of deep grey samples, and the transparency that their colour key means."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    white_is_zero = tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO
    key = image.info.get("transparency")
    grey = Image.new("L" if key is None else "LA", image.size)
    for top, bottom in strips(*image.size):
        samples = np.asarray(image.crop((0, top, image.width, bottom))).astype(np.uint16)
        high = (samples >> (bits - 8)).astype(np.uint8)
        strip = Image.fromarray(~high if white_is_zero else high)
        if key is not None:
            strip.putalpha(Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8)))
        grey.paste(strip, (0, top))
    return grey


def _with_colour_key(image: Image.Image, packing: object, data: bytes) -> Image.Image:
    """Bring a PNG's ``tRNS`` key, given at the file's bit depth, to the decoded samples.

    Pillow compares it with samples that it has already brought to 8 bit. ``packing`` is Pillow's
    name for how the file holds them.
    """
    key = image.info["transparency"]
    if packing in ("L;2", "L;4"):
        image.info["transparency"] = key * (85 if packing == "L;2" else 17)
    elif packing == "RGB;16B":
        low = _open(data)
        # The low byte of a big-endian sample is the high byte of a little-endian one.
        low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
        low.load()
        del image.info["transparency"]
        alpha = Image.new("L", image.size)
        for top, bottom in strips(*image.size):
            box = (0, top, image.width, bottom)
            samples = np.asarray(image.crop(box)).astype(np.uint16) << 8 | np.asarray(low.crop(box))
            opaque = (samples != key).any(axis=2)
            alpha.paste(Image.fromarray(opaque.astype(np.uint8) * 255), (0, top))
        image.putalpha(alpha)
    return image
