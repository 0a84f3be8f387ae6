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

type Deep = NDArray[np.uint16]


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


def expected_figures(
    source: Pixels | Deep, target: Pixels | Deep, counted: NDArray[np.bool_] | None = None
) -> Figures:
    """What the contract says of RGB or RGBA pixels at 8 or 16 bit, of all or of those counted."""
    everything = np.ones(source.shape[:2], np.bool_)
    counted = everything if counted is None else counted
    distance, scale = _distance(*_of_one_depth(source, target), counted)
    number = int(counted.sum())
    samples = number * distance.shape[2]
    # No sum of these small pictures comes near 2**63 at 8 bit; at 16 bit each square may.
    exact = distance if scale <= 255**2 else distance.astype(object)
    diff = Fraction(int((exact**2).sum()), samples * scale**2)
    changed = distance.any(axis=2)
    ys, xs = np.nonzero(changed)
    return Figures(
        diff=float(diff),
        mse=float(diff * 255**2),
        rmse=math.sqrt(float(diff * 255**2)),
        mae=float(Fraction(int(distance.sum()) * 255, samples * scale)),
        max_error=float(Fraction(int(distance.max()) * 255, scale)),
        changed_pixels=len(ys),
        changed_ratio=float(Fraction(len(ys), number)),
        bbox=(int(min(xs)), int(min(ys)), int(max(xs)) + 1, int(max(ys)) + 1) if len(ys) else None,
        width=source.shape[1],
        height=source.shape[0],
    )


def is_opaque(pixels: Pixels | Deep) -> bool:
    """Whether there is no alpha, or none that shows."""
    return pixels.shape[2] == 3 or bool((pixels[..., 3] == _most(pixels)).all())


def changed_mask(source: Pixels, target: Pixels) -> NDArray[np.bool_]:
    """The changed pixels, shape (height, width)."""
    everything = np.ones(source.shape[:2], np.bool_)
    mask: NDArray[np.bool_] = _distance(source, target, everything)[0].any(axis=2)
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


def _most(pixels: Pixels | Deep) -> int:
    return 255 if pixels.dtype == np.uint8 else 65535


def _of_one_depth(
    source: Pixels | Deep, target: Pixels | Deep
) -> tuple[Pixels | Deep, Pixels | Deep]:
    if source.dtype == target.dtype:
        return source, target
    deep = [
        pixels.astype(np.uint16) * 257 if pixels.dtype == np.uint8 else pixels
        for pixels in (source, target)
    ]
    return deep[0], deep[1]


def _distance(
    source: Pixels | Deep, target: Pixels | Deep, counted: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], int]:
    """Absolute differences of the compared samples, and the largest one possible."""
    most = _most(source)
    if is_opaque(source[counted][None]) and is_opaque(target[counted][None]):
        distance = abs(source[..., :3].astype(np.int64) - target[..., :3].astype(np.int64))
    else:
        distance = abs(_premultiplied(source) - _premultiplied(target))
        most *= most
    return np.where(counted[..., np.newaxis], distance, 0), most


def _premultiplied(pixels: Pixels | Deep) -> NDArray[np.int64]:
    wide, most = pixels.astype(np.int64), _most(pixels)
    if wide.shape[2] == 3:
        wide = np.dstack([wide, np.full(wide.shape[:2], most)])
    return np.dstack([wide[..., :3] * wide[..., 3:], wide[..., 3:] * most])


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
