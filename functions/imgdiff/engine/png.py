"""Writing a palette PNG strip by strip, so that the picture is never held uncompressed.

Format: W3C Portable Network Graphics Specification (Third Edition).
"""

import io
import struct
from collections.abc import Buffer

from isal import isal_zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BIT_DEPTH = 8
_INDEXED_COLOUR = 3
_COMPRESSION_LEVEL = 1


class PalettePng:
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
        header = struct.pack(">IIBBBBB", width, height, _BIT_DEPTH, _INDEXED_COLOUR, 0, 0, 0)
        self._file = io.BytesIO()
        for part in (SIGNATURE, chunk(b"IHDR", header), chunk(b"PLTE", palette)):
            self._file.write(part)
        self._deflate = isal_zlib.compressobj(_COMPRESSION_LEVEL)

    def write(self, rows: Buffer) -> None:
        """Append rows of palette indices, each behind its filter's type."""
        self._append(self._deflate.compress(rows))

    def finish(self) -> bytes:
        """The whole file; nothing can be written after."""
        self._append(self._deflate.flush())
        self._file.write(chunk(b"IEND", b""))
        return self._file.getvalue()

    def _append(self, compressed: bytes) -> None:
        if compressed:
            self._file.write(chunk(b"IDAT", compressed))


def chunk(name: bytes, content: bytes) -> bytes:
    """A chunk of a PNG file: length, name, content and checksum."""
    checksum = isal_zlib.crc32(content, isal_zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", checksum)))
