"""The contract's figures and picture, computed anew: whole arrays, exact fractions, no strips."""

import io
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine import Comparison
from tests.unit.engine.images import Pixels


@dataclass(frozen=True)
class Figures:
    """The figures of a `Comparison`, with a tolerance nowhere."""

    diff: float
    mse: float
    rmse: float
    mae: float
    max_error: float
    changed_pixels: int
    changed_ratio: float
    bbox: tuple[int, int, int, int] | None
    width: int
    height: int


def figures(found: Comparison) -> Figures:
    """What the engine found."""
    return Figures(**{name: getattr(found, name) for name in Figures.__dataclass_fields__})


def expected_figures(source: Pixels, target: Pixels) -> Figures:
    """What the contract says of RGB or RGBA pixels."""
    distance, scale = _distance(source, target)
    # No sum of these small pictures comes near 2**63.
    diff = Fraction(int((distance**2).sum()), distance.size * scale**2)
    changed = distance.any(axis=2)
    ys, xs = np.nonzero(changed)
    return Figures(
        diff=float(diff),
        mse=float(diff * 255**2),
        rmse=math.sqrt(float(diff * 255**2)),
        mae=float(Fraction(int(distance.sum()) * 255, distance.size * scale)),
        max_error=float(Fraction(int(distance.max()) * 255, scale)),
        changed_pixels=len(ys),
        changed_ratio=float(Fraction(len(ys), changed.size)),
        bbox=(int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1) if len(ys) else None,
        width=source.shape[1],
        height=source.shape[0],
    )


def is_opaque(pixels: Pixels) -> bool:
    """Whether there is no alpha, or none that shows."""
    return pixels.shape[2] == 3 or bool((pixels[..., 3] == 255).all())


def changed_mask(source: Pixels, target: Pixels) -> NDArray[np.bool_]:
    """The changed pixels, shape (height, width)."""
    mask: NDArray[np.bool_] = _distance(source, target)[0].any(axis=2)
    return mask


def expected_picture(source: Pixels, target: Pixels) -> Pixels:
    """The contract's difference image in RGB, its formulas worked out in fractions."""
    luma = np.asarray(Image.fromarray(_on_white(source)).convert("L"))
    faded = np.array([[_half_up(204 + Fraction(y, 5))] * 3 for y in range(256)])
    red = np.array(
        [
            [_half_up(Fraction(4 * channel, 5) + Fraction(y, 5)) for channel in (241, 0, 30)]
            for y in range(256)
        ]
    )
    changed = changed_mask(source, target)[:, :, np.newaxis]
    result: Pixels = np.where(changed, red[luma], faded[luma]).astype(np.uint8)
    return result


def picture(found: Comparison) -> Pixels:
    """The engine's difference image in RGB."""
    assert found.image is not None
    return np.asarray(Image.open(io.BytesIO(found.image)).convert("RGB"))


def _distance(source: Pixels, target: Pixels) -> tuple[NDArray[np.int64], int]:
    """Absolute differences of the compared samples, and the largest one possible."""
    if is_opaque(source) and is_opaque(target):
        return abs(source[..., :3].astype(np.int64) - target[..., :3].astype(np.int64)), 255
    return abs(_premultiplied(source) - _premultiplied(target)), 255 * 255


def _premultiplied(pixels: Pixels) -> NDArray[np.int64]:
    wide = pixels.astype(np.int64)
    if wide.shape[2] == 3:
        wide = np.dstack([wide, np.full(wide.shape[:2], 255)])
    return np.dstack([wide[..., :3] * wide[..., 3:], wide[..., 3:] * 255])


def _on_white(pixels: Pixels) -> Pixels:
    if pixels.shape[2] == 3:
        return pixels
    wide: NDArray[Any] = pixels.astype(np.int64)
    alpha = wide[..., 3:]
    doubled = 2 * (wide[..., :3] * alpha + 255 * (255 - alpha))
    laid: Pixels = ((doubled + 255) // 510).astype(np.uint8)
    return laid


def _half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))
