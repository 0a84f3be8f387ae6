"""The face of the engine: two encoded images in, figures and a picture out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from imgdiff.engine.core import Tally, palette
from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.engine.pair import Encoded, Pair
from imgdiff.engine.png import PalettePng
from imgdiff.engine.scanlines import Irregular

type Render = Literal["highlight"]

# A step of 8 bits, in the fractions that the core counts.
_SCALE = 255


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found.

    Attributes
    ----------
    diff : float
        Mean square error on the 0..1 scale: 0 identical, 1 black against white.
    mse, rmse, mae, max_error : float
        Mean square, root mean square, mean absolute and largest error on the 0..255 scale.
    psnr : float or None
        Peak signal-to-noise ratio in dB; None when identical.
    changed_pixels : int
        Pixels of which any compared sample differs.
    changed_ratio : float
        The same as a share of all pixels.
    bbox : tuple of int or None
        ``(left, top, right, bottom)``, half-open, around the changed pixels; None when identical.
    width, height : int
        Size in pixels, as shown.
    image : bytes or None
        The encoded difference image, None where none was asked for.
    """

    diff: float
    mse: float
    rmse: float
    mae: float
    psnr: float | None
    max_error: float
    changed_pixels: int
    changed_ratio: float
    bbox: tuple[int, int, int, int] | None
    width: int
    height: int
    image: bytes | None


def compare(
    source: Encoded,
    target: Encoded,
    *,
    render: Render | None = "highlight",
    max_pixels: int = 25_000_000,
    names: tuple[str, str] = ("source", "target"),
) -> Comparison:
    """Compare two encoded images of equal size, exactly.

    Images are compared as a viewer shows them: the first frame, turned as EXIF says, in RGB at
    8 bit a sample. The mean square error runs over R, G and B of every pixel where both images
    are opaque, else over R·α, G·α, B·α and α, so that what is invisible counts for nothing and
    transparency itself counts. Sums are integers and each figure is one division of them, so no
    rounding adds up.

    Parameters
    ----------
    source, target : bytes, or callable that returns bytes
        PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF. A callable is called once, in a thread of its
        own: its image is decoded as soon as it is there, while the other is on its way.
    render : {"highlight"} or None
        The difference image to make, if any.
    max_pixels : int
        The most pixels an image may have.
    names : tuple of str
        What errors call the two images.

    Raises
    ------
    UnsupportedImage, TooLarge
        An image can't be read or is over the limit; the error's field is its name.
    SizesDiffer
        The images, as shown, are not of equal size.
    """
    pair = Pair(source, target, names)
    # A file goes as soon as its image is decoded.
    del source, target
    try:
        return _difference(*pair.decoded(partial(decode, max_pixels=max_pixels)), render)
    except Irregular:
        return _difference(*pair.decoded(partial(decode_patiently, max_pixels=max_pixels)), render)


def _difference(source: Frame, target: Frame, render: Render | None) -> Comparison:
    width, height = source.width, source.height
    picture = PalettePng(width, height, palette()) if render else None
    tally = Tally(source, target, shown=picture is not None)
    for strip, beside in _strips(source, target, shown=picture is not None):
        rows = tally.add(strip, beside)
        if picture and rows is not None:
            picture.write(rows)

    found = tally.figures
    pixels = width * height
    samples = pixels * (4 if found.transparent else 3)
    mse = found.squares / (samples * _SCALE**2)
    return Comparison(
        diff=found.squares / (samples * _SCALE**4),
        mse=mse,
        rmse=math.sqrt(mse),
        mae=found.absolutes / (samples * _SCALE),
        psnr=_psnr(mse),
        max_error=found.largest / _SCALE,
        changed_pixels=found.changed,
        changed_ratio=found.changed / pixels,
        bbox=(found.left, found.top, found.right, found.bottom) if found.changed else None,
        width=width,
        height=height,
        image=picture.finish() if picture else None,
    )


def _strips(
    source: Frame, target: Frame, *, shown: bool
) -> Iterator[tuple[Samples, Samples | None]]:
    if source is not target:
        # Strictly, so that both are read to what says that they were whole.
        return zip(source.strips(), target.strips(), strict=True)
    if shown:
        return ((strip, None) for strip in source.strips())
    source.verify()
    return iter(())


def _psnr(mse: float) -> float | None:
    """``10·log10(255² / mse)``, as scikit-image's ``peak_signal_noise_ratio`` of 8-bit samples."""
    return 10 * math.log10(255**2 / mse) if mse else None
