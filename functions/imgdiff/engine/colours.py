"""Colours of pixels, as pictures are made of them.

They are kept as R, G, B and a fourth sample of no meaning, shape (rows, width, 4): so a pixel is
one number of 32 bits, which is chosen and copied in a fraction of the time of three samples.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

type Samples = NDArray[np.uint8]


def distance(mine: Samples, theirs: Samples) -> Samples:
    """Absolute difference, sample by sample."""
    return np.maximum(mine, theirs) - np.minimum(mine, theirs)


def where(flags: NDArray[np.bool_ | np.uint8], yes: Samples, no: Samples) -> Samples:
    """Of each pixel the colour that its flag, shape (rows, width), chooses."""
    chosen = np.where(flags, as_numbers(yes), as_numbers(no))
    return chosen[..., np.newaxis].view(np.uint8)


def as_numbers(colours: Samples) -> NDArray[np.uint32]:
    """A view of each pixel as one number, shape (rows, width)."""
    return colours.view(np.uint32)[..., 0]


def as_image(colours: Samples) -> Image.Image:
    """The colours as an image of mode RGB, which shares their memory."""
    rows, width, _ = colours.shape
    return Image.frombuffer("RGB", (width, rows), colours, "raw", "RGBX", 0, 1)


def looked_up(table: bytes, values: Samples) -> Samples:
    """What a table of 256 bytes has for each value."""
    # numpy's own indexing makes 64-bit indices first, which takes several times as long.
    return np.frombuffer(values.tobytes().translate(table), np.uint8).reshape(values.shape)
