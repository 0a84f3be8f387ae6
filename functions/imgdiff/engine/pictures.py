"""Pictures of what has changed, drawn strip by strip."""

from typing import Protocol

from imgdiff.engine.canvases import Canvas, canvas
from imgdiff.engine.options import FORMATS_OF, Colour, Options, Style
from imgdiff.engine.painters import Absolute, Heatmap, Highlight, Mask, Overlay, Painter
from imgdiff.engine.strips import Strip
from imgdiff.errors import InvalidField, TooLarge
from imgdiff.formats import Format

# The longest side that a format can tell.
_LONGEST_SIDE = {"PNG": 2**31 - 1, "WebP": 16_383, "JPEG": 65_500, "GIF": 65_535}
# Its encoder takes some twenty bytes a pixel.
_MOST_PIXELS = {"WebP": 50_000_000}
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


def draw(options: Options, width: int, height: int, *, hatching: bool = False) -> Picture | None:
    """The picture that is asked for, of images of this size; None for none.

    Parameters
    ----------
    options : Options
    width, height : int
        Size of the images in pixels.
    hatching : bool
        Whether there may be something in them that doesn't count.

    Raises
    ------
    InvalidField
        The style is not made in this format.
    TooLarge
        The picture is larger than the format can tell, or than can be encoded as such.
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
        _check_size(style, encoding, width, height)
        from imgdiff.engine.blink import Blink

        return Blink(encoding, width, height)
    painter = _painter(style, width, options.highlight_color, hatching=hatching)
    size = painter.size(width, height)
    _check_size(style, encoding, *size)
    lossless = style not in _LOSSY
    return _Painted(painter, canvas(encoding, *size, painter.palette, lossless=lossless))


class _Painted:
    """A picture that a painter makes on a canvas."""

    def __init__(self, painter: Painter, surface: Canvas) -> None:
        self._painter = painter
        self._canvas = surface
        for rows in painter.head():
            surface.add(rows)

    def add(self, strip: Strip) -> None:
        self._canvas.add(self._painter.paint(strip))

    def finish(self) -> bytes:
        return self._canvas.finish()


def _painter(style: Style, width: int, colour: Colour, *, hatching: bool) -> Painter:
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
            # It brings a font, which on a cold start is time.
            from imgdiff.engine.side_by_side import SideBySide

            return SideBySide(width, colour, hatching=hatching)
        case _:
            return Highlight(colour, hatching=hatching)


def _check_size(style: Style, encoding: Format, width: int, height: int) -> None:
    if _holds(encoding, width, height):
        return
    fit = tuple(other for other in FORMATS_OF[style] if _holds(other, width, height))
    limits = f"{_LONGEST_SIDE[encoding.name]} pixels a side"
    if encoding.name in _MOST_PIXELS:
        limits += f" and {_MOST_PIXELS[encoding.name]} pixels"
    raise TooLarge(
        f"can't be {encoding.name}, which has at most {limits}: {style} would be "
        f"{width}x{height}; choose {_names(fit) or 'another style'}",
        field="format",
    )


def _holds(encoding: Format, width: int, height: int) -> bool:
    most = _MOST_PIXELS.get(encoding.name, width * height)
    return max(width, height) <= _LONGEST_SIDE[encoding.name] and width * height <= most


def _names(formats: tuple[Format, ...]) -> str:
    return " or ".join(known.name for known in formats)
