"""Opening an encoded image as a frame: with a fast decoder where there is one, else with Pillow.

The fast decoders take what most people send: plain PNG, JPEG and WebP. They give the pixels that
Pillow gives, being the same libraries wherever a format leaves room; what they don't take, or
doubt, is left to Pillow, as is every header.
"""

from collections.abc import Callable

from imagecodecs import Jpeg8Error, WebpError, jpeg8_decode, webp_decode

from imgdiff.engine.decode import (
    Opened,
    damage,
    eight_bit,
    is_deep,
    open_image,
    stored_bits,
)
from imgdiff.engine.frame import ArrayFrame, Frame, PillowFrame
from imgdiff.engine.profiles import Conversion, heed
from imgdiff.engine.scanlines import Irregular, Scanlines

_CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
_ANIMATED = 0x02
_BITS = 8


def decode(data: bytes, *, max_pixels: int, managed: bool = True) -> Frame:
    """Open the first frame of an image the fastest way there is.

    Parameters and errors as `imgdiff.engine.decode.open_image` and its `Opened.load`, and:

    Parameters
    ----------
    managed : bool
        Whether to heed its colour profile, and to keep 16 bits a sample; else samples are taken
        as sRGB, deep ones by their high bytes.

    Raises
    ------
    Irregular
        Only while the frame is read: `decode_patiently` has to judge the image.
    """
    opened = open_image(data, max_pixels=max_pixels)
    return _managed(opened, _quickly) if managed else _quickly(opened)


def decode_patiently(data: bytes, *, max_pixels: int, managed: bool = True) -> Frame:
    """Open the first frame of an image, whatever it takes; otherwise as `decode`."""
    opened = open_image(data, max_pixels=max_pixels)
    return _managed(opened, _with_pillow) if managed else _with_pillow(opened)


def _managed(opened: Opened, otherwise: Callable[[Opened], Frame]) -> Frame:
    """The frame in sRGB and full depth; a plain 8-bit one comes from ``otherwise``."""
    heeded = heed(opened.file)
    bits = stored_bits(opened.file)
    said = heeded.said
    frame: Frame | None = None
    if heeded.conversion is None and bits <= _BITS:
        frame = otherwise(opened)
    elif heeded.conversion is None:
        from imgdiff.engine.deep import deep_frame

        frame = deep_frame(opened)
    if frame is None:
        # LittleCMS gets 8 bits of Pillow.
        frame = _with_pillow(opened, heeded.conversion)
        if bits > _BITS:
            said += (f"{bits} to {_BITS} bit",)
    frame.conversions = said
    return frame


def _quickly(opened: Opened) -> Frame:
    return _natively(opened) or _with_pillow(opened)


def _with_pillow(opened: Opened, conversion: Conversion | None = None) -> Frame:
    decoded = opened.load()
    with damage():
        image = eight_bit(decoded.image) if is_deep(decoded.image) else decoded.image
        frame = PillowFrame(image, decoded.orientation, conversion)
        # A palette or colour key that doesn't fit shows when samples are first brought to RGB.
        next(frame.strips())
        return frame


def _natively(opened: Opened) -> Frame | None:
    """The frame from a fast decoder, None where Pillow has to decode it."""
    data, mode = opened.data, opened.file.mode
    try:
        match opened.format.name:
            case "PNG":
                return _scanlines(opened)
            case "JPEG" if mode in _CHANNELS and opened.ended:
                return ArrayFrame(jpeg8_decode(data), opened.orientation)
            case "WebP" if not _is_animated(data):
                return ArrayFrame(webp_decode(data, hasalpha=mode == "RGBA"), opened.orientation)
    except (Irregular, Jpeg8Error, WebpError):
        pass
    return None


def _scanlines(opened: Opened) -> Frame | None:
    file = opened.file
    # Pillow's name for how the samples lie in the file tells their depth: "L;4" is not 8-bit grey.
    channels = _CHANNELS.get(str(file.tile[0].args)) if file.tile else None
    if channels is None or opened.orientation != 1:
        return None
    if {"transparency", "interlace"} & file.info.keys() or getattr(file, "is_animated", False):
        return None
    return Scanlines(opened.data, *file.size, channels)


def _is_animated(webp: bytes) -> bool:
    return webp[12:16] == b"VP8X" and bool(webp[20] & _ANIMATED)
