"""What may be asked of a comparison beyond the plain one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from imgdiff.engine.rectangle import Rectangle
from imgdiff.formats import GIF, JPEG, PNG, WEBP, Format

type Encoded = bytes | Callable[[], bytes]
type Metric = Literal["ssim", "ms_ssim", "pixelmatch", "ciede2000", "dhash"]
type Fit = Literal["fail", "pad", "crop", "resize"]
type Style = Literal["highlight", "mask", "absolute", "heatmap", "overlay", "side_by_side", "blink"]
type Colour = tuple[int, int, int]

HIGHLIGHT: Colour = (241, 0, 30)
# How each picture can be encoded, the usual way first.
_STILL = (PNG, WEBP, JPEG)
FORMATS_OF: dict[Style, tuple[Format, ...]] = {
    "highlight": _STILL,
    "mask": _STILL,
    "absolute": _STILL,
    "heatmap": _STILL,
    "overlay": _STILL,
    "side_by_side": _STILL,
    "blink": (WEBP, GIF),
}


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
    managed: bool = True
    style: Style | None = "highlight"
    format: Format = PNG
    highlight_color: Colour = HIGHLIGHT

    @property
    def plain(self) -> bool:
        """Whether a plain comparison has all that is asked for."""
        drawn = (self.style, self.format, self.highlight_color)
        default = drawn == ("highlight", PNG, HIGHLIGHT)
        more = self.metrics or self.regions or self.ignore or self.include
        return not more and (default or self.style is None)
