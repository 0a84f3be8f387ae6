"""PNG files row by row: any filter in any row, the compressed stream cut and damaged at will.

Format: W3C Portable Network Graphics Specification (Third Edition), chapter 9.
"""

import struct
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.unit.engine.images import Pixels
from tests.unit.engine.png_writer import chunk

COLOUR_TYPES = {1: 0, 3: 2, 4: 6}


def filtered_png(pixels: Pixels, filters: Sequence[int], **options: Any) -> bytes:
    """Encode 8-bit pixels, shape (height, width, 1, 3 or 4); the filters are used in turn."""
    height, width, channels = pixels.shape
    return whole(deflated(filtered(pixels, filters), **options), width, height, channels)


def whole(
    stream: bytes,
    width: int,
    height: int,
    channels: int,
    *,
    cuts: Iterable[int] = (),
    before: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """The file around a compressed stream, which is cut into IDAT chunks at the given places."""
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    places = [0, *sorted(cuts), len(stream)]
    parts = [chunk(b"IDAT", stream[start:end]) for start, end in pairwise(places)]
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before
    return b"".join([start, *parts, behind, chunk(b"IEND", b"")])


def deflated(rows: bytes, *, level: int = 6, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    """The zlib stream of filtered rows."""
    deflate = zlib.compressobj(level, strategy=strategy)
    return deflate.compress(rows) + deflate.flush()


def filtered(pixels: Pixels, filters: Sequence[int]) -> bytes:
    """The rows behind their filters; types that are not known filter nothing."""
    height, _, channels = pixels.shape
    kinds = np.resize(filters, height)
    rows = pixels.reshape(height, -1).astype(np.int16)
    framed = np.pad(rows, ((1, 0), (channels, 0)))
    left, above, corner = framed[1:, :-channels], framed[:-1, channels:], framed[:-1, :-channels]
    predictions = [left * 0, left, above, (left + above) // 2, _paeth(left, above, corner)]
    known = np.where(kinds < 5, kinds, 0)
    differences = rows - np.choose(known[:, np.newaxis], predictions)
    return np.column_stack([kinds, differences]).astype(np.uint8).tobytes()


def _paeth(left: NDArray[Any], above: NDArray[Any], corner: NDArray[Any]) -> NDArray[Any]:
    estimate = left + above - corner
    to_left, to_above, to_corner = (abs(estimate - line) for line in (left, above, corner))
    return np.where(
        (to_left <= to_above) & (to_left <= to_corner),
        left,
        np.where(to_above <= to_corner, above, corner),
    )


def with_sound_checksums(file: bytes) -> bytes:
    """The PNG file with every chunk's checksum made right, as far as there are chunks."""
    repaired = bytearray(file)
    position = 8
    while position + 12 <= len(file):
        end = position + 8 + int.from_bytes(file[position : position + 4])
        if end + 4 > len(file):
            break
        repaired[end : end + 4] = zlib.crc32(file[position + 4 : end]).to_bytes(4)
        position = end + 4
    return bytes(repaired)
