"""scikit-image as a second opinion, and the photographs that come with the package."""

from typing import Any

import numpy as np
from skimage import data, metrics

from tests.unit.engine.images import Pixels, as_rgb

# The package has no types.
_data: Any = data
_metrics: Any = metrics

# These are files of the package itself, so nothing is downloaded.
PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "coffee", "rocket")


def photograph(name: str) -> Pixels:
    """One of `PHOTOGRAPHS` in RGB."""
    pixels: Pixels = getattr(_data, name)()
    return as_rgb(pixels) if pixels.ndim == 2 else np.ascontiguousarray(pixels)


def mse(source: Pixels, target: Pixels) -> float:
    """Mean square error on the 0..255 scale."""
    return float(_metrics.mean_squared_error(source, target))


def psnr(source: Pixels, target: Pixels) -> float:
    """Peak signal-to-noise ratio in dB."""
    return float(_metrics.peak_signal_noise_ratio(source, target, data_range=255))
