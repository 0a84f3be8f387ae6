"""What is transparent, laid on white, and how light it is there."""

from ctypes import c_size_t, c_void_p

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.library import library

library.on_white.argtypes = library.luma.argtypes = (c_void_p, c_size_t, c_void_p)
library.on_white.restype = library.luma.restype = None

_OPAQUE = 255


def on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay pixels on white: ``(α·c + (255 - α)·255) / 255``, rounded to the nearest.

    Parameters
    ----------
    rgba : ndarray of uint8, shape (rows, width, 4)
        Not premultiplied.

    Returns
    -------
    ndarray of uint8, shape (rows, width, 4)
        R, G and B as seen on white, and alpha as it was; the same array where all are opaque.
    """
    if rgba[..., 3].min() == _OPAQUE:
        return rgba
    rgba = np.ascontiguousarray(rgba, np.uint8)
    white = np.empty_like(rgba)
    library.on_white(rgba.ctypes.data, rgba.size // 4, white.ctypes.data)
    return white


def luma(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma of Rec. 601, rounded as Pillow's mode L is.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (rows, width, 4)
        R, G, B and anything.

    Returns
    -------
    ndarray of uint8, shape (rows, width)
    """
    rgb = np.ascontiguousarray(rgb, np.uint8)
    plane = np.empty(rgb.shape[:2], np.uint8)
    library.luma(rgb.ctypes.data, plane.size, plane.ctypes.data)
    return plane
