"""Decoding: encoded bytes to samples, with the limits checked before any pixel is decoded."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageFile

from imgdiff.engine.limits import check_header, check_structure
from imgdiff.engine.strips import strips
from imgdiff.errors import UnsupportedImage
from imgdiff.formats import FORMATS, GIF, JPEG, NAMES, PNG, Format

_BY_PILLOW_NAME = {known.name.upper(): known for known in FORMATS}
_PILLOW_NAMES = tuple(_BY_PILLOW_NAME)
# A JPEG from a phone may hold further pictures: Pillow then calls it MPO, and shows the first.
_BY_PILLOW_NAME["MPO"] = JPEG
# Signed, 32-bit and floating-point samples have no agreed black and white.
_UNREADABLE_MODES = ("I", "F")
_UNREADABLE = "has signed, 32-bit or floating-point samples"
_WHITE_IS_ZERO = 0
_PHOTOMETRIC_INTERPRETATION = 262
_BITS_PER_SAMPLE = 258
_PLANAR_CONFIGURATION = 284
_SEPARATE = 2
_SAMPLE_FORMAT = 339
_UNSIGNED = 1
_OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
# The limit is the caller's own figure.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded image as its file stores it.

    Attributes
    ----------
    image : PIL.Image.Image
        The first frame, in the file's own colours and depth.
    orientation : int
        How it is turned to be shown, as EXIF numbers it.
    format : Format
        What the file is.
    """

    image: Image.Image
    orientation: int
    format: Format


@dataclass(frozen=True, slots=True)
class Opened:
    """An image of which only the header is read, and held against the limits.

    Attributes
    ----------
    file : PIL.ImageFile.ImageFile
        The image, not loaded.
    format : Format
        What the file is.
    data : bytes
        The file.
    ended : bool
        Whether a mark says that the file is whole; libjpeg would make up the rest of a JPEG.
    """

    file: ImageFile.ImageFile
    format: Format
    data: bytes
    ended: bool

    @property
    def orientation(self) -> int:
        """How the image is turned to be shown, as EXIF numbers it."""
        return orientation(self.file)

    def load(self) -> Decoded:
        """Decode the first frame.

        Raises
        ------
        UnsupportedImage
            The image is damaged or cut short.
        """
        file = self.file
        with damage():
            tile = file.tile[0] if file.tile else None
            file.load()
            if file.mode == "P" and not file.palette:
                raise ValueError("no palette")
            image: Image.Image = file
            if tile and self.format is PNG and "transparency" in file.info:
                image = _with_colour_key(file, tile.args, self.data)
            elif tile and tile.extents and self.format is GIF:
                image = _on_canvas(file, tile.extents)
            if "icc_profile" in file.info:
                image.info["icc_profile"] = file.info["icc_profile"]
            # Behind the pixels there may be more metadata.
            return Decoded(image, self.orientation, self.format)


def open_image(data: bytes, *, max_pixels: int) -> Opened:
    """Read an image's header.

    Parameters
    ----------
    data : bytes
        The encoded image; its format is told by the content alone.
    max_pixels : int
        The most pixels (width times height) that may be decoded.

    Raises
    ------
    UnsupportedImage
        ``data`` is no image of the known formats, or stored in a way that hardly a viewer shows.
    TooLarge
        The image has more than ``max_pixels`` pixels, or is over another of the limits.
    """
    ended = check_structure(data, max_pixels)
    file = _open(data)
    check_header(file, max_pixels)
    return Opened(file, _BY_PILLOW_NAME[file.format or ""], data, ended)


@contextmanager
def damage() -> Iterator[None]:
    """Call whatever goes wrong inside a damaged image."""
    # Pillow's decoders raise whatever their format's parsing happens to raise.
    try:
        yield
    except Exception as error:
        raise UnsupportedImage("is damaged or cut short") from error


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        image = Image.open(io.BytesIO(data), formats=_PILLOW_NAMES)
    except Exception as error:
        raise UnsupportedImage(f"is not an image ({NAMES})") from error
    if image.format not in _BY_PILLOW_NAME or 0 in image.size:
        raise UnsupportedImage(f"is not an image ({NAMES})")
    if image.mode in _UNREADABLE_MODES:
        raise UnsupportedImage(_UNREADABLE)
    if image.format == "TIFF":
        _check_tags(image)
    return image


def _check_tags(image: ImageFile.ImageFile) -> None:
    """Hold a TIFF's tags against what Pillow takes them for."""
    tags: Any = getattr(image, "tag_v2", {})
    if any(sample != _UNSIGNED for sample in tags.get(_SAMPLE_FORMAT, ())):
        raise UnsupportedImage(_UNREADABLE)
    if not isinstance(image.info.get("icc_profile", b""), bytes):
        # It may be anything.
        image.info["icc_profile"] = b""
    if packing(image) == "R" and set(tags[_BITS_PER_SAMPLE]) == {16}:
        # Channels one after the other, which Pillow would read as if they had 8 bit.
        order = "B" if tags.prefix == b"MM" else "L"
        image.tile = [_repacked(tile, lambda band: f"{band};16{order}") for tile in image.tile]


def is_planar(image: Image.Image) -> bool:
    """Whether a file, a TIFF, has its channels one after the other."""
    tags: Any = getattr(image, "tag_v2", {})
    return bool(tags.get(_PLANAR_CONFIGURATION) == _SEPARATE)


def packing(image: ImageFile.ImageFile) -> str:
    """Pillow's name for how a file holds its samples; empty where it has none."""
    args = image.tile[0].args if image.tile else None
    name = args[0] if isinstance(args, tuple) and args else args
    return name if isinstance(name, str) else ""


def stored_bits(image: ImageFile.ImageFile) -> int:
    """How many bits a sample has in the file, where it is not loaded yet; 8 for less."""
    return depth(image)[0] if is_deep(image) or ";16" in packing(image) else 8


def unpacked(data: bytes, alter: Callable[[str], str]) -> ImageFile.ImageFile:
    """Decode a file whose samples lie otherwise than it says.

    Parameters
    ----------
    data : bytes
        The file.
    alter : callable
        Pillow's name for how it holds its samples to that by which to read them.
    """
    image = _open(data)
    image.tile = [_repacked(tile, alter) for tile in image.tile]
    image.load()
    return image


def _repacked(tile: ImageFile._Tile, alter: Callable[[str], str]) -> ImageFile._Tile:
    args = tile.args
    return tile._replace(
        args=(alter(args[0]), *args[1:]) if isinstance(args, tuple) else alter(str(args))
    )


def in_other_order(packing: str) -> str:
    """The packing of 16-bit samples with their bytes swapped."""
    return packing[:-1] + _OTHER_ORDER[packing[-1]]


def orientation(image: Image.Image) -> int:
    """How an image is turned to be shown, as EXIF numbers it."""
    # Pillow turns a TIFF itself. Of what else may hold EXIF, viewers heed the format's own place.
    stored = image.info.get("exif")
    if not stored or image.format == "TIFF":
        return 1
    exif = Image.Exif()
    try:
        exif.load(stored)
        return int(exif.get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 - EXIF that can't be parsed, however it fails, says nothing
        return 1


def _on_canvas(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    """A GIF's first frame where it lies on the canvas; the rest of that is transparent."""
    if box == (0, 0, *image.size):
        return image
    canvas = Image.new("RGBA", image.size)
    canvas.paste(image.crop(box).convert("RGBA"), box)
    return canvas


def is_deep(image: Image.Image) -> bool:
    """Whether the samples have more than 8 bit; only grey ones can, Pillow reduces others."""
    return image.mode.startswith("I;16")


def depth(image: Image.Image) -> tuple[int, bool]:
    """Of deep grey samples: how many bits they have, and whether 0 is white."""
    tags: Any = getattr(image, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    return bits, tags.get(_PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO


def eight_bit(image: Image.Image) -> Image.Image:
    """The high byte of deep grey samples, and the transparency that their colour key means."""
    bits, white_is_zero = depth(image)
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
    elif packing == "I;16B":
        return eight_bit(image)
    elif packing == "RGB;16B":
        # The low byte of a big-endian sample is the high byte of a little-endian one.
        low = unpacked(data, in_other_order)
        del image.info["transparency"]
        alpha = Image.new("L", image.size)
        for top, bottom in strips(*image.size):
            box = (0, top, image.width, bottom)
            samples = np.asarray(image.crop(box)).astype(np.uint16) << 8 | np.asarray(low.crop(box))
            opaque = (samples != key).any(axis=2)
            alpha.paste(Image.fromarray(opaque.astype(np.uint8) * 255), (0, top))
        image.putalpha(alpha)
    return image
