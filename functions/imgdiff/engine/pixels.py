"""Frames as strips of RGBA, cut, padded or scaled to the size in which they are compared."""

from collections.abc import Iterator
from ctypes import c_int, c_size_t, c_uint32, c_void_p
from ctypes import create_string_buffer as zeros
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine.frame import DeepFrame, Frame
from imgdiff.engine.library import library
from imgdiff.engine.scanlines import Irregular
from imgdiff.engine.strips import strips

library.size_of_reader.argtypes = (c_uint32,)
library.size_of_reader.restype = c_size_t
library.begin_reading.argtypes = (c_void_p, *[c_uint32] * 3)
library.begin_reading.restype = None
library.read_rows.argtypes = (c_void_p, c_void_p, c_uint32, c_void_p)
library.read_rows.restype = c_int

type Pixels = NDArray[np.unsignedinteger[Any]]


def pixels(frame: Frame) -> Iterator[Pixels]:
    """Yield a frame's rows as RGBA, not premultiplied, in strips of its own width.

    Returns
    -------
    iterator of ndarray of uint8 or uint16, shape (rows, width, 4)
        As deep as the frame.

    Raises
    ------
    Irregular
        The frame is damaged.
    """
    if isinstance(frame, DeepFrame):
        yield from frame.deep_strips()
        return
    reader = zeros(library.size_of_reader(frame.width))
    library.begin_reading(reader, frame.width, frame.channels, frame.filtered)
    for strip in frame.strips():
        rows = len(strip)
        if not strip.flags.c_contiguous or strip.nbytes != rows * frame.row_bytes:
            raise ValueError(f"{strip.shape} are not {rows} packed rows of {frame.row_bytes} bytes")
        rgba = np.empty((rows, frame.width, 4), np.uint8)
        if not library.read_rows(reader, strip.ctypes.data, rows, rgba.ctypes.data):
            raise Irregular
        yield rgba


def extended(rows: Iterator[Pixels], width: int, height: int) -> Iterator[Pixels]:
    """Cut rows, or pad them with what is transparent, at the right and the bottom.

    Parameters
    ----------
    rows : iterator of ndarray, shape (rows, any width, 4)
        Read to the end, whatever is needed of it.
    width, height : int
        The size to come to.

    Yields
    ------
    ndarray, shape (rows, width, 4)
        Strips of an image of this size.
    """
    pieces = _in_width(rows, width)
    held = next(pieces)
    for top, bottom in strips(width, height):
        while len(held) < bottom - top:
            below = next(pieces, None)
            if below is None:
                below = np.zeros((bottom - top - len(held), width, 4), held.dtype)
            held = np.concatenate((held, below))
        yield held[: bottom - top]
        held = held[bottom - top :]
    for _ in pieces:
        pass


def scaled(rows: Iterator[Pixels], width: int, height: int) -> Iterator[Pixels]:
    """Scale rows to a size, with the Lanczos filter; 16-bit samples by their high bytes.

    Yields
    ------
    ndarray of uint8, shape (rows, width, 4)
        Strips of an image of this size.
    """
    whole = np.concatenate([eight_bit(strip) for strip in rows])
    image = Image.fromarray(whole)
    if (whole[..., 3] == 255).all():
        # Without alpha it is done in half the time.
        image = image.convert("RGB")
    del whole
    image = image.resize((width, height), Image.Resampling.LANCZOS).convert("RGBA")
    for top, bottom in strips(width, height):
        yield np.asarray(image.crop((0, top, width, bottom)))


def eight_bit(samples: Pixels) -> NDArray[np.uint8]:
    """The samples, or their high bytes where they are of 16 bit."""
    deep = samples.dtype == np.uint16
    return (samples >> np.uint16(8) if deep else samples).astype(np.uint8, copy=False)


def _in_width(rows: Iterator[Pixels], width: int) -> Iterator[Pixels]:
    for strip in rows:
        missing = width - strip.shape[1]
        if missing > 0:
            yield np.pad(strip, ((0, 0), (0, missing), (0, 0)))
        else:
            yield np.ascontiguousarray(strip[:, :width])
