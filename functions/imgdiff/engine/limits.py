"""The limits on an encoded image, all checked before any pixel of it is decoded.

`check_structure` comes before any parser sees the file: a walk over the file's parts tells what it
comes across, and is ended where that gets too much. `check_header` comes when Pillow has read the
header. Neither judges damage: a walk ends where the file makes no more sense, and Pillow says so.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

import numpy as np
from PIL import ImageFile, PngImagePlugin

from imgdiff.errors import TooLarge, UnsupportedImage

# Strips are whole rows, and Pillow keeps a pointer to every row.
_LONGEST_SIDE = 100_000
# Those of printers are the largest, with up to 3 MB.
_LARGEST_PROFILE = 4 << 20
_MOST = {
    # Only the first is decoded. At 30 a second these are five minutes.
    "frames": 10_000,
    # Of a JPEG: about ten are usual, and each is a pass over the whole image.
    "scans": 30,
    # Of a JPEG: 320 long ones are 20 MB. Pillow joins their EXIF one by one.
    "segments": 1_000,
    # Of a JPEG: what its tables take and what lies before the first scan in no segment.
    "bytes of tables and filling": 1 << 16,
    # PNG and WebP chunks, AVIF boxes and GIF blocks, of whose smallest 20 MB have 78,000.
    "parts": 100_000,
    # Once inflated, which may make them a thousand times as large.
    "bytes of compressed text and profile in PNG": _LARGEST_PROFILE,
    # JPEG has room for 64 KB; Pillow makes an object of each number that it asks for.
    "bytes of EXIF": 1 << 18,
    # Of a TIFF; libtiff has the same limit.
    "tags": 4_096,
    # Of a TIFF: the places and lengths of as many 16x16 tiles as 25 megapixels have.
    "numbers in tags": 200_000,
    # Of an AVIF: for each item in its directory libavif goes through all the others.
    "bytes of directory": 1 << 17,
    # Of a BMP: Pillow decodes these in Python.
    "run-length coded pixels or bytes": 1 << 22,
}
# What TIFF 6.0 and its supplements define: none, fax, LZW, JPEG, Deflate and PackBits. Of the
# others hardly a viewer knows any, and libtiff gives LZMA all the memory that it asks for.
_TIFF_COMPRESSIONS = (1, 2, 3, 4, 5, 7, 8, 32773, 32946)
# Lossless, hierarchical and arithmetic coding, of which browsers know none.
_UNREAD_JPEG_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))

# All of a PNG's text is counted here.
PngImagePlugin.MAX_TEXT_CHUNK = _LARGEST_PROFILE + 1

# What a walk has come across, and how much of it.
type Found = tuple[str, int]


def check_structure(data: bytes, max_pixels: int) -> bool:
    """Hold what a file is made of against the limits.

    Parameters
    ----------
    data : bytes
        The file.
    max_pixels : int
        The most pixels that may be decoded.

    Returns
    -------
    bool
        Whether a mark says that the file is whole: the end of a PNG, JPEG or GIF is there.

    Raises
    ------
    TooLarge
        The file has too many parts, or too large ones.
    UnsupportedImage
        It is coded in a way that is not read here.
    """
    walk = _WALKS.get(data[:4]) or _WALKS.get(data[:3]) or _WALKS.get(data[:2])
    if data[4:8] == b"ftyp":
        walk = _avif
    if not walk:
        return False
    found = dict.fromkeys(_MOST, 0)
    try:
        for what, number in walk(data, max_pixels):
            found[what] += number
            if found[what] > _MOST[what]:
                raise TooLarge(f"has more than {_MOST[what]} {what}")
    except (IndexError, OverflowError, ValueError, struct.error):
        return False
    return True


def check_header(file: ImageFile.ImageFile, max_pixels: int) -> None:
    """Hold what Pillow has read of a file against the limits.

    Raises
    ------
    TooLarge
        The image or its colour profile is too large.
    """
    _check_size(*file.size, max_pixels)
    if len(file.info.get("icc_profile") or b"") > _LARGEST_PROFILE:
        raise TooLarge(f"has a colour profile of more than {_LARGEST_PROFILE} bytes")


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise TooLarge(f"is {width}x{height} pixels, over the limit of {max_pixels} pixels")
    if max(width, height) > _LONGEST_SIDE:
        raise TooLarge(
            f"is {width}x{height} pixels, over the limit of {_LONGEST_SIDE} pixels a side"
        )


def _png(data: bytes, _max_pixels: int) -> Iterator[Found]:
    position, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, position)
        yield "parts", 1
        content = position + 8
        position = content + length + 4
        if name == b"acTL":
            yield "frames", int.from_bytes(data[content : content + 4])
        elif name == b"eXIf":
            yield "bytes of EXIF", length
        elif name in (b"iCCP", b"zTXt", b"iTXt"):
            for inflated in _inflated(name, data[content : content + length]):
                yield "bytes of compressed text and profile in PNG", inflated


def _inflated(name: bytes, content: bytes) -> Iterator[int]:
    """What a chunk inflates to, as far as it is sound: its size, piece by piece."""
    _, _, behind_keyword = content.partition(b"\0")
    if name == b"iTXt":
        is_compressed = behind_keyword[:1] not in (b"", b"\0")
        rest = behind_keyword[2:].split(b"\0", 2)[-1] if is_compressed else b""
    else:
        rest = behind_keyword[1:]
    inflater = zlib.decompressobj()
    try:
        while rest:
            yield len(inflater.decompress(rest, 1 << 16))
            rest = inflater.unconsumed_tail
    except zlib.error:
        return


_START_OF_SCAN, _END_OF_IMAGE, _QUANTIZATION, _APP1 = 0xDA, 0xD9, 0xDB, 0xE1
_FRAMES_AND_TABLES = (*range(0xC0, 0xD0), _QUANTIZATION)
_WITHOUT_LENGTH = (0x01, 0xD8)
# Not: escaped data, restarts, and filling before the marker itself.
_IS_MARKER = ~np.isin(np.arange(256), (0x00, *range(0xD0, 0xD8), 0xFF))
_WINDOW = 1 << 20


def _jpeg(data: bytes, _max_pixels: int) -> Iterator[Found]:
    position = scans = 0
    while True:
        start = _next_marker(data, position)
        marker = data[start + 1]
        # What a phone puts behind the end, such as a video, does not count.
        if marker == _END_OF_IMAGE:
            return
        yield "segments", 1
        if not scans:
            yield "bytes of tables and filling", start - position
        if marker in _UNREAD_JPEG_FRAMES:
            raise UnsupportedImage("is a lossless or arithmetic-coded JPEG, which is not read here")
        position = start + 2
        if marker not in _WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2])
        if marker == _START_OF_SCAN:
            scans += 1
            yield "scans", 1
        elif marker in _FRAMES_AND_TABLES:
            yield "bytes of tables and filling", position - start
        elif marker == _APP1 and data.startswith(b"Exif\0\0", start + 4):
            yield "bytes of EXIF", position - start


def _next_marker(data: bytes, position: int) -> int:
    if data[position] == 0xFF and _IS_MARKER[data[position + 1]]:
        return position
    for start in range(position, len(data), _WINDOW):
        samples = np.frombuffer(data[start : start + _WINDOW + 1], np.uint8)
        escapes = np.flatnonzero(samples[:-1] == 0xFF)
        markers = escapes[_IS_MARKER[samples[escapes + 1]]]
        if markers.size:
            return start + int(markers[0])
    raise IndexError


def _webp(data: bytes, max_pixels: int) -> Iterator[Found]:
    position = 12
    while True:
        name, length = struct.unpack_from("<4sI", data, position)
        yield "parts", 1
        content = position + 8
        position = content + length + length % 2
        if name == b"VP8X":
            # Pillow makes room for the canvas when it reads the header.
            sides = (data[content + 4 : content + 7], data[content + 7 : content + 10])
            width, height = (1 + int.from_bytes(side, "little") for side in sides)
            _check_size(width, height, max_pixels)
        elif name == b"ANMF":
            yield "frames", 1
        elif name == b"EXIF":
            yield "bytes of EXIF", length


def _gif(data: bytes, _max_pixels: int) -> Iterator[Found]:
    position = 13 + _gif_palette(data[10])
    frames = 0
    while (kind := data[position]) != ord(";"):
        if kind == ord(","):
            frames += 1
            yield "frames", 1
            position += 11 + _gif_palette(data[position + 9])
        elif kind == ord("!"):
            yield "parts", 1
            position += 2
        elif frames:
            return
        else:
            yield "parts", 1
            position += 1
            continue
        while length := data[position]:
            yield "parts", 1
            position += 1 + length
        position += 1


def _gif_palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _bmp(data: bytes, _max_pixels: int) -> Iterator[Found]:
    header, width, height, compression = struct.unpack_from("<Iii4xI", data, 14)
    if header >= 40 and compression in (1, 2):
        yield "run-length coded pixels or bytes", max(abs(width * height), len(data))


_WIDTH, _HEIGHT, _COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT = 256, 257, 259, 322, 323
_TOLD = (_WIDTH, _HEIGHT, _COMPRESSION, _TILE_WIDTH, _TILE_HEIGHT)
# EXIF, GPS and interoperability, which Pillow reads too.
_DIRECTORIES = (34665, 34853, 40965)
_BYTES = (1, 2, 7)


def _tiff(data: bytes, max_pixels: int) -> Iterator[Found]:
    file = _Tiff(data)
    told: dict[int, int] = {}
    walked: set[int] = set()
    pending = [file.first]
    while pending:
        if (directory := pending.pop()) in walked:
            continue
        walked.add(directory)
        for tag, kind, count, place in file.entries(directory):
            yield "tags", 1
            # More than the file has bytes are not there, and not read.
            if kind not in _BYTES and count <= len(data):
                yield "numbers in tags", count
            if tag in _DIRECTORIES:
                pending.append(file.number(kind, place))
            elif tag in _TOLD and directory == file.first:
                told.setdefault(tag, file.number(kind, place))
    _check_tiff(told, max_pixels)
    frame = file.first
    walked.clear()
    while frame and frame not in walked:
        walked.add(frame)
        yield "frames", 1
        frame = file.following(frame)


def _check_tiff(told: dict[int, int], max_pixels: int) -> None:
    compression = told.get(_COMPRESSION, 1)
    if compression not in _TIFF_COMPRESSIONS:
        raise UnsupportedImage(f"is a TIFF with compression {compression}, which is not read here")
    wide, high = told.get(_TILE_WIDTH, 0), told.get(_TILE_HEIGHT, 0)
    # What tiles hold beyond the edges of the image is decoded too.
    covered = (told.get(_WIDTH, 0) + wide) * (told.get(_HEIGHT, 0) + high)
    if wide * high > max_pixels or (wide and covered > 4 * max_pixels):
        raise TooLarge(f"has tiles of {wide}x{high} pixels, which is too large")


class _Tiff:
    """A TIFF's directories: their entries' tag, type and count of values, and place of these."""

    def __init__(self, data: bytes) -> None:
        order = "<" if data[:2] == b"II" else ">"
        codes = ("Q", "HHQ", "Q") if data[2] == 43 else ("H", "HHL", "L")
        self._count, self._entry, self._place = (struct.Struct(order + code) for code in codes)
        numbers = {3: "H", 4: "L", 8: "h", 9: "l", 13: "L", 16: "Q"}
        self._numbers = {kind: struct.Struct(order + code) for kind, code in numbers.items()}
        self._data = data
        (self.first,) = self._place.unpack_from(data, self._place.size)

    def entries(self, directory: int) -> Iterator[tuple[int, int, int, int]]:
        (count,) = self._count.unpack_from(self._data, directory)
        place = directory + self._count.size
        for _ in range(count):
            tag, kind, values = self._entry.unpack_from(self._data, place)
            yield tag, kind, values, place + self._entry.size
            place += self._entry.size + self._place.size

    def number(self, kind: int, place: int) -> int:
        if kind not in self._numbers:
            raise UnsupportedImage("is damaged or cut short")
        if self._numbers[kind].size > self._place.size:
            (place,) = self._place.unpack_from(self._data, place)
        number: int = self._numbers[kind].unpack_from(self._data, place)[0]
        return number

    def following(self, directory: int) -> int:
        (count,) = self._count.unpack_from(self._data, directory)
        place = directory + self._count.size + count * (self._entry.size + self._place.size)
        following: int = self._place.unpack_from(self._data, place)[0]
        return following


def _avif(data: bytes, _max_pixels: int) -> Iterator[Found]:
    pending = [(0, len(data))]
    while pending:
        for name, start, end in _boxes(data, *pending.pop()):
            yield "parts", 1
            if name in (b"meta", b"moov"):
                yield "bytes of directory", end - start
            if name == b"meta":
                yield from _avif_exif(data, start, end)
            elif name == b"stsz":
                yield "frames", int.from_bytes(data[start + 8 : start + 12])
            elif name in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
                pending.append((start, end))


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start < end:
        length, name = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if length == 1:
            length = int.from_bytes(data[content : content + 8])
            content += 8
        if length == 0:
            length = end - start
        if length < 8:
            return
        yield name, content, start + length
        start += length


def _avif_exif(data: bytes, start: int, end: int) -> Iterator[Found]:
    """The lengths of the items that are EXIF, by the directory's tables of types and of places."""
    tables = {name: (at, to) for name, at, to in _boxes(data, start + 4, end)}
    if b"iinf" not in tables or b"iloc" not in tables:
        return
    at, to = tables[b"iinf"]
    exif = set()
    for _, entry, _ in _boxes(data, at + (8 if data[at] else 6), to):
        wide = 4 if data[entry] == 3 else 2
        if data.startswith(b"Exif", entry + 6 + wide):
            exif.add(data[entry + 4 : entry + 4 + wide].rjust(4, b"\0"))
    at, to = tables[b"iloc"]
    version, wide = data[at], 4 if data[at] == 2 else 2
    offset, length, base, index = (int(digit, 16) for digit in data[at + 4 : at + 6].hex())
    extent = (index if version else 0) + offset + length
    at += 6 + wide
    while at < to:
        item = data[at : at + wide].rjust(4, b"\0")
        at += wide + (4 if version else 2) + base + 2
        extents = int.from_bytes(data[at - 2 : at])
        behind = at + extents * extent
        while at < behind and item in exif:
            at += extent
            yield "bytes of EXIF", int.from_bytes(data[at - length : at])
        at = behind


_WALKS: dict[bytes, Callable[[bytes, int], Iterator[Found]]] = {
    b"\x89PNG": _png,
    b"\xff\xd8\xff": _jpeg,
    b"RIFF": _webp,
    b"GIF8": _gif,
    b"BM": _bmp,
    b"II": _tiff,
    b"MM": _tiff,
}
