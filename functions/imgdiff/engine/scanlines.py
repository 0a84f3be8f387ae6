"""Reading a PNG in strips, so that neither its rows nor its pixels are ever held whole.

Of the two halves of PNG decoding, inflating is ISA-L's work (`isal`) and undoing the row filters
is libspng's (`imagecodecs`), to which a strip's filtered rows are handed as a small PNG of their
own. Between the halves it shows what two files share, before any pixel of the second is made:
equal filtered rows below equal pixels are equal pixels.

Format: W3C Portable Network Graphics Specification (Third Edition).
"""

import struct
from collections import deque
from collections.abc import Iterator
from typing import override

import numpy as np
from imagecodecs import SpngError, spng_decode
from isal import isal_zlib
from isal.igzip_lib import DECOMP_ZLIB, IgzipDecompressor, IsalError

from imgdiff.engine.frame import Frame, Samples, StripPair, grey_to_rgb
from imgdiff.engine.png import SIGNATURE, chunk
from imgdiff.engine.strips import rows_per_strip, strips

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
_OF_ANIMATIONS = (b"acTL", b"fcTL")
_LARGEST_WINDOW = 0x78
# What is inflated at a time: ISA-L copies what it can't take in yet.
_PIECE = 1 << 16
_CHUNK_START = struct.Struct(">I4s")
_CHECKSUM = struct.Struct(">I")
_UP = 2
_LAST_FILTER = 4
_ZLIB_HEADER = b"\x78\x01"
_STORED_BLOCK = struct.Struct("<xHH")
_LARGEST_STORED_BLOCK = 0xFFFF


class Irregular(Exception):
    """The file is not whole and plain: a more forgiving reader has to judge it."""


class Scanlines(Frame):
    """The pixels of an 8-bit grey, RGB or RGBA PNG without interlacing or further frames.

    Parameters
    ----------
    data : bytes
        The file.
    width, height : int
        Its size in pixels.
    channels : {1, 3, 4}
        Samples a pixel.

    Attributes
    ----------
    above : ndarray of uint8, shape (width * channels,)
        The row above the next strip.

    Raises
    ------
    Irregular
        Here, or while strips are read: the file is damaged, or has more behind its pixels.
    """

    def __init__(self, data: bytes, width: int, height: int, channels: int) -> None:
        self.width, self.height, self.channels = width, height, channels
        self._row_bytes = 1 + width * channels
        self.above = np.zeros(width * channels, np.uint8)
        self._unfilter = _Unfilter(width, channels, min(height, rows_per_strip(width)))
        self._inflated = self._inflate(_compressed_parts(data))
        self._ahead: deque[bytes] = deque()

    @override
    def strips(self) -> Iterator[Samples]:
        return (self.pixels(self.rows(filtered)) for filtered in self.filtered())

    @override
    def read_ahead(self) -> bool:
        filtered = next(self._inflated, None)
        if filtered is None:
            return False
        self._ahead.append(filtered)
        return True

    @override
    def verify(self) -> None:
        for filtered in self.filtered():
            if self.rows(filtered)[:, 0].max() > _LAST_FILTER:
                raise Irregular

    def filtered(self) -> Iterator[bytes]:
        """Yield the filtered rows, strip by strip."""
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._inflated

    def rows(self, filtered: bytes) -> Samples:
        """Filtered rows as an array, shape (rows, 1 + bytes): the filter's type comes first."""
        return np.frombuffer(filtered, np.uint8).reshape(-1, self._row_bytes)

    def pixels(self, rows: Samples) -> Samples:
        """The pixels of the next filtered rows, good until the next call."""
        pixels = self._unfilter(rows, self.above)
        self.above = pixels[-1].flatten()
        return grey_to_rgb(pixels[..., 0]) if self.channels == 1 else pixels

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
                wanted = (bottom - top) * self._row_bytes
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


def side_by_side(source: Scanlines, target: Scanlines) -> Iterator[StripPair]:
    """Yield the strips of two images of one size, with what they share made once."""
    if target is source:
        for mine in source.filtered():
            yield _shared(source, source.rows(mine))
        return
    for mine, theirs in zip(source.filtered(), target.filtered(), strict=True):
        rows = source.rows(mine)
        if mine == theirs and np.array_equal(source.above, target.above):
            yield _shared(source, rows)
            target.above = source.above
        else:
            yield source.pixels(rows), target.pixels(target.rows(theirs)), None


def _shared(image: Scanlines, rows: Samples) -> StripPair:
    # Most pages are full of rows that repeat the one above them.
    distinct = (rows[:, 0] != _UP) | (rows[:, 1:].max(axis=1) > 0)
    distinct[0] = True
    pixels = image.pixels(rows[distinct])
    return pixels, pixels, np.cumsum(distinct) - 1


class _Unfilter:
    """Undoes the filters of a strip's rows, by way of a PNG that holds them uncompressed.

    That PNG's first row is the one above the strip. Each row is a stored block of the deflate
    stream, so that from strip to strip only the rows change. The stream's end and the checksums
    behind it are left out: the decoder stops when it has its rows.
    """

    def __init__(self, width: int, channels: int, most_rows: int) -> None:
        self._width, self._channels = width, channels
        self._row_bytes = 1 + width * channels
        if self._row_bytes > _LARGEST_STORED_BLOCK:
            raise Irregular
        block = _STORED_BLOCK.pack(self._row_bytes, self._row_bytes ^ 0xFFFF)
        rows = 1 + most_rows
        self._header_bytes = len(self._header(rows))
        self._png = np.zeros(self._header_bytes + rows * (len(block) + self._row_bytes), np.uint8)
        self._blocks = self._png[self._header_bytes :].reshape(rows, -1)
        self._blocks[:, : len(block)] = np.frombuffer(block, np.uint8)
        self._pixels = np.empty((rows, width, channels), np.uint8)

    def __call__(self, filtered: Samples, above: Samples) -> Samples:
        """Return the pixels, shape (rows, width, channels), good until the next call."""
        rows = 1 + len(filtered)
        self._png[: self._header_bytes] = np.frombuffer(self._header(rows), np.uint8)
        self._blocks[0, _STORED_BLOCK.size + 1 :] = above
        self._blocks[1:rows, _STORED_BLOCK.size :] = filtered
        png = self._png[: self._header_bytes + rows * self._blocks.shape[1]]
        try:
            spng_decode(png, out=self._pixels[:rows])
        except SpngError:
            raise Irregular from None
        return self._pixels[1:rows]

    def _header(self, rows: int) -> bytes:
        header = struct.pack(
            ">IIBBBBB", self._width, rows, 8, _COLOUR_TYPES[self._channels], 0, 0, 0
        )
        length = len(_ZLIB_HEADER) + rows * (_STORED_BLOCK.size + self._row_bytes)
        return b"".join(
            (SIGNATURE, chunk(b"IHDR", header), _CHUNK_START.pack(length, b"IDAT"), _ZLIB_HEADER)
        )


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
