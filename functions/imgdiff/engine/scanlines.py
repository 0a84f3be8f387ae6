"""Reading a PNG in strips, so that neither its rows nor its pixels are ever held whole.

Of the two halves of PNG decoding, inflating is done here, with ISA-L (`isal`), and undoing the row
filters is the core's. Between the halves it shows what two files share, before any pixel of the
second is made: equal filtered rows below equal pixels are equal pixels.

Format: W3C Portable Network Graphics Specification (Third Edition).
"""

import struct
from collections import deque
from collections.abc import Iterator
from typing import override

import numpy as np
from isal import isal_zlib
from isal.igzip_lib import DECOMP_ZLIB, IgzipDecompressor, IsalError

from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.png import SIGNATURE
from imgdiff.engine.strips import strips

_OF_ANIMATIONS = (b"acTL", b"fcTL")
_LARGEST_WINDOW = 0x78
# What is inflated at a time: ISA-L copies what it can't take in yet.
_PIECE = 1 << 16
_CHUNK_START = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_LAST_FILTER = 4


class Irregular(Exception):
    """The file is not whole and plain: a more forgiving reader has to judge it."""


class Scanlines(Frame):
    """The rows of an 8-bit grey, RGB or RGBA PNG without interlacing or further frames.

    Parameters
    ----------
    data : bytes
        The file.
    width, height : int
        Its size in pixels.
    channels : {1, 3, 4}
        Samples a pixel.

    Raises
    ------
    Irregular
        Here, or while strips are read: the file is damaged, or has more behind its pixels.
    """

    filtered = True
    decoded = False

    def __init__(self, data: bytes, width: int, height: int, channels: int) -> None:
        self.width, self.height, self.channels = width, height, channels
        self._inflated = self._inflate(_compressed_parts(data))
        self._ahead: deque[bytes] = deque()

    @override
    def strips(self) -> Iterator[Samples]:
        for filtered in self._filtered():
            yield np.frombuffer(filtered, np.uint8).reshape(-1, self.row_bytes)

    @override
    def read_ahead(self) -> bool:
        filtered = next(self._inflated, None)
        if filtered is None:
            return False
        self._ahead.append(filtered)
        return True

    @override
    def verify(self) -> None:
        for filtered in self._filtered():
            if max(filtered[:: self.row_bytes]) > _LAST_FILTER:
                raise Irregular

    def _filtered(self) -> Iterator[bytes]:
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._inflated

    def _inflate(self, parts: list[memoryview]) -> Iterator[bytes]:
        # ISA-L would take windows that zlib refuses.
        if parts and parts[0][0] > _LARGEST_WINDOW:
            raise Irregular
        pieces = iter(parts)
        inflater = IgzipDecompressor(flag=DECOMP_ZLIB)

        def inflate(most: int) -> bytes:
            if inflater.eof:
                raise Irregular
            return inflater.decompress(next(pieces) if inflater.needs_input else b"", most)

        try:
            for top, bottom in strips(self.width, self.height):
                inflated = []
                wanted = (bottom - top) * self.row_bytes
                while wanted:
                    inflated.append(inflate(wanted))
                    wanted -= len(inflated[-1])
                yield b"".join(inflated)
            while not inflater.eof:
                if inflate(1):
                    raise Irregular
        except (StopIteration, IsalError):  # type: ignore[misc] # its stub has no class
            raise Irregular from None
        if inflater.unused_data or any(pieces):
            raise Irregular


def _compressed_parts(data: bytes) -> list[memoryview]:
    """The contents of the IDAT chunks in pieces; nothing but the end may come after them."""
    view = memoryview(data)
    position = len(SIGNATURE)
    parts: list[memoryview] = []
    try:
        while True:
            length, name = _CHUNK_START.unpack_from(view, position)
            content = position + _CHUNK_START.size
            (checksum,) = _CHECKSUM.unpack_from(view, content + length)
            if checksum != isal_zlib.crc32(view[position + 4 : content + length]):
                raise Irregular
            if name == b"IDAT":
                pieces = range(content, content + length, _PIECE)
                parts += [view[at : min(at + _PIECE, content + length)] for at in pieces]
            elif name == b"IEND":
                return parts
            elif parts or name in _OF_ANIMATIONS:
                raise Irregular
            position = content + length + _CHECKSUM.size
    except struct.error:
        raise Irregular from None
