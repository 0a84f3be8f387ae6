"""Pictures of what has changed, drawn strip by strip."""

from typing import Protocol

from imgdiff.engine.blink import Blink
from imgdiff.engine.canvases import Canvas, canvas
from imgdiff.engine.options import FORMATS_OF, Colour, Options, Style
from imgdiff.engine.painters import Absolute, Heatmap, Highlight, Mask, Overlay, Painter
from imgdiff.engine.side_by_side import SideBySide
from imgdiff.engine.strips import Strip
from imgdiff.errors import InvalidField, TooLarge
from imgdiff.formats import Format

# The longest side that a format can tell.
_LONGEST_SIDE = {"PNG": 2**31 - 1, "WebP": 16_383, "JPEG": 65_500, "GIF": 65_535}
# Of these styles photographs are seen, which take several times the bytes without loss.
_LOSSY: frozenset[Style] = frozenset({"overlay", "side_by_side"})


class Picture(Protocol):
    """A picture under way."""

    def add(self, strip: Strip) -> None:
        """Draw the next strip."""
        ...

    def finish(self) -> bytes:
        """The encoded picture, of which all strips were drawn."""
        ...


def draw(options: Options, width: int, height: int) -> Picture | None:
    """The picture that is asked for, of images of this size; None for none.

    Raises
    ------
    InvalidField
        The style is not made in this format.
    TooLarge
        The picture has a side that is longer than the format can tell.
    """
    style, encoding = options.style, options.format
    if style is None:
        return None
    if encoding not in FORMATS_OF[style]:
        raise InvalidField(
            f"can't be {encoding.name} for {style}, which is made as {_names(FORMATS_OF[style])}",
            field="format",
        )
    if style == "blink":
        _check_sides(style, encoding, width, height)
        return Blink(encoding, width, height)
    painter = _painter(style, width, options.highlight_color)
    size = painter.size(width, height)
    _check_sides(style, encoding, *size)
    lossless = style not in _LOSSY
    return _Painted(painter, canvas(encoding, *size, painter.palette, lossless=lossless))


class _Painted:
    """A picture that a painter makes on a canvas."""

    def __init__(self, painter: Painter, surface: Canvas) -> None:
        self._painter = painter
        self._canvas = surface

    def add(self, strip: Strip) -> None:
        self._canvas.add(self._painter.paint(strip))

    def finish(self) -> bytes:
        return self._canvas.finish()


def _painter(style: Style, width: int, colour: Colour) -> Painter:
    match style:
        case "mask":
            return Mask()
        case "absolute":
            return Absolute()
        case "heatmap":
            return Heatmap()
        case "overlay":
            return Overlay(colour)
        case "side_by_side":
            return SideBySide(width, colour)
        case _:
            return Highlight(colour)


def _check_sides(style: Style, encoding: Format, width: int, height: int) -> None:
    longest, limit = max(width, height), _LONGEST_SIDE[encoding.name]
    if longest <= limit:
        return
    fit = tuple(other for other in FORMATS_OF[style] if longest <= _LONGEST_SIDE[other.name])
    raise TooLarge(
        f"can't be {encoding.name}, which has at most {limit} pixels a side: {style} would be "
        f"{width}x{height}; choose {_names(fit) or 'another style'}",
        field="format",
    )


def _names(formats: tuple[Format, ...]) -> str:
    return " or ".join(known.name for known in formats)
