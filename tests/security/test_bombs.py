"""Small files that ask for much: each gets the right answer, in bounded time and memory."""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.unit.engine.images import encode, photograph
from tests.unit.engine.png_writer import chunk, insert

ROOT = Path(__file__).parents[2]
MEGABYTE = 1 << 20
SECONDS = 5
# What decoding a picture of 16x16 pixels may take besides its file.
ROOM = 64 * MEGABYTE
# What a pair of 25 megapixels takes at most.
LARGEST_PAIR = 900 * MEGABYTE

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="Peak memory is read from Linux's /proc."
)

# Answers each line, the paths of a source and a target, with a line: what came of comparing and
# of cropping them, the processor time and the peak memory.
WORKER = """
import io, json, re, resource, sys, time, warnings
from pathlib import Path
from PIL import Image
from imgdiff.engine import compare, crop
from imgdiff.errors import ImgdiffError

def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

def tell(work, *args, **options):
    try:
        work(*args, **options)
    except ImgdiffError as error:
        return [type(error).__name__, error.reason]
    return ["accepted", ""]

def answer(source, target):
    idle, began = status("VmRSS"), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")
    outcomes = [tell(compare, source, target)]
    if source == target:
        outcomes.append(tell(crop, source, 0, 0, 9, 9, max_pixels=25_000_000))
    return outcomes, time.process_time() - began, status("VmHWM") - idle

warnings.simplefilter("ignore")
resource.setrlimit(resource.RLIMIT_CPU, (600, 600))
for name in ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"):
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, name)
    answer(file.getvalue(), file.getvalue())
for line in sys.stdin:
    print(json.dumps(answer(*(Path(path).read_bytes() for path in json.loads(line)))), flush=True)
"""


class Answer(NamedTuple):
    """What came of a pair of files, and what it took."""

    outcomes: list[list[str]]
    seconds: float
    memory: int


class Worker:
    """A process that compares, of which a bomb is not to be the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            env={**os.environ, "PYTHONPATH": str(ROOT / "functions")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, source: bytes, target: bytes | None = None) -> Answer:
        paths = [self._folder / name for name in ("source", "target")]
        for path, data in zip(paths, (source, source if target is None else target), strict=True):
            path.write_bytes(data)
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([str(path) for path in paths]) + "\n")
        self._process.stdin.flush()
        return Answer(*json.loads(self._process.stdout.readline()))

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    started = Worker(tmp_path_factory.mktemp("bombs"))
    yield started
    started.stop()


PICTURE = photograph(16, 16)
PNG = encode(PICTURE, "PNG")
JPEG = encode(PICTURE, "JPEG")
GIF = encode(Image.fromarray(PICTURE).quantize(4), "GIF")
WEBP = encode(PICTURE, "WEBP", lossless=True)
AVIF = encode(PICTURE, "AVIF", speed=10)


@cache
def deflated_zeros(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


# PNG


def png_of(width: int, height: int, *, idat: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", idat) + chunk(b"IEND", b"")


def png_behind_pixels(chunks: bytes) -> bytes:
    return PNG[:-12] + chunks + PNG[-12:]


def png_text(name: bytes, start: bytes, text: bytes, *, count: int) -> bytes:
    return PNG[:33] + chunk(name, start + text) * count + PNG[33:]


def damaged(stream: bytes) -> bytes:
    """A deflated stream of which only the last bytes tell that it is none."""
    return stream[:-4] + b"none"


# TIFF's directories, of which EXIF is one


def tiff(*entries: tuple[int, int, int, bytes], behind: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of one directory; values that are longer than their place come right behind it."""
    directory = struct.pack("<H", len(entries))
    values = b""
    start = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in sorted(entries):
        place = value.ljust(4, b"\0")
        if len(value) > 4:
            place = struct.pack("<L", start + len(values))
            values += value
        directory += struct.pack("<HHL", tag, kind, count) + place
    return b"II*\0\x08\0\0\0" + directory + struct.pack("<L", following) + values + behind


def long(tag: int, *numbers: int) -> tuple[int, int, int, bytes]:
    return tag, 4, len(numbers), struct.pack(f"<{len(numbers)}L", *numbers)


def grey_tiff(
    *entries: tuple[int, int, int, bytes],
    side: int = 16,
    compression: int = 1,
    pixels: bytes = bytes(256),
    following: int = 0,
) -> bytes:
    told = [long(256, side), long(257, side), long(258, 8), long(259, compression), long(262, 1)]
    told += [entry for entry in entries if entry[0] not in {used[0] for used in told}]
    # The pixels lie behind all else, in a strip unless there are tiles.
    tiled = any(tag == 322 for tag, *_ in entries)
    place, length = (324, 325) if tiled else (273, 279)
    if any(tag == place for tag, *_ in entries):
        return tiff(*told, behind=pixels, following=following)
    start = len(tiff(*told, long(place, 0), long(length, 0)))
    return tiff(
        *told, long(place, start), long(length, len(pixels)), behind=pixels, following=following
    )


def rationals(tag: int, count: int) -> tuple[int, int, int, bytes]:
    return tag, 5, count, struct.pack("<LL", 7, 13) * count


def big_tiff(tags: int) -> bytes:
    start = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, tags)
    return start + struct.pack("<HHQQ", 256, 4, 1, 16) * 5_000


def tiff_of_frames(count: int) -> bytes:
    start = len(grey_tiff())
    frames = (
        struct.pack("<HHHLLL", 1, 256, 4, 1, 16, start + 18 * (frame + 1) if frame < count else 0)
        for frame in range(1, count + 1)
    )
    return grey_tiff(following=start) + b"".join(frames)


def tiff_that_points_to_its_exif() -> bytes:
    start = len(grey_tiff(long(34665, 0)))
    numbers = struct.pack("<H", 1) + struct.pack("<HHLLL", 9000, 5, 300_000, start + 18, 0)
    return grey_tiff(long(34665, start)) + numbers + bytes(8 * 300_000)


def tiff_in_tiles(width: int, height: int, compressed: int) -> bytes:
    pixels = deflated_zeros(compressed)
    return grey_tiff(long(322, width), long(323, height), compression=8, pixels=pixels)


# JPEG


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, 2 + len(content)) + content


def jpeg_with(segments: bytes) -> bytes:
    return JPEG[:2] + segments + JPEG[2:]


def jpeg_of_frame(marker: int) -> bytes:
    return JPEG.replace(b"\xff\xc0", bytes([0xFF, marker]), 1)


def jpeg_of_scans(count: int) -> bytes:
    file = encode(Image.new("L", (400, 400), 128), "JPEG", progressive=True)
    last = file.rindex(b"\xff\xda")
    return file[:last] + file[last:-2] * (count - file.count(b"\xff\xda") + 1) + file[-2:]


# GIF


def gif_with(blocks: bytes) -> bytes:
    first = 13 + 3 * 4
    return GIF[:first] + blocks + GIF[first:]


def gif_of_frames(count: int) -> bytes:
    frame = b"," + struct.pack("<4HB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return GIF[:-1] + frame * (count - 1) + b";"


# BMP


def run_length_coded(side: int, bits: int, data: bytes) -> bytes:
    palette = bytes(range(256)) * (4 if bits == 8 else 1)
    palette = palette[: 4 << bits]
    sizes = struct.pack("<IiiHHII16x", 40, side, side, 1, bits, 1 if bits == 8 else 2, len(data))
    start = 14 + len(sizes) + len(palette)
    return struct.pack("<2sI4xI", b"BM", start + len(data), start) + sizes + palette + data


# WebP


def riff(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def webp_of(*chunks: bytes, width: int = 16, height: int = 16, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    content = b"WEBP" + riff(b"VP8X", struct.pack("<I", flags) + sides) + b"".join(chunks)
    return riff(b"RIFF", content)


def webp_of_frames(count: int, *, width: int = 16, height: int = 16) -> bytes:
    place = bytes(6) + (15).to_bytes(3, "little") * 2 + bytes(4)
    frame = riff(b"ANMF", place + WEBP[12:])
    animation = riff(b"ANIM", bytes(6))
    return webp_of(animation, frame * count, width=width, height=height, flags=2)


# AVIF


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    while data:
        (length,) = struct.unpack_from(">I", data)
        yield data[4:8], data[8:length]
        data = data[length:]


def avif_with(**tables: bytes) -> bytes:
    """The AVIF with other tables in its directory."""
    file = b""
    for name, content in boxes(AVIF):
        if name == b"meta":
            inner = (box(key, tables.get(key.decode(), old)) for key, old in boxes(content[4:]))
            file += box(name, content[:4] + b"".join(inner))
        else:
            file += box(name, content)
    return file


def avif_of_items(count: int) -> bytes:
    places = b"".join(struct.pack(">IHHH", item, 0, 0, 0) for item in range(10, count + 10))
    return avif_with(iloc=struct.pack(">IBBI", 2 << 24, 0x44, 0, count) + places)


def avif_of_samples(count: int) -> bytes:
    def other(data: bytes) -> bytes:
        return b"".join(box(name, replaced(name, content)) for name, content in boxes(data))

    def replaced(name: bytes, content: bytes) -> bytes:
        if name == b"stsz":
            return struct.pack(">III", 0, 1, count)
        if name == b"stsc":
            return struct.pack(">IIIII", 0, 1, 1, count, 1)
        nested = name in (b"moov", b"trak", b"mdia", b"minf", b"stbl")
        return other(content) if nested else content

    image = Image.fromarray(PICTURE)
    two = encode(image, "AVIF", save_all=True, append_images=[image.rotate(90)], speed=10)
    return other(two) + bytes(count)


TOO_LARGE = {
    "png of 900 megapixels": (lambda: png_of(30_000, 30_000), "is 30000x30000 pixels"),
    "png of one endless row": (lambda: png_of(25_000_000, 1), "limit of 100000 pixels a side"),
    "png of one endless column": (lambda: png_of(1, 25_000_000), "limit of 100000 pixels a side"),
    "png of empty pixel chunks": (
        lambda: PNG[:33] + chunk(b"IDAT", b"") * 150_000 + PNG[33:],
        "has more than 100000 parts",
    ),
    "png of private chunks": (
        lambda: PNG[:33] + chunk(b"prIv", b"") * 150_000 + PNG[33:],
        "has more than 100000 parts",
    ),
    "png of chunks behind its pixels": (
        lambda: png_behind_pixels(chunk(b"prIv", b"") * 150_000),
        "has more than 100000 parts",
    ),
    "png of a billion frames": (
        lambda: insert(PNG, b"acTL", struct.pack(">II", 10**9, 0)),
        "has more than 10000 frames",
    ),
    "png of zTXt": (
        lambda: png_text(b"zTXt", b"k\0\0", deflated_zeros(MEGABYTE - 9), count=200),
        "bytes of compressed text",
    ),
    "png of zTXt that is damaged": (
        lambda: png_text(b"zTXt", b"k\0\0", damaged(deflated_zeros(MEGABYTE)), count=200),
        "bytes of compressed text",
    ),
    "png of iTXt": (
        lambda: png_text(b"iTXt", b"k\0\1\0\0\0", deflated_zeros(MEGABYTE), count=200),
        "bytes of compressed text",
    ),
    "png of profiles": (
        lambda: png_text(b"iCCP", b"k\0\0", damaged(deflated_zeros(MEGABYTE)), count=200),
        "bytes of compressed text and profile",
    ),
    "png of one large profile": (
        lambda: insert(PNG, b"iCCP", b"k\0\0" + deflated_zeros(100 * MEGABYTE)),
        "bytes of compressed text and profile",
    ),
    "png of text behind its pixels": (
        lambda: png_behind_pixels(chunk(b"zTXt", b"k\0\0" + deflated_zeros(MEGABYTE)) * 200),
        "bytes of compressed text",
    ),
    "png of many orientations": (
        lambda: insert(PNG, b"eXIf", tiff(rationals(274, 2_000_000))),
        "has more than 262144 bytes of EXIF",
    ),
    "jpeg of scans": (lambda: jpeg_of_scans(2_000), "has more than 30 scans"),
    "jpeg of empty segments": (
        lambda: jpeg_with(segment(0xE0, b"") * 1_000_000),
        "has more than 1000 segments",
    ),
    "jpeg of empty segments behind its pixels": (
        lambda: JPEG[:-2] + segment(0xFE, b"") * 1_000_000 + JPEG[-2:],
        "has more than 1000 segments",
    ),
    "jpeg of EXIF in pieces": (
        lambda: jpeg_with(segment(0xE1, b"Exif\0\0a") * 1_000_000),
        "has more than 1000 segments",
    ),
    "jpeg of long EXIF": (
        lambda: jpeg_with(segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 300),
        "has more than 262144 bytes of EXIF",
    ),
    "jpeg of quantization tables": (
        lambda: jpeg_with(segment(0xDB, (b"\0" + b"\1" * 64) * 1_000) * 300),
        "bytes of tables",
    ),
    "jpeg of components": (
        lambda: jpeg_with(segment(0xC0, b"\x08\0\x10\0\x10\3" + b"\1\x22\0" * 21_000) * 300),
        "bytes of tables",
    ),
    "jpeg of filling": (lambda: jpeg_with(b"\xff" * 5_000_000), "and filling"),
    "jpeg of bytes in no segment": (
        lambda: JPEG[:20] + bytes(5_000_000) + JPEG[20:],
        "and filling",
    ),
    "jpeg of restarts before its pixels": (
        lambda: jpeg_with(b"\xff\xd0" * 2_000_000),
        "and filling",
    ),
    "webp of 17 gigabytes": (
        lambda: webp_of_frames(1, width=65_535, height=65_535),
        "is 65535x65535 pixels",
    ),
    "webp of frames": (lambda: webp_of_frames(20_000), "has more than 10000 frames"),
    "webp of unknown chunks": (
        lambda: webp_of(WEBP[12:], riff(b"what", b"") * 2_000_000),
        "has more than 100000 parts",
    ),
    "webp of many orientations": (
        lambda: webp_of(WEBP[12:], riff(b"EXIF", tiff(rationals(274, 2_000_000))), flags=8),
        "has more than 262144 bytes of EXIF",
    ),
    "webp of a profile": (
        lambda: webp_of(riff(b"ICCP", bytes(5_000_000)), WEBP[12:], flags=32),
        "has a colour profile of more than 4194304 bytes",
    ),
    "gif of comments": (
        lambda: gif_with(b"!\xfe" + b"\1a" * 5_000_000 + b"\0"),
        "has more than 100000 parts",
    ),
    "gif of extensions": (lambda: gif_with(b"!\xff\0" * 5_000_000), "has more than 100000 parts"),
    "gif of bytes in no block": (lambda: gif_with(b"\1" * 5_000_000), "more than 100000 parts"),
    "gif of frames": (lambda: gif_of_frames(1_000_000), "has more than 10000 frames"),
    "gif that grows": (
        lambda: GIF[:-1].replace(struct.pack("<4H", 0, 0, 16, 16), b"\xff" * 8, 1) + b";",
        "is 131070x131070 pixels",
    ),
    "bmp of single pixels": (
        lambda: run_length_coded(5000, 8, b"\1\7" * 2_000_000),
        "run-length coded",
    ),
    "bmp of line ends": (lambda: run_length_coded(16, 8, b"\0\0" * 3_000_000), "run-length coded"),
    "bmp of half bytes": (lambda: run_length_coded(5000, 4, b"\xff\x12" * 99), "run-length coded"),
    "tiff of strips": (
        lambda: grey_tiff(long(278, 1), long(273, *([8] * 2_000_000))),
        "has more than 200000 numbers in tags",
    ),
    "tiff of depths": (
        lambda: tiff(long(256, 16), long(257, 16), (258, 3, 2_000_000, bytes(18_000_000))),
        "has more than 200000 numbers in tags",
    ),
    "tiff of fractions": (
        lambda: grey_tiff(rationals(282, 2_000_000)),
        "has more than 200000 numbers in tags",
    ),
    "tiff of fractions in its EXIF": (
        tiff_that_points_to_its_exif,
        "has more than 200000 numbers in tags",
    ),
    "tiff of tags": (
        lambda: tiff(*(long(tag, 0) for tag in range(10_000))),
        "has more than 4096 tags",
    ),
    "tiff of a quintillion tags": (lambda: big_tiff(1 << 60), "has more than 4096 tags"),
    "tiff of frames": (lambda: tiff_of_frames(900_000), "has more than 10000 frames"),
    "tiff of one tile of 1.6 gigabytes": (
        lambda: tiff_in_tiles(40_000, 40_000, 100 * MEGABYTE),
        "has tiles of 40000x40000 pixels",
    ),
    "tiff of tiles beyond its edges": (
        lambda: grey_tiff(long(322, 60_000), long(323, 16), side=5_000, compression=8),
        "has tiles of 60000x16 pixels",
    ),
    "avif of items": (lambda: avif_of_items(1_000_000), "has more than 131072 bytes of directory"),
    "avif of properties": (
        lambda: avif_with(iprp=box(b"ipco", box(b"free", b"") * 2_000_000)),
        "has more than 131072 bytes of directory",
    ),
    "avif of boxes": (
        lambda: AVIF + box(b"free", b"") * 2_000_000,
        "has more than 100000 parts",
    ),
    "avif of frames": (lambda: avif_of_samples(2_000_000), "has more than 10000 frames"),
}
UNSUPPORTED = {
    "lossless jpeg": (lambda: jpeg_of_frame(0xC3), "is a lossless or arithmetic-coded JPEG"),
    "arithmetic-coded jpeg": (lambda: jpeg_of_frame(0xC9), "is a lossless or arithmetic-coded"),
    "arithmetic-coded progressive jpeg": (lambda: jpeg_of_frame(0xCA), "is a lossless or arith"),
    **{
        f"tiff of {name}": (
            partial(grey_tiff, compression=number),
            f"is a TIFF with compression {number}, which is not read here",
        )
        for name, number in {
            "old JPEG": 6,
            "padded samples": 32771,
            "ThunderScan": 32809,
            "LogLuv": 34676,
            "LZMA": 34925,
            "Zstandard": 50000,
            "WebP": 50001,
        }.items()
    },
    "avif of as many items as may be": (lambda: avif_of_items(12_500), "is not an image"),
    "tiff of a compression by name": (
        lambda: grey_tiff().replace(struct.pack("<HH", 259, 4), struct.pack("<HH", 259, 1)),
        "is damaged or cut short",
    ),
}


def tiff_that_is_its_own_exif() -> bytes:
    return grey_tiff(long(34665, 8))


def png_of_full_metadata() -> bytes:
    data = insert(PNG, b"eXIf", tiff(rationals(274, 32_000)))
    data = insert(data, b"iCCP", b"k\0\0" + deflated_zeros(3 * MEGABYTE))
    return insert(data, b"zTXt", b"k\0\0" + deflated_zeros(MEGABYTE))


ACCEPTED = {
    "png whose pixels go on": lambda: png_of(1, 1, idat=deflated_zeros(200 * MEGABYTE)),
    "png of as much metadata as may be": png_of_full_metadata,
    "png of as many chunks as may be": (lambda: PNG[:33] + chunk(b"prIv", b"") * 99_990 + PNG[33:]),
    "png of as many frames as may be": (
        lambda: insert(PNG, b"acTL", struct.pack(">II", 10_000, 0))
    ),
    "jpeg of as many scans as may be": lambda: jpeg_of_scans(30),
    "jpeg of as many segments as may be": lambda: jpeg_with(segment(0xE0, b"") * 980),
    "jpeg with a video behind it": (lambda: JPEG + np.random.default_rng(1).bytes(12 * MEGABYTE)),
    "jpeg whose last scan goes on": lambda: JPEG[:-2] + b"\xff" * 5_000_000 + JPEG[-2:],
    "webp of as many frames as may be": lambda: webp_of_frames(10_000),
    "gif of as many frames as may be": lambda: gif_of_frames(10_000),
    "gif of as many blocks as may be": lambda: gif_with(b"!\xfe" + b"\1a" * 99_900 + b"\0"),
    "bmp of as many runs as may be": lambda: run_length_coded(
        2048, 4, (b"\0\xfe" + b"\x12" * 127 + b"\0") * 16_600
    ),
    "tiff whose frames are a circle": lambda: grey_tiff(following=8),
    "tiff that is its own EXIF": tiff_that_is_its_own_exif,
    "tiff of as many numbers as may be": lambda: grey_tiff(rationals(282, 199_000)),
    "tiff of a tile larger than it": lambda: tiff_in_tiles(2_048, 2_048, 4 * MEGABYTE),
}


def bounded(answer: Answer, data: bytes) -> list[list[str]]:
    assert answer.seconds < SECONDS
    assert answer.memory < 3 * len(data) + ROOM
    return answer.outcomes


@pytest.mark.parametrize(("build", "words"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_large(worker: Worker, build: Callable[[], bytes], words: str) -> None:
    data = build()
    assert len(data) <= 20_000_000

    for name, reason in bounded(worker(data), data):
        assert name == "TooLarge"
        assert words in reason


@pytest.mark.parametrize(("build", "words"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_coded_in_ways_that_are_not_read(
    worker: Worker, build: Callable[[], bytes], words: str
) -> None:
    data = build()

    for name, reason in bounded(worker(data), data):
        assert name == "UnsupportedImage"
        assert words in reason


@pytest.mark.parametrize("build", ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_within_the_limits_is_read(worker: Worker, build: Callable[[], bytes]) -> None:
    data = build()
    assert len(data) <= 20_000_000

    assert bounded(worker(data), data) == [["accepted", ""]] * 2


def test_the_pair_that_takes_the_most_memory(worker: Worker) -> None:
    # Of all that is accepted nothing takes more than what WebP's animations are drawn upon.
    source, target = (webp_of_frames(frames, width=5_000, height=5_000) for frames in (1, 2))

    found = worker(source, target)

    assert found.outcomes == [["accepted", ""]]
    assert found.memory < LARGEST_PAIR


def test_on_lambda_what_asks_for_more_memory_than_there_is_fails_alone() -> None:
    asks = "import imgdiff.api\ntry:\n bytearray(500 << 20)\nexcept MemoryError:\n print('refused')"
    said = [
        subprocess.check_output(
            [sys.executable, "-c", asks],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT / "functions"),
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": megabytes,
            },
            text=True,
        )
        for megabytes in ("512", "1024")
    ]
    assert said == ["refused\n", ""]
