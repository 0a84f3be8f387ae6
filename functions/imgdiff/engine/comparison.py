"""The face of the engine: two encoded images in, figures and a picture out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from imgdiff.engine.frame import Frame, StripPair
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.engine.highlight import Highlight
from imgdiff.engine.measure import SCALE, Tally, psnr
from imgdiff.engine.pair import Encoded, Pair
from imgdiff.engine.scanlines import Irregular, Scanlines, side_by_side
from imgdiff.engine.strips import Floats

type Render = Literal["highlight"]


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
    try:
        return _difference(*pair.decoded(partial(decode, max_pixels=max_pixels)), render)
    except Irregular:
        return _difference(*pair.decoded(partial(decode_patiently, max_pixels=max_pixels)), render)


def _difference(source: Frame, target: Frame, render: Render | None) -> Comparison:
    width, height = source.width, source.height
    floats = Floats()
    picture = Highlight(width, height, floats) if render else None
    tally = Tally(floats)
    top = 0
    for strip, beside, rows in _strip_pairs(source, target, shown=picture is not None):
        changed = tally.add(strip, beside, top)
        if picture:
            picture.add(strip, changed, rows)
        top += len(strip if rows is None else rows)

    pixels = width * height
    samples = pixels * (4 if tally.transparent else 3)
    mse = tally.squares / (samples * SCALE**2)
    return Comparison(
        diff=tally.squares / (samples * SCALE**4),
        mse=mse,
        rmse=math.sqrt(mse),
        mae=tally.absolutes / (samples * SCALE),
        psnr=psnr(mse),
        max_error=tally.largest / SCALE,
        changed_pixels=tally.changed,
        changed_ratio=tally.changed / pixels,
        bbox=tally.bbox,
        width=width,
        height=height,
        image=picture.finish() if picture else None,
    )


def _strip_pairs(source: Frame, target: Frame, *, shown: bool) -> Iterator[StripPair]:
    if source is target and not shown:
        source.verify()
        return iter(())
    if isinstance(source, Scanlines) and isinstance(target, Scanlines):
        return side_by_side(source, target)
    if source is target:
        return ((strip, strip, None) for strip in source.strips())
    # Strictly, so that both are read to what says that they were whole.
    return ((*pair, None) for pair in zip(source.strips(), target.strips(), strict=True))
