"""Minimal ICC profiles, written byte by byte.

Format: Specification ICC.1:2022 (version 4) and ICC.1:2001-04 (version 2).
"""

import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

type Matrix = NDArray[np.float64]
type Chromaticity = tuple[float, float]
type Version = Literal[2, 4]

D50 = np.array([0.9642, 1.0, 0.8249])
_D65: Chromaticity = (0.3127, 0.3290)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# Red, green and blue: IEC 61966-2-1, SMPTE EG 432-1 with D65, Adobe RGB (1998).
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
# g, a, b, c and d of the parametric curve that is sRGB's.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
ADOBE_GAMMA = (563 / 256,)


def to_d50(primaries: Sequence[Chromaticity]) -> Matrix:
    """The matrix from linear R, G and B, white at D65, to XYZ adapted to D50 by Bradford."""
    unscaled = np.array([_xyz(place) for place in primaries]).T
    white = _xyz(_D65)
    matrix = unscaled * np.linalg.solve(unscaled, white)
    scale = np.diag((_BRADFORD @ D50) / (_BRADFORD @ white))
    adapted: Matrix = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix
    return adapted


def rgb_profile(
    matrix: Matrix,
    curve: Sequence[float],
    description: str = "",
    *,
    version: Version = 4,
    kind: bytes = b"mntr",
    extra: Mapping[bytes, bytes] = MappingProxyType({}),
) -> bytes:
    """A profile of a matrix, columns for R, G and B, and one curve: a gamma or g, a, b, c, d."""
    tags = {f"{name}XYZ".encode(): _point(matrix[:, k]) for k, name in enumerate("rgb")}
    tags |= {f"{name}TRC".encode(): _curve(curve, version) for name in "rgb"}
    return profile(b"RGB ", {**tags, **extra}, description, version=version, kind=kind)


def grey_profile(
    curve: Sequence[float], description: str = "", *, version: Version = 4, kind: bytes = b"mntr"
) -> bytes:
    """A profile of one curve."""
    tags = {b"kTRC": _curve(curve, version)}
    return profile(b"GRAY", tags, description, version=version, kind=kind)


def cmyk_profile(description: str = "") -> bytes:
    """A profile of plain inks: lightness falls with each, on two points an ink."""
    points = np.stack(np.meshgrid(*[[0.0, 1.0]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    cyan, magenta, yellow, black = points.T
    # The darkest is not quite black, for which black point compensation has to make up.
    lightness = 0.1 + 0.9 * (1 - black) * (1 - (cyan + magenta + yellow) / 3)
    a, b = (1 - black) * (magenta - cyan) * 0.3, (1 - black) * (yellow - magenta) * 0.3
    lab = np.stack([lightness, (a * 127 + 128) / 255, (b * 127 + 128) / 255], axis=1)
    table = (
        struct.pack(">4s4xBBBx9i", b"mft1", 4, 3, 2, *np.eye(3, dtype=int).ravel().tolist())
        + bytes(range(256)) * 4
        + np.rint(lab * 255).astype(np.uint8).tobytes()
        + bytes(range(256)) * 3
    )
    return profile(
        b"CMYK",
        dict.fromkeys((b"A2B0", b"A2B1"), table),
        description,
        version=2,
        kind=b"scnr",
        pcs=b"Lab ",
    )


def profile(
    space: bytes,
    tags: Mapping[bytes, bytes],
    description: str,
    *,
    version: Version = 4,
    kind: bytes = b"mntr",
    pcs: bytes = b"XYZ ",
) -> bytes:
    """A header, a table of tags, and the tags."""
    every = {b"desc": _description(description, version), b"wtpt": _point(D50), **tags}
    place = 128 + 4 + 12 * len(every)
    table, content = struct.pack(">I", len(every)), b""
    for name, data in every.items():
        table += struct.pack(">4sII", name, place + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12x4s28x3i48x",
        *(place + len(content), version << 24, kind, space, pcs, b"acsp"),
        *_fixed(D50),
    )
    return header + table + content


def decoded(samples: NDArray[np.float64], curve: Sequence[float]) -> NDArray[np.float64]:
    """Samples of 0 to 1 made linear: a gamma, or the parametric curve of type 3."""
    if len(curve) == 1:
        return samples ** curve[0]
    g, a, b, c, d = curve
    return np.where(samples >= d, (a * samples + b) ** g, c * samples)


def encoded_as_srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear samples as sRGB's of 0 to 1, clipped (IEC 61966-2-1)."""
    clipped = linear.clip(0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def _xyz(place: Chromaticity) -> NDArray[np.float64]:
    x, y = place
    return np.array([x / y, 1, (1 - x - y) / y])


def _fixed(numbers: NDArray[np.float64]) -> list[int]:
    return [round(number * 65536) for number in numbers.tolist()]


def _point(xyz: NDArray[np.float64]) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *_fixed(xyz))


def _curve(curve: Sequence[float], version: Version) -> bytes:
    if version == 4:
        kind = 0 if len(curve) == 1 else 3
        return struct.pack(f">4s4xHxx{len(curve)}i", b"para", kind, *_fixed(np.array(curve)))
    if len(curve) == 1:
        return struct.pack(">4s4xIHxx", b"curv", 1, round(curve[0] * 256))
    table = np.rint(decoded(np.linspace(0, 1, 1024), curve) * 65535).astype(">u2")
    return struct.pack(">4s4xI", b"curv", len(table)) + table.tobytes()


def _description(text: str, version: Version) -> bytes:
    if version == 4:
        wide = text.encode("utf-16-be")
        return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(wide), 28) + wide
    narrow = text.encode("ascii") + b"\0"
    return struct.pack(">4s4xI", b"desc", len(narrow)) + narrow + bytes(78)
