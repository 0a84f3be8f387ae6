"""What may be asked of a comparison beyond the plain one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from imgdiff.engine.rectangle import Rectangle
from imgdiff.formats import PNG, Format

type Encoded = bytes | Callable[[], bytes]
type Metric = Literal["ssim", "ms_ssim", "pixelmatch", "ciede2000", "dhash"]
type Fit = Literal["fail", "pad", "crop", "resize"]
type Style = Literal["highlight", "mask", "absolute", "heatmap", "overlay", "side_by_side", "blink"]
type Colour = tuple[int, int, int]

HIGHLIGHT: Colour = (241, 0, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is measured, where, and drawn how.

    Attributes
    ----------
    metrics : frozenset of str
        Measures besides the exact ones.
    threshold : float
        Of pixelmatch: the colour distance that is let pass, 0 to 1.
    include_aa : bool
        Of pixelmatch: count anti-aliased pixels too.
    regions : bool
        Whether to find the regions that changed.
    fit : {"fail", "pad", "crop", "resize"}
        What becomes of images of different sizes.
    ignore, include : tuple of Rectangle
        What is never counted; what alone is, where there is any.
    mask : bytes, callable that returns bytes, or None
        An encoded image of their size: only what is white in it is counted.
    managed : bool
        Whether colour profiles are heeded, and 16 bits a sample compared as such.
    style : str or None
        The difference image to make, if any.
    format : Format
        How it is encoded.
    highlight_color : tuple of int
        R, G and B of what marks changes.
    """

    metrics: frozenset[Metric] = frozenset()
    threshold: float = 0.1
    include_aa: bool = False
    regions: bool = False
    fit: Fit = "fail"
    ignore: tuple[Rectangle, ...] = ()
    include: tuple[Rectangle, ...] = ()
    mask: Encoded | None = None
    managed: bool = True
    style: Style | None = "highlight"
    format: Format = PNG
    highlight_color: Colour = HIGHLIGHT

    @property
    def plain(self) -> bool:
        """Whether the plain comparison has all that is asked for, but for images that need more."""
        drawn = (self.style, self.format, self.highlight_color)
        default = drawn == ("highlight", PNG, HIGHLIGHT)
        areas = self.ignore or self.include or self.mask
        return not (self.metrics or self.regions or areas) and (default or self.style is None)
