"""The face of the engine: two encoded images in, figures and a picture out."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from imgdiff.engine.decode import decode
from imgdiff.engine.frame import Frame
from imgdiff.engine.highlight import Highlight
from imgdiff.engine.measure import (
    OPAQUE_SCALE,
    PREMULTIPLIED_SCALE,
    Tally,
    opaque_samples,
    premultiplied_samples,
    psnr,
)
from imgdiff.engine.strips import strips
from imgdiff.errors import SizesDiffer, about

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
    source: bytes,
    target: bytes,
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
    source, target : bytes
        PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.
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

    def read(data: bytes, name: str) -> Frame:
        with about(name):
            return decode(data, max_pixels=max_pixels)

    # Decoders work outside the interpreter's lock, so the two run side by side.
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(read, (source, target), names)
    if (first.width, first.height) != (second.width, second.height):
        raise SizesDiffer(
            f"{names[0]} is {first.width}x{first.height} and {names[1]} is "
            f"{second.width}x{second.height} pixels, but both must be of equal size: "
            "bring them to one size with /resize or /crop first"
        )
    return _difference(first, second, render)


def _difference(source: Frame, target: Frame, render: Render | None) -> Comparison:
    width, height = source.width, source.height
    opaque = source.opaque and target.opaque
    samples = opaque_samples if opaque else premultiplied_samples
    picture = Highlight(width, height) if render else None
    tally = Tally()
    for top, bottom in strips(width, height):
        strip = source.strip(top, bottom)
        changed = tally.add(samples(strip), samples(target.strip(top, bottom)), top)
        if picture:
            picture.add(strip, changed)

    pixels = width * height
    count = pixels * (3 if opaque else 4)
    scale = OPAQUE_SCALE if opaque else PREMULTIPLIED_SCALE
    step = scale // 255
    mse = tally.squares / (count * step**2)
    return Comparison(
        diff=tally.squares / (count * scale**2),
        mse=mse,
        rmse=math.sqrt(mse),
        mae=tally.absolutes / (count * step),
        psnr=psnr(mse),
        max_error=tally.peak / step,
        changed_pixels=tally.changed,
        changed_ratio=tally.changed / pixels,
        bbox=tally.bbox,
        width=width,
        height=height,
        image=picture.finish() if picture else None,
    )
