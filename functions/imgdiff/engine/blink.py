"""Source and target in turn, as an animated picture."""

from math import ceil, sqrt

from PIL import Image

from imgdiff.engine.colours import as_image, where
from imgdiff.engine.encoding import encode
from imgdiff.engine.hatching import hatched
from imgdiff.engine.strips import Strip
from imgdiff.engine.white import on_white
from imgdiff.formats import GIF, Format

_MILLISECONDS = 600
_COLOURS = 256
_PIXELS_QUANTIZED = 1 << 21


class Blink:
    """Two frames that alternate for ever; what doesn't count is the source's in both.

    Parameters
    ----------
    encoding : Format
        WebP or GIF.
    width, height : int
        Size of the images.
    """

    def __init__(self, encoding: Format, width: int, height: int) -> None:
        self._encoding = encoding
        self._height = height
        # One below the other, for a GIF to have one palette: what is equal stays so.
        self._both = Image.new("RGB", (width, 2 * height))

    def add(self, strip: Strip) -> None:
        """Draw the next strip of both frames."""
        source, target = on_white(strip.source), on_white(strip.target)
        if strip.counted is not None:
            target = where(strip.counted, target, source)
        for colours, top in ((source, strip.top), (target, self._height + strip.top)):
            self._both.paste(as_image(hatched(colours, strip)), (0, top))

    def finish(self) -> bytes:
        """The encoded picture."""
        both = self._both
        # Each is as large as both images.
        del self._both
        if self._encoding is GIF:
            both = _in_one_palette(both)
        source, target = (
            both.crop((0, top, both.width, top + self._height)) for top in (0, self._height)
        )
        del both
        return encode(
            source,
            self._encoding,
            lossless=False,
            save_all=True,
            append_images=[target],
            duration=_MILLISECONDS,
            loop=0,
        )


def _in_one_palette(image: Image.Image) -> Image.Image:
    # Dithered, pixels that are equal in both frames would flicker.
    step = ceil(sqrt(image.width * image.height / _PIXELS_QUANTIZED))
    if step == 1:
        return image.quantize(_COLOURS, dither=Image.Dither.NONE)
    # Of more pixels, that takes many times as long as to find the palette in some of them.
    size = max(1, image.width // step), max(1, image.height // step)
    palette = image.resize(size, Image.Resampling.NEAREST).quantize(_COLOURS)
    return image.quantize(palette=palette, dither=Image.Dither.NONE)
