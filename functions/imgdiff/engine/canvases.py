"""What pictures are painted on: rows of colours in, an encoded image out."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine.colours import as_image
from imgdiff.engine.encoding import encode
from imgdiff.engine.png import PalettePng, RgbPng
from imgdiff.formats import PNG, Format


class Canvas(Protocol):
    """A picture that is painted from top to bottom."""

    def add(self, rows: NDArray[np.uint8]) -> None:
        """Append rows: palette indices, shape (rows, width), or colours, (rows, width, 4)."""
        ...

    def finish(self) -> bytes:
        """The encoded picture; nothing can be added after."""
        ...


def canvas(
    encoding: Format, width: int, height: int, palette: bytes | None, *, lossless: bool
) -> Canvas:
    """An empty canvas.

    Parameters
    ----------
    encoding : Format
        PNG, which is written as rows come; or WebP or JPEG, for which they are gathered.
    width, height : int
        Size in pixels.
    palette : bytes or None
        R, G and B of at most 256 colours; None for rows of colours.
    lossless : bool
        Whether pixels stay as they are where the format can do either.
    """
    if encoding is not PNG:
        return _Gathered(encoding, width, height, palette, lossless=lossless)
    return RgbPng(width, height) if palette is None else PalettePng(width, height, palette)


class _Gathered:
    """A picture that Pillow encodes when it is whole."""

    def __init__(
        self, encoding: Format, width: int, height: int, palette: bytes | None, *, lossless: bool
    ) -> None:
        self._image = Image.new("P" if palette else "RGB", (width, height))
        if palette:
            self._image.putpalette(palette)
        self._format = encoding
        self._lossless = lossless
        self._row = 0

    def add(self, rows: NDArray[np.uint8]) -> None:
        strip = Image.fromarray(rows) if self._image.mode == "P" else as_image(rows)
        self._image.paste(strip, (0, self._row))
        self._row += len(rows)

    def finish(self) -> bytes:
        image = self._image
        if image.mode == "P":
            image = image.convert("RGB")
        return encode(image, self._format, lossless=self._lossless)
