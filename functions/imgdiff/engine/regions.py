"""The regions in which two images differ: where, how much, and what has become of them."""

from ctypes import Structure, c_size_t, c_uint32, c_uint64, c_void_p
from ctypes import create_string_buffer as zeros
from typing import Any

import numpy as np

from imgdiff.engine.library import library
from imgdiff.engine.strips import Strip, Window

library.size_of_regions.argtypes = (c_uint32,)
library.size_of_regions.restype = c_size_t
library.begin_regions.argtypes = (c_void_p, c_uint32)
library.begin_regions.restype = None
library.add_regions.argtypes = (*[c_void_p] * 4, *[c_uint32] * 4)
library.add_regions.restype = None
library.end_regions.argtypes = (c_void_p,)
library.end_regions.restype = None

# What changed pixels are grown by, as regions.c has it.
_MARGIN = 4
_MOST = 100
# One image is flat beside the other where its samples deviate so much less.
_FLAT = 1 / 8
# So much of the error must be one linear change of each channel for it to be a change of colour.
_EXPLAINED = 0.9


class _Region(Structure):
    pixels: int
    x: int
    y: int
    squares: int
    area: int
    source: list[int]
    target: list[int]
    source_squares: list[int]
    target_squares: list[int]
    products: list[int]
    left: int
    top: int
    right: int
    bottom: int
    transparent: int
    _fields_ = (
        *((name, c_uint64) for name in ("pixels", "x", "y", "squares", "area")),
        *(
            (name, c_uint64 * 3)
            for name in ("source", "target", "source_squares", "target_squares", "products")
        ),
        *((name, c_uint32) for name in ("left", "top", "right", "bottom", "transparent")),
        *((name, c_uint32) for name in ("row", "next")),
    )


class _Regions(Structure):
    found: int
    kept: int
    largest: "list[_Region]"
    _fields_ = (("found", c_uint64), ("kept", c_uint32), ("largest", _Region * _MOST))


class Regions:
    """Finds the regions in which two images differ.

    Changed pixels that are grown by 4 pixels in every direction, and then touch, diagonally too,
    are one region; one of less than 16 changed pixels is noise. Each has

    - ``bbox``: ``[left, top, right, bottom]``, half-open, around its changed pixels;
    - ``pixels``: how many have changed; ``mse``: their mean square error on the 0..255 scale;
    - ``centroid``: ``[x, y]``, the mean of their places;
    - ``kind``: ``added`` or ``removed`` where the source or the target is flat there beside the
      other, the standard deviation of its samples an eighth of the other's at most; else
      ``recolored`` where one linear change of each channel, fitted by least squares, explains 90 %
      of the error; else ``changed``.

    Parameters
    ----------
    width, height : int
        Size of the images in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._state = zeros(library.size_of_regions(width))
        library.begin_regions(self._state, width)
        self._window = Window(_MARGIN, height)

    def add(self, strip: Strip) -> None:
        """Take up the next strip."""
        rows = self._window.slide(strip.source, strip.target, strip.changed)
        addresses = [array.ctypes.data for array in rows.arrays]
        library.add_regions(
            self._state, *addresses, rows.top, rows.begin, rows.end, len(rows.arrays[0])
        )

    def result(self) -> dict[str, Any]:
        """The largest 100 as ``regions``, largest first, and how many there are."""
        library.end_regions(self._state)
        found = _Regions.from_buffer(self._state)
        largest = sorted(
            found.largest[: found.kept],
            key=lambda region: (-region.pixels, region.top, region.left),
        )
        return {"regions": [_told(region) for region in largest], "regions_total": found.found}


def _told(region: _Region) -> dict[str, Any]:
    samples = region.pixels * (4 if region.transparent else 3)
    return {
        "bbox": (region.left, region.top, region.right, region.bottom),
        "pixels": region.pixels,
        "mse": region.squares / (samples * 255**2),
        "centroid": (region.x / region.pixels, region.y / region.pixels),
        "kind": _kind(region),
    }


def _kind(region: _Region) -> str:
    area = region.area
    source, target = np.array(region.source, float), np.array(region.target, float)
    # Sums of squares about the mean, which is what deviates, and what deviates together.
    varying = np.array(region.source_squares, float) - source**2 / area
    beside = np.array(region.target_squares, float) - target**2 / area
    together = np.array(region.products, float) - source * target / area
    if varying.sum() <= beside.sum() * _FLAT**2 and beside.sum() > 0:
        return "added"
    if beside.sum() <= varying.sum() * _FLAT**2 and varying.sum() > 0:
        return "removed"
    error = (
        varying.sum() + beside.sum() - 2 * together.sum() + ((source - target) ** 2).sum() / area
    )
    fitted = np.divide(together**2, varying, out=np.zeros(3), where=varying > 0)
    left = (beside - fitted).sum()
    return "recolored" if left <= (1 - _EXPLAINED) * error else "changed"
