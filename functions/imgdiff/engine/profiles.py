"""Colours as an image's ICC profile means them, brought to sRGB as browsers do.

LittleCMS converts them (Pillow's ``ImageCms``): relative to white, with black point compensation.
A profile is not to be trusted. `imgdiff.engine.limits` keeps it to the size of the largest that
print shops use, and of what LittleCMS would do with one, that is left out here which could take
long.

Format: Specification ICC.1:2022.
"""

import io
import struct
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFile

if TYPE_CHECKING:
    from PIL.ImageCms import ImageCmsProfile, ImageCmsTransform

# The data colour spaces of which images are read, and Pillow's modes for them.
_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
# Display, input and output devices, and colour spaces such as sRGB itself.
_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
_HEADER = struct.Struct(">12x4s4s16x4s88x")
_SIGNATURE = b"acsp"
_TAG_COUNT = struct.Struct(">I")
_TAG_LENGTH = 12
_FLOAT_TAGS = (b"D2B", b"B2D")
# LittleCMS refuses more.
_MOST_TAGS = 100
_LONGEST_NAME = 80
# Steps of 8 bit: what rounding alone makes of a profile that is sRGB by other numbers.
_TOLERANCE = 1

IGNORED = "a profile that can't be used was ignored"


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the colours of a profile to sRGB.

    Attributes
    ----------
    transform : PIL.ImageCms.ImageCmsTransform
        From ``L``, ``RGB`` or ``CMYK`` to ``RGB``.
    """

    transform: "ImageCmsTransform"

    def apply(self, image: Image.Image, mode: str) -> Image.Image:
        """Convert an image.

        Parameters
        ----------
        image : PIL.Image.Image
            Of the profile's colour space, in any mode that Pillow has for it at 8 bit.
        mode : {"RGB", "RGBA"}
            Of the result; alpha stays as it is.
        """
        shown = image if image.mode == "CMYK" else image.convert(mode)
        converted = self.transform.apply(shown.convert(self.transform.input_mode))
        if mode == "RGBA":
            converted.putalpha(shown.getchannel("A"))
        return converted


@dataclass(frozen=True, slots=True)
class Heeded:
    """What a profile comes to.

    Attributes
    ----------
    conversion : Conversion or None
        None where the samples are taken as sRGB.
    said : tuple of str
        What people are told of it.
    """

    conversion: Conversion | None = None
    said: tuple[str, ...] = ()


_UNTAGGED = Heeded()


def heed(file: ImageFile.ImageFile) -> Heeded:
    """Tell what an image's profile, if it has one, means for its samples.

    Parameters
    ----------
    file : PIL.ImageFile.ImageFile
        The image, loaded or not.
    """
    if "icc_profile" not in file.info:
        return _UNTAGGED
    # Pillow has None for one that it could not put together.
    return _heed(file.info["icc_profile"] or b"", _space(file))


def _space(file: ImageFile.ImageFile) -> bytes:
    if file.mode == "CMYK":
        return b"CMYK"
    # Grey with alpha at 16 bit has no mode of its own.
    deep_grey = bool(file.tile) and file.tile[0].args == "LA;16B"
    grey = deep_grey or file.mode in ("1", "L", "LA", "La") or file.mode.startswith("I;16")
    return b"GRAY" if grey else b"RGB "


# Of the images that a process meets, most have one of few profiles.
@lru_cache(maxsize=4)
def _heed(profile: bytes, space: bytes) -> Heeded:
    # What LittleCMS refuses, Pillow raises as it happens to; so do names that are no text.
    try:
        kind, of, signature = _HEADER.unpack_from(profile)
        if signature != _SIGNATURE or kind not in _CLASSES or of != space:
            return Heeded(said=(IGNORED,))
        from PIL.ImageCms import ImageCmsProfile

        opened = ImageCmsProfile(io.BytesIO(_without_float_tags(profile)))
        conversion = Conversion(_transform(opened, _MODES[space]))
        if space != b"CMYK" and _is_srgb(conversion):
            return _UNTAGGED
        return Heeded(conversion, (_phrase(space, opened.profile.profile_description),))
    except Exception:  # noqa: BLE001
        return Heeded(said=(IGNORED,))


def _without_float_tags(profile: bytes) -> bytes:
    """The profile without ``D2B0`` and its like, which browsers don't heed either.

    They hold chains of steps, as many as the profile has room for, each to be taken for every
    colour of a table: minutes of work.
    """
    kept = bytearray(profile)
    (tags,) = _TAG_COUNT.unpack_from(profile, _HEADER.size)
    first = _HEADER.size + _TAG_COUNT.size
    for place in range(first, first + min(tags, _MOST_TAGS) * _TAG_LENGTH, _TAG_LENGTH):
        if kept[place : place + 3] in _FLOAT_TAGS:
            kept[place] = 0
    return bytes(kept)


def _transform(profile: "ImageCmsProfile", mode: str) -> "ImageCmsTransform":
    from PIL.ImageCms import Flags, Intent, buildTransform

    return buildTransform(
        profile,
        _srgb(),
        mode,
        "RGB",
        renderingIntent=Intent.RELATIVE_COLORIMETRIC,
        flags=Flags.BLACKPOINTCOMPENSATION,
    )


@cache
def _srgb() -> "ImageCmsProfile":
    from PIL.ImageCms import ImageCmsProfile, createProfile

    return ImageCmsProfile(createProfile("sRGB"))


def _is_srgb(conversion: Conversion) -> bool:
    """Whether it moves no colour of a cube, nor any grey, by more than is told apart."""
    greys = np.repeat(np.arange(256, dtype=np.uint8), 3).reshape(1, 256, 3)
    levels = np.arange(0, 256, 17, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    grey = conversion.transform.input_mode == "L"
    colours = greys if grey else np.concatenate((greys, cube), axis=1)
    moved = np.asarray(conversion.apply(Image.fromarray(colours), "RGB")).astype(np.int16)
    return bool((np.abs(moved - colours) <= _TOLERANCE).all())


def _phrase(space: bytes, description: str | None) -> str:
    printable = "".join(letter for letter in description or "" if letter.isprintable())
    name = printable.strip()[:_LONGEST_NAME].rstrip()
    match space:
        case b"RGB ":
            return f"{name or 'RGB'} to sRGB"
        case b"GRAY":
            return f"grey ({name}) to sRGB" if name else "grey to sRGB"
        case _:
            return f"CMYK ({name}) to sRGB" if name else "CMYK to sRGB"
