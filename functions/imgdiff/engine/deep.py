"""Images of more than 8 bits a sample, in full depth.

Pillow has 16 bits for grey alone; of colours and alpha it makes the high bytes. The low bytes come
from decoding again, as if they were the high ones: in the other byte order.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from imgdiff.engine.decode import (
    Opened,
    damage,
    depth,
    in_other_order,
    is_deep,
    is_planar,
    orientation,
    packing,
    unpacked,
)
from imgdiff.engine.frame import Deep, DeepFrame, Samples
from imgdiff.engine.strips import strips

_MOST = 65535


def deep_frame(opened: Opened) -> DeepFrame | None:
    """Decode the first frame in full depth, scaled to 0 to 65,535.

    Parameters
    ----------
    opened : Opened
        An image that is stored deep.

    Returns
    -------
    DeepFrame or None
        None where Pillow gives the high bytes alone: of CMYK, and of a compressed TIFF that has
        its channels one after the other.

    Raises
    ------
    UnsupportedImage
        The image is damaged or cut short.
    """
    name = packing(opened.file)
    with damage():
        if is_deep(opened.file):
            return _grey(opened)
        if name == "LA;16B":
            return _grey_and_alpha(opened)
        in_one_plane = not is_planar(opened.file) or opened.file.tile[0].codec_name == "raw"
        if opened.file.mode in ("RGB", "RGBA") and in_one_plane:
            return _colours(opened, premultiplied=name.startswith("RGBa"))
    return None


def _grey(opened: Opened) -> DeepFrame:
    file = opened.file
    file.load()
    bits, white_is_zero = depth(file)
    most = (1 << bits) - 1
    key = file.info.get("transparency")
    samples = _blank(file)
    for rows, stored in _rows(file, samples):
        grey = stored if bits == 16 else (stored.astype(np.uint32) * _MOST + most // 2) // most
        rows[..., :3] = (_MOST - grey if white_is_zero else grey)[..., np.newaxis]
        rows[..., 3] = _MOST if key is None else _alpha(stored != key)
    return DeepFrame(samples, orientation(file))


def _grey_and_alpha(opened: Opened) -> DeepFrame:
    # Two samples of 16 bits are as long as four of 8.
    file = unpacked(opened.data, lambda _: "RGBA")
    samples = _blank(file)
    for rows, stored in _rows(file, samples):
        grey_and_alpha = stored.view(">u2")
        rows[..., :3] = grey_and_alpha[..., :1]
        rows[..., 3] = grey_and_alpha[..., 1]
    return DeepFrame(samples, orientation(file))


def _colours(opened: Opened, *, premultiplied: bool) -> DeepFrame:
    # Not before it is divided in full depth.
    file = unpacked(opened.data, _as_stored)
    key = file.info.get("transparency")
    samples = _blank(file)
    for rows, stored in _rows(file, samples):
        rows[..., : stored.shape[2]] = stored.astype(np.uint16) << 8
    # Nothing of the first is kept while there is the second.
    del file, stored
    file = unpacked(opened.data, lambda name: in_other_order(_as_stored(name)))
    for rows, stored in _rows(file, samples):
        rows[..., : stored.shape[2]] |= stored
        if premultiplied:
            rows[..., :3] = _divided(rows)
        elif stored.shape[2] == 3:
            rows[..., 3] = _MOST if key is None else _alpha((rows[..., :3] != key).any(axis=2))
    return DeepFrame(samples, orientation(file))


def _as_stored(name: str) -> str:
    return name.replace("RGBa", "RGBA")


def _blank(image: Image.Image) -> Deep:
    return np.zeros((image.height, image.width, 4), np.uint16)


def _rows(image: Image.Image, samples: Deep) -> Iterator[tuple[Deep, Samples]]:
    """Strips of what is to be filled, and of the image."""
    for top, bottom in strips(*image.size):
        yield samples[top:bottom], np.asarray(image.crop((0, top, image.width, bottom)))


def _alpha(opaque: Samples) -> Deep:
    return opaque.astype(np.uint16) * _MOST


def _divided(rows: Deep) -> Deep:
    """Premultiplied samples by their alpha, rounded; what is invisible is black."""
    wide = rows.astype(np.uint64)
    alpha = np.maximum(wide[..., 3:], 1)
    colours: Deep = np.minimum((2 * wide[..., :3] * _MOST + alpha) // (2 * alpha), _MOST)
    return colours
