"""Every metric at once, of photographs as files: against the references, on what Pillow decodes."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import color

from imgdiff.engine import Options, compare
from tests.unit.engine import npm, scikit_image
from tests.unit.engine.images import Pixels, encode
from tests.unit.engine.measuring import opaque
from tests.unit.engine.test_dhash import expected_distance
from tests.unit.engine.test_ssim import expected_ms_ssim, expected_ssim

EVERY_METRIC = Options(
    style=None, metrics=frozenset({"ssim", "ms_ssim", "pixelmatch", "ciede2000", "dhash"})
)
# The package has no types.
_color: Any = color


def decoded(data: bytes) -> Pixels:
    return opaque(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
def test_a_photograph_and_what_a_bad_encoder_leaves_of_it(name: str) -> None:
    pixels = scikit_image.photograph(name)
    files = encode(pixels, "PNG"), encode(pixels, "JPEG", quality=20)
    source, target = map(decoded, files)
    lab = [_color.rgb2lab(each[..., :3]) for each in (source, target)]
    differences = _color.deltaE_ciede2000(*lab)

    found = compare(*files, options=EVERY_METRIC).measured

    with npm.Pixelmatch() as package:
        count = package.count(source, target, threshold=0.1, include_aa=False)
    assert found["pixelmatch"] == count
    assert found["pixelmatch_ratio"] == count / differences.size
    assert found["dhash"] == expected_distance(source, target)
    expected = expected_ssim(source, target) | {"ms_ssim": expected_ms_ssim(source, target)}
    assert {metric: found[metric] for metric in expected} == pytest.approx(expected, abs=1e-9)
    assert found["ciede2000"] == pytest.approx(differences.mean(), abs=1e-9)
    p95 = np.sort(differences, axis=None)[-(-differences.size * 95 // 100) - 1]
    assert found["ciede2000_p95"] == pytest.approx(p95, abs=0.5 / 1024 + 1e-9)
    assert found["ciede2000_noticeable"] == np.mean(differences > 2.3)
