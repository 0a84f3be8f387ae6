"""Source and target in turn, as an animated picture."""

import io

from PIL import Image

from imgdiff.engine.canvases import LOSSY_WEBP
from imgdiff.engine.colours import as_image, on_white, where
from imgdiff.engine.hatching import hatched
from imgdiff.engine.strips import Strip
from imgdiff.formats import GIF, Format

_MILLISECONDS = 600


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
        if self._encoding is GIF:
            # Dithered, pixels that are equal in both frames would flicker.
            both = both.quantize(256, dither=Image.Dither.NONE)
        width = both.width
        source, target = (
            both.crop((0, top, width, top + self._height)) for top in (0, self._height)
        )
        file = io.BytesIO()
        source.save(
            file,
            self._encoding.name,
            save_all=True,
            append_images=[target],
            duration=_MILLISECONDS,
            loop=0,
            **({} if self._encoding is GIF else LOSSY_WEBP),
        )
        return file.getvalue()
