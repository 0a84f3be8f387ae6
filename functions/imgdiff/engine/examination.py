"""Two frames, looked at as closely as is asked for: what counts, measures, regions and pictures."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from imgdiff.engine.areas import Counted, Flags
from imgdiff.engine.exact import Exact, Exact8, Exact16
from imgdiff.engine.fitting import fitted_size, is_scaled, of_one_size
from imgdiff.engine.found import Found
from imgdiff.engine.frame import Frame
from imgdiff.engine.options import Fit, Options
from imgdiff.engine.pictures import draw
from imgdiff.engine.pixels import Pixels, eight_bit, extended, pixels, scaled
from imgdiff.engine.strips import Strip, strips


class Measure(Protocol):
    """What is found of two images beyond the exact figures."""

    def add(self, strip: Strip) -> None:
        """Measure the next strip."""
        ...

    def result(self) -> dict[str, Any]:
        """What was found, by name; of all strips, of which nothing may come any more."""
        ...


def examine(source: Frame, target: Frame, options: Options, counted: Counted | None) -> Found:
    """Examine two frames.

    Parameters
    ----------
    source, target : Frame
        Of one size unless ``options.fit`` says what becomes of them.
    options : Options
    counted : Counted or None
        What counts of the size in which they are compared; None for all.

    Raises
    ------
    Irregular
        A frame is damaged.
    """
    width, height = fitted_size(source, target, options.fit)
    deep = (source.deep or target.deep) and not is_scaled(source, target, options.fit)
    exact: Exact = Exact16() if deep else Exact8(width, height)
    measures = list(_measures(options, width, height))
    picture = draw(options, width, height, hatching=counted is not None)
    pairs = _pairs(source, target, options.fit)
    if deep:
        pairs = ((_sixteen_bit(mine), _sixteen_bit(theirs)) for mine, theirs in pairs)
    for (top, bottom), (mine, theirs) in zip(strips(width, height), pairs, strict=True):
        flags = counted.rows(top, bottom) if counted else None
        changed = exact.add(mine, theirs, flags)
        strip = Strip(top, eight_bit(mine), eight_bit(theirs), changed, flags)
        if picture:
            picture.add(strip)
        if flags is not None and not flags.all():
            strip = _blinkered(strip, flags)
        for measure in measures:
            measure.add(strip)
    return Found(
        exact.figures,
        exact.largest,
        width,
        height,
        counted.pixels if counted else width * height,
        picture.finish() if picture else None,
        {name: value for measure in measures for name, value in measure.result().items()},
    )


def _blinkered(strip: Strip, counted: Flags) -> Strip:
    """The same, but what doesn't count is not seen beside what does: it is equal."""
    either = (pixels.view(np.uint32)[..., 0] for pixels in (strip.target, strip.source))
    seen = np.where(counted, *either).view(np.uint8).reshape(strip.target.shape)
    return replace(strip, target=seen)


def _measures(options: Options, width: int, height: int) -> Iterator[Measure]:
    # Each is imported by those who ask for it: on a cold start that is time.
    if "ssim" in options.metrics:
        from imgdiff.engine.ssim import Ssim

        yield Ssim(width, height)
    if "ms_ssim" in options.metrics:
        from imgdiff.engine.ssim import MultiScaleSsim

        yield MultiScaleSsim(width, height)
    if "pixelmatch" in options.metrics:
        from imgdiff.engine.pixelmatch import Pixelmatch

        yield Pixelmatch(width, height, threshold=options.threshold, include_aa=options.include_aa)
    if "ciede2000" in options.metrics:
        from imgdiff.engine.ciede2000 import Ciede2000

        yield Ciede2000()
    if "dhash" in options.metrics:
        from imgdiff.engine.dhash import DHash

        yield DHash(width, height)
    if options.regions:
        from imgdiff.engine.regions import Regions

        yield Regions(width, height)


def _pairs(source: Frame, target: Frame, fit: Fit) -> Iterator[tuple[Pixels, Pixels]]:
    if source is target:
        return ((strip, strip) for strip in pixels(source))
    mine, theirs = pixels(source), pixels(target)
    size = fitted_size(source, target, fit)
    if is_scaled(source, target, fit):
        mine, theirs = map(eight_bit, mine), scaled(theirs, *size)
    elif not of_one_size(source, target):
        mine, theirs = extended(mine, *size), extended(theirs, *size)
    # Strictly, so that both are read to what says that they were whole.
    return zip(mine, theirs, strict=True)


def _sixteen_bit(samples: Pixels) -> Pixels:
    return samples if samples.dtype == np.uint16 else samples.astype(np.uint16) * 257
