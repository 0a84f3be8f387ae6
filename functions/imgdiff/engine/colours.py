"""What shows of RGBA pixels: their colours on white, their brightness, and these looked up."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

type Samples = NDArray[np.uint8]

_OPAQUE = 255


def on_white(rgba: Samples) -> Samples:
    """Lay pixels on white: ``round((a*c + (255 - a)*255) / 255)``, halves rounded up.

    Parameters
    ----------
    rgba : ndarray of uint8, shape (rows, width, 4)
        Not premultiplied.

    Returns
    -------
    ndarray of uint8, shape (rows, width, 3)
        R, G and B, writable.
    """
    if rgba[..., 3].min() == _OPAQUE:
        return rgba[..., :3].copy()
    # White less what the colour takes away, which fits 16 bits.
    taken = (_OPAQUE - rgba[..., :3]).astype(np.uint16)
    taken *= rgba[..., 3:]
    taken += 127
    taken //= _OPAQUE
    return _OPAQUE - taken.astype(np.uint8)


def luma(rgba: Samples) -> Samples:
    """Rec. 601 luma of pixels on white, as Pillow's mode L has it; shape (rows, width)."""
    opaque = rgba[..., 3].min() == _OPAQUE
    image = Image.fromarray(rgba if opaque else on_white(rgba))
    return np.asarray(image.convert("L"))


def looked_up(table: bytes, values: Samples) -> Samples:
    """What a table of 256 bytes has for each value."""
    # Ten times as fast as numpy's own indexing, which makes 64-bit indices first.
    return np.frombuffer(values.tobytes().translate(table), np.uint8).reshape(values.shape)
