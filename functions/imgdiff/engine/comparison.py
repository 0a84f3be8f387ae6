"""The face of the engine: two encoded images in, figures and a picture out."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from imgdiff.engine.core import Tally, palette
from imgdiff.engine.fitting import fitted_size, is_scaled, of_one_size
from imgdiff.engine.found import Found
from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.engine.options import Encoded, Options
from imgdiff.engine.pair import Pair
from imgdiff.engine.png import PalettePng
from imgdiff.engine.scanlines import Irregular
from imgdiff.errors import InvalidField, SizesDiffer, TooLarge, about

if TYPE_CHECKING:
    from imgdiff.engine.areas import Counted

_PLAIN = Options()
# The largest difference of two samples, in what the core counts in.
_LARGEST = 255 * 255

type Size = tuple[int, int]


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
        Size in pixels, as compared.
    image : bytes or None
        The encoded difference image, None where none was asked for.
    counted_pixels : int
        Pixels that count, of which ``changed_ratio`` and the means are.
    measured : dict
        Results of the measures that were asked for, by name.
    sizes : tuple of tuple of int
        Width and height of source and target, as shown.
    conversions : tuple of tuple of str
        What was converted of source and target.
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
    counted_pixels: int
    measured: dict[str, Any]
    sizes: tuple[Size, Size]
    conversions: tuple[tuple[str, ...], ...]


def compare(
    source: Encoded,
    target: Encoded,
    *,
    mask: Encoded | None = None,
    options: Options = _PLAIN,
    max_pixels: int = 25_000_000,
    names: tuple[str, str] = ("source", "target"),
) -> Comparison:
    """Compare two encoded images, exactly.

    Images are compared as a viewer shows them: the first frame, turned as EXIF says, in sRGB. The
    mean square error runs over R, G and B of every pixel where both images are opaque, else over
    R·α, G·α, B·α and α, so that what is invisible counts for nothing and transparency itself
    counts. Sums are integers and each figure is one division of them, so no rounding adds up.

    Parameters
    ----------
    source, target : bytes, or callable that returns bytes
        PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF. A callable is called once, in a thread of its
        own: its image is decoded as soon as it is there, while the other is on its way.
    mask : bytes, callable that returns bytes, or None
        An encoded image of the size in which they are compared: only what is white in it counts.
    options : Options
        What else is asked for.
    max_pixels : int
        The most pixels an image may have.
    names : tuple of str
        What errors call the two images.

    Raises
    ------
    UnsupportedImage, TooLarge
        An image can't be read or is over the limit; the error's field is its name.
    SizesDiffer
        The images, as shown, are not of equal size, and nothing says how to fit them.
    InvalidField
        Nothing is left that counts.
    """
    pair = Pair(source, target, names)
    # A file goes as soon as its image is decoded.
    del source, target
    read_mask = _once(mask) if mask else None

    def with_decoder(decoder: Callable[..., Frame]) -> Comparison:
        frames = pair.decoded(
            partial(decoder, max_pixels=max_pixels, managed=options.managed),
            same_size=options.fit == "fail",
        )
        if options.plain and not read_mask and _is_plain(*frames):
            return _difference(*frames, pictured=options.style is not None)
        return _examination(*frames, options, read_mask, max_pixels)

    try:
        return with_decoder(decode)
    except Irregular:
        return with_decoder(decode_patiently)


def _is_plain(source: Frame, target: Frame) -> bool:
    return of_one_size(source, target) and not (source.deep or target.deep)


def _difference(source: Frame, target: Frame, *, pictured: bool) -> Comparison:
    width, height = source.width, source.height
    picture = PalettePng(width, height, palette()) if pictured else None
    tally = Tally(source, target, shown=pictured)
    for strip, beside in _strips(source, target, shown=pictured):
        rows = tally.add(strip, beside)
        if picture and rows is not None:
            picture.write(rows)
    image = picture.finish() if picture else None
    found = Found(tally.figures, _LARGEST, width, height, width * height, image, {})
    return _comparison(found, source, target)


def _examination(
    source: Frame, target: Frame, options: Options, mask: Callable[[], bytes] | None, most: int
) -> Comparison:
    from imgdiff.engine.examination import examine

    size = fitted_size(source, target, options.fit)
    if size[0] * size[1] > most:
        raise TooLarge(
            f"would make {size[0]}x{size[1]} pixels of the images, over the limit of {most} pixels",
            field="fit",
        )
    try:
        found = examine(source, target, options, _counted(size, options, mask, most))
    except MemoryError as error:
        raise TooLarge(
            "there is not enough memory for all that is asked of images of this size"
        ) from error
    comparison = _comparison(found, source, target)
    if not is_scaled(source, target, options.fit):
        return comparison
    reduced = (frame.conversions + ("16 to 8 bit",) * frame.deep for frame in (source, target))
    return replace(comparison, conversions=tuple(reduced))


def _comparison(found: Found, source: Frame, target: Frame) -> Comparison:
    sums, largest, counted = found.sums, found.largest, found.counted
    samples = counted * (4 if sums.transparent else 3)
    mse = sums.squares * 255**2 / (samples * largest**2)
    return Comparison(
        diff=sums.squares / (samples * largest**2),
        mse=mse,
        rmse=math.sqrt(mse),
        mae=sums.absolutes * 255 / (samples * largest),
        psnr=_psnr(mse),
        max_error=sums.largest * 255 / largest,
        changed_pixels=sums.changed,
        changed_ratio=sums.changed / counted,
        bbox=(sums.left, sums.top, sums.right, sums.bottom) if sums.changed else None,
        width=found.width,
        height=found.height,
        image=found.image,
        counted_pixels=counted,
        measured=found.measured,
        sizes=((source.width, source.height), (target.width, target.height)),
        conversions=(source.conversions, target.conversions),
    )


def _counted(
    size: Size, options: Options, mask: Callable[[], bytes] | None, most: int
) -> "Counted | None":
    if not (options.ignore or options.include or mask):
        return None
    from imgdiff.engine.areas import Counted

    frame = None
    if mask:
        with about("mask"):
            # It is small work beside the rest.
            frame = decode_patiently(mask(), max_pixels=most, managed=False)
        if (frame.width, frame.height) != size:
            raise SizesDiffer(
                f"is {frame.width}x{frame.height} pixels, but what is compared is "
                f"{size[0]}x{size[1]}",
                field="mask",
            )
    counted = Counted(*size, options.ignore, options.include, frame)
    if not counted.pixels:
        raise InvalidField("ignore, include and mask leave nothing to compare")
    return counted


def _once(encoded: Encoded) -> Callable[[], bytes]:
    return cache(encoded) if callable(encoded) else lambda: encoded


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
