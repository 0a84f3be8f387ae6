"""A small PNG writer for what Pillow can't write: every colour type, bit depth, tRNS and Adam7.

Format: W3C Portable Network Graphics Specification (Third Edition).
"""

import struct
import zlib
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

type ColourType = Literal["grey", "rgb", "palette", "grey+alpha", "rgba"]

_COLOUR_TYPES: dict[ColourType, tuple[int, int]] = {
    "grey": (0, 1),
    "rgb": (2, 3),
    "palette": (3, 1),
    "grey+alpha": (4, 2),
    "rgba": (6, 4),
}
# Of each Adam7 pass: first column, first row, column step, row step.
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def png(
    samples: NDArray[Any],
    colour: ColourType,
    bits: int = 8,
    *,
    palette: NDArray[np.uint8] | None = None,
    transparency: bytes | None = None,
    interlaced: bool = False,
) -> bytes:
    """Encode samples, shape (height, width) or (height, width, samples), given at `bits`."""
    height, width = samples.shape[:2]
    number, channels = _COLOUR_TYPES[colour]
    samples = samples.reshape(height, width, channels)
    passes = [samples[y::dy, x::dx] for x, y, dx, dy in _ADAM7] if interlaced else [samples]
    rows = b"".join(_rows(part, bits) for part in passes if part.size)
    header = struct.pack(">IIBBBBB", width, height, bits, number, 0, 0, interlaced)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", header),
            b"" if palette is None else chunk(b"PLTE", palette.tobytes()),
            b"" if transparency is None else chunk(b"tRNS", transparency),
            chunk(b"IDAT", zlib.compress(rows, 1)),
            chunk(b"IEND", b""),
        )
    )


def chunk(name: bytes, content: bytes) -> bytes:
    """Length, name, content and checksum."""
    length, checksum = len(content), zlib.crc32(name + content)
    return struct.pack(">I", length) + name + content + struct.pack(">I", checksum)


def insert(file: bytes, name: bytes, content: bytes) -> bytes:
    """The PNG file with one more chunk, right behind its header."""
    return file[:33] + chunk(name, content) + file[33:]


def _rows(samples: NDArray[Any], bits: int) -> bytes:
    height = len(samples)
    flat = samples.reshape(height, -1)
    if bits == 16:
        packed = flat.astype(">u2").view(np.uint8)
    elif bits == 8:
        packed = flat.astype(np.uint8)
    else:
        places = np.arange(bits - 1, -1, -1)
        packed = np.packbits((flat[:, :, np.newaxis] >> places & 1).reshape(height, -1), axis=1)
    no_filter = np.zeros((height, 1), dtype=np.uint8)
    return np.concatenate([no_filter, packed.reshape(height, -1)], axis=1).tobytes()
