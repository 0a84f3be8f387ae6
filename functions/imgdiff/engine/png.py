"""Writing a PNG strip by strip, so that the picture is never held uncompressed.

Format: W3C Portable Network Graphics Specification (Third Edition).
"""

import io
import struct
from collections.abc import Buffer

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH = 8
_TRUECOLOUR = 2
_INDEXED_COLOUR = 3
# Of what is cheap to undo and to make, the filter that leaves least.
_UP = 2
_COMPRESSION_LEVEL = 1


class _Png:
    """An 8-bit PNG under way, of the rows that a kind of PNG makes."""

    def __init__(self, width: int, height: int, colour_type: int, *chunks: bytes) -> None:
        header = struct.pack(">IIBBBBB", width, height, _BIT_DEPTH, colour_type, 0, 0, 0)
        self._file = io.BytesIO()
        for part in (SIGNATURE, chunk(b"IHDR", header), *chunks):
            self._file.write(part)
        self._deflate = isal_zlib.compressobj(_COMPRESSION_LEVEL)

    def write(self, rows: Buffer) -> None:
        """Append filtered rows, each behind its filter's type."""
        self._append(self._deflate.compress(rows))

    def finish(self) -> bytes:
        """The whole file; nothing can be written after."""
        self._append(self._deflate.flush())
        self._file.write(chunk(b"IEND", b""))
        return self._file.getvalue()

    def _append(self, compressed: bytes) -> None:
        if compressed:
            self._file.write(chunk(b"IDAT", compressed))


class PalettePng(_Png):
    """An 8-bit palette PNG under way.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    palette : bytes
        R, G and B of at most 256 colours.
    """

    content_type = "image/png"
    extension = "png"

    def __init__(self, width: int, height: int, palette: bytes) -> None:
        super().__init__(width, height, _INDEXED_COLOUR, chunk(b"PLTE", palette))

    def add(self, indices: NDArray[np.uint8]) -> None:
        """Append rows of palette indices, shape (rows, width)."""
        rows, width = indices.shape
        filtered = np.zeros((rows, 1 + width), np.uint8)
        filtered[:, 1:] = indices
        self.write(filtered)


class RgbPng(_Png):
    """An RGB PNG of 8 bits a sample under way.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        super().__init__(width, height, _TRUECOLOUR)
        self._above = np.zeros((1, width, 4), np.uint8)

    def add(self, colours: NDArray[np.uint8]) -> None:
        """Append rows of R, G, B and one sample that is left out, shape (rows, width, 4)."""
        up = np.empty_like(colours)
        np.subtract(colours[:1], self._above, out=up[:1])
        np.subtract(colours[1:], colours[:-1], out=up[1:])
        self._above = colours[-1:].copy()
        rows, width, _ = colours.shape
        filtered = np.empty((rows, 1 + 3 * width), np.uint8)
        filtered[:, 0] = _UP
        filtered[:, 1:] = up[..., :3].reshape(rows, -1)
        self.write(filtered)


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file: length, name, content and checksum."""
    checksum = isal_zlib.crc32(content, isal_zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)))
