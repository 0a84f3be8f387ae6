"""The PNG writer of these tests, read back by libpng."""

import imagecodecs
import numpy as np
import pytest

from tests.unit.engine.stored import Stored, every_kind


@pytest.mark.parametrize(
    "stored",
    [stored for stored in every_kind() if stored.name.startswith("png")],
    ids=lambda stored: stored.name,
)
def test_libpng_reads_the_pixels_that_were_meant(stored: Stored) -> None:
    samples = imagecodecs.png_decode(stored.data)

    if samples.dtype == np.uint16:
        samples = (samples >> 8).astype(np.uint8)
    if samples.ndim == 2:
        samples = np.dstack([samples] * 3)
    if samples.shape[2] == 2:
        samples = samples[..., [0, 0, 0, 1]]
    np.testing.assert_array_equal(samples, stored.pixels)
