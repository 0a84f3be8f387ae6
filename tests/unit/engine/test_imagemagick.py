"""ImageMagick's `compare`, which PHP Imagick's `compareImages` runs, on the same pictures.

It differs by definition in these points, so they are not compared, or only as far as they agree:

- Transparency: it premultiplies as the contract does, but then takes the mean over three colours
  and leaves out the error of alpha itself. Black that fades away would count for nothing.
- EXIF orientation: it compares rows as they are stored; the contract compares what is shown.
- Samples deeper than 8 bit: it compares all 16, the contract their high byte. A TIFF's palette is
  always 16 bit deep.
- A fourth sample that the file does not declare to be alpha (plain BMP, TIFF with one unspecified
  sample): it takes it for alpha, the contract goes by what the file says.
- CMYK: it compares the inks, the contract what they look like.
"""

import io

import numpy as np
import pytest
from PIL import Image

from imgdiff.engine import compare
from tests.unit.engine import scikit_image
from tests.unit.engine.imagemagick import ImageMagick
from tests.unit.engine.images import as_rgb, encode, noise, plain, translucent, with_orientation
from tests.unit.engine.reference import picture
from tests.unit.engine.stored import Stored, every_kind


def _is_compared_alike(stored: Stored) -> bool:
    lossless = stored.name.startswith(("png", "gif", "bmp", "tiff"))
    deep = {"16", "12"} & set(stored.name.split()) or stored.name == "tiff palette"
    by_other_rules = stored.name in {"bmp 32", "tiff rgb and one more", "tiff cmyk"}
    return lossless and stored.pixels.shape[2] == 3 and not deep and not by_other_rules


@pytest.mark.parametrize(
    "stored",
    [stored for stored in every_kind() if _is_compared_alike(stored)],
    ids=lambda stored: stored.name,
)
def test_opaque_pictures_measure_alike(imagemagick: ImageMagick, stored: Stored) -> None:
    target = plain(noise(*stored.pixels.shape[:2], seed=2000))

    found = compare(stored.data, target)

    assert found.diff == pytest.approx(imagemagick.mse(stored.data, target), rel=1e-12)


@pytest.mark.parametrize("name", scikit_image.PHOTOGRAPHS)
def test_photographs_measure_alike(imagemagick: ImageMagick, name: str) -> None:
    photograph = scikit_image.photograph(name)
    source, target = plain(photograph), plain(np.roll(photograph, 3, axis=0))

    found = compare(source, target)

    assert found.mse == pytest.approx(imagemagick.mse(source, target) * 65025, rel=1e-12)


@pytest.mark.parametrize("opaque_target", [False, True])
def test_premultiplied_colours_measure_alike(
    imagemagick: ImageMagick, *, opaque_target: bool
) -> None:
    source, target = translucent(seed=1), translucent(seed=2)
    if opaque_target:
        target = target[..., :3]

    found = compare(plain(source), plain(target))

    colours = 3 * imagemagick.mse(plain(source), plain(target))
    target_alpha = np.full(target.shape[:2], 255) if opaque_target else target[..., 3]
    alpha = np.mean((source[..., 3] / 255 - target_alpha / 255) ** 2)
    assert 4 * found.diff == pytest.approx(colours + alpha, rel=1e-12)


def test_black_that_fades_away_counts_here_alone(imagemagick: ImageMagick) -> None:
    source, target = (
        encode(Image.new("RGBA", (3, 3), (0, 0, 0, alpha)), "PNG") for alpha in (255, 0)
    )

    assert imagemagick.mse(source, target) == 0
    assert compare(source, target).diff == 0.25


def test_orientation_counts_here_alone(imagemagick: ImageMagick) -> None:
    stored = plain(noise(20, 20))

    assert imagemagick.mse(with_orientation(stored, 6), stored) == 0
    assert compare(with_orientation(stored, 6), stored).diff > 0


def test_picture_of_grey_pixels_is_the_same(imagemagick: ImageMagick) -> None:
    # Every grey once unchanged, once changed; PPM on both sides, so an RGB source.
    source = as_rgb(np.vstack([np.arange(256)] * 2))
    target = source.copy()
    target[1] ^= 1

    theirs = imagemagick.picture(encode(source, "PPM"), encode(target, "PPM"))

    found = compare(plain(source), plain(target))
    np.testing.assert_array_equal(picture(found), np.asarray(Image.open(io.BytesIO(theirs))))
