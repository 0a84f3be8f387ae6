"""A measure on its own: fed with two images as an examination feeds it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imgdiff.engine.examination import Measure
from imgdiff.engine.strips import Strip, strips
from tests.unit.engine.images import Pixels

type Plane = NDArray[np.uint8]


def measured(
    measure: Measure, source: Pixels, target: Pixels, counted: Plane | None = None
) -> dict[str, Any]:
    """What a measure finds of two images in RGBA, of which only a part may count."""
    if counted is not None:
        target = np.where(counted[..., np.newaxis], target, source)
    changed = (_premultiplied(source) != _premultiplied(target)).any(axis=2).astype(np.uint8)
    height, width = changed.shape
    for top, bottom in strips(width, height):
        rows = slice(top, bottom)
        flags = None if counted is None else counted[rows]
        measure.add(Strip(top, source[rows], target[rows], changed[rows], flags))
    return measure.result()


def opaque(rgb: Pixels) -> Pixels:
    """RGB pixels in RGBA."""
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])


def on_white(rgba: Pixels) -> Pixels:
    """R, G and B as seen on white, worked out in doubles."""
    alpha = rgba[..., 3:] / 255
    return np.rint(alpha * rgba[..., :3] + (1 - alpha) * 255).astype(np.uint8)


def _premultiplied(rgba: Pixels) -> NDArray[np.uint32]:
    alpha = rgba[..., 3:].astype(np.uint32)
    return np.dstack([rgba[..., :3] * alpha, alpha])
