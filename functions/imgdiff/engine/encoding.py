"""Encoding of whole images, by Pillow."""

import io
from contextlib import suppress
from typing import Any

from PIL import Image

from imgdiff.formats import GIF, JPEG, Format

# Without loss, quality is effort: with more of either a page gets hardly smaller, with less a
# picture of few changes gets up to ninety times as large.
_LOSSLESS_WEBP = {"lossless": True, "quality": 0, "method": 1}
# More effort takes twice as long, for files that are less than a tenth smaller.
_LOSSY_WEBP = {"quality": 90, "method": 0}
# In full resolution, so that the edges of coloured marks stay.
_JPEG = {"quality": 90, "subsampling": "4:4:4"}


def encode(image: Image.Image, encoding: Format, *, lossless: bool, **animation: Any) -> bytes:
    """Encode an image.

    Parameters
    ----------
    image : PIL.Image.Image
        Of mode RGB, or P for a GIF.
    encoding : Format
        WebP, JPEG or GIF.
    lossless : bool
        Whether a WebP's pixels stay as they are.
    animation
        Options of Pillow's that make an animation of it.
    """
    if encoding is GIF:
        return _saved(image, encoding, animation)
    if encoding is JPEG:
        return _saved(image, encoding, _JPEG)
    if lossless:
        return _saved(image, encoding, _LOSSLESS_WEBP | animation)
    # Of some 20 megapixels on, what tells a lossy WebP's blocks can outgrow its place.
    with suppress(ValueError, RuntimeError):
        return _saved(image, encoding, _LOSSY_WEBP | animation)
    # To fit it in would take libwebp several times as long as to lose nothing does.
    return _saved(image, encoding, _LOSSLESS_WEBP | {"method": 0} | animation)


def _saved(image: Image.Image, encoding: Format, options: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    image.save(file, encoding.name, **options)
    return file.getvalue()
