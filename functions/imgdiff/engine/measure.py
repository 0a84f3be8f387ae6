"""Measuring: the exact difference of two frames, summed in integers strip by strip."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

type Samples = NDArray[np.uint8] | NDArray[np.uint16]

OPAQUE_SCALE = 255
PREMULTIPLIED_SCALE = 255 * 255


def opaque_samples(strip: Image.Image) -> NDArray[np.uint8]:
    """The samples of an opaque strip, shape (rows, width, 3), 0 to `OPAQUE_SCALE`."""
    return np.asarray(strip)


def premultiplied_samples(strip: Image.Image) -> NDArray[np.uint16]:
    """R·α, G·α, B·α and α, shape (rows, width, 4), 0 to `PREMULTIPLIED_SCALE`.

    Premultiplied in exact integers: α weighs 255 so that all four share one scale.
    """
    samples = np.asarray(strip if strip.mode == "RGBA" else strip.convert("RGBA"))
    premultiplied = samples.astype(np.uint16)
    premultiplied[..., :3] *= samples[..., 3:]
    premultiplied[..., 3] *= OPAQUE_SCALE
    return premultiplied


@dataclass(slots=True)
class Tally:
    """Sums over all strips measured so far.

    Attributes
    ----------
    squares, absolutes : int
        Exact sum of squared and of absolute sample differences.
    peak : int
        Largest absolute sample difference.
    changed : int
        Pixels of which any sample differs.
    bbox : tuple of int or None
        Smallest ``(left, top, right, bottom)``, half-open, that holds every changed pixel.
    """

    squares: int = 0
    absolutes: int = 0
    peak: int = 0
    changed: int = 0
    bbox: tuple[int, int, int, int] | None = None

    def add(self, source: Samples, target: Samples, top: int) -> NDArray[np.bool_]:
        """Measure one strip.

        Parameters
        ----------
        source, target : ndarray, shape (rows, width, samples), uint8 or uint16, the same
        top : int
            The strip's first row in the image.

        Returns
        -------
        ndarray of bool, shape (rows, width)
            The changed pixels.
        """
        changed = np.zeros(source.shape[:2], dtype=np.bool_)
        rows = np.flatnonzero((source != target).reshape(len(source), -1).any(axis=1))
        if not rows.size:
            return changed
        source, target = source[rows], target[rows]
        distance = np.maximum(source, target) - np.minimum(source, target)
        # The square of an unsigned sample always fits the unsigned type of twice its width.
        square = np.square(distance, dtype=np.uint16 if distance.itemsize == 1 else np.uint32)
        self.squares += int(square.sum(dtype=np.uint64))
        self.absolutes += int(distance.sum(dtype=np.uint64))
        self.peak = max(self.peak, int(distance.max()))
        changed[rows] = distance.any(axis=2)
        columns = np.flatnonzero(changed.any(axis=0))
        self.changed += int(np.count_nonzero(changed))
        self._extend(int(columns[0]), top + int(rows[0]), int(columns[-1]), top + int(rows[-1]))
        return changed

    def _extend(self, left: int, top: int, last_column: int, last_row: int) -> None:
        box = (left, top, last_column + 1, last_row + 1)
        if self.bbox is None:
            self.bbox = box
        else:
            self.bbox = (
                min(self.bbox[0], box[0]),
                min(self.bbox[1], box[1]),
                max(self.bbox[2], box[2]),
                max(self.bbox[3], box[3]),
            )


def psnr(mse: float) -> float | None:
    """Peak signal-to-noise ratio in dB of a mean square error on the 0..255 scale.

    ``10·log10(255² / mse)``, as scikit-image's ``peak_signal_noise_ratio`` with a data range of
    255; None where nothing differs.
    """
    return 10 * math.log10(255**2 / mse) if mse else None
