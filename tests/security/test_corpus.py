"""Odd, damaged and hostile files, each with its answer; and what others test their decoders with.

The files in ``corpus`` are small, and tell by their names what they are. With `CORPUS` in the
environment, which is how ``make test-corpus`` runs this, the files in that folder are held to less:
none may bring about any other answer than ours, or the end of the process.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from imgdiff.engine import compare, crop, resize
from imgdiff.errors import ImgdiffError, TooLarge, UnsupportedImage

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "corpus"
LEAST_FILES = 1_300
LIMIT = 25_000_000

type Expected = tuple[type[ImgdiffError], str] | None

ACCEPTED: Expected = None
NO_IMAGE = (UnsupportedImage, "is not an image (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)")
DAMAGED = (UnsupportedImage, "is damaged or cut short")
EXPECTED: dict[str, Expected] = {
    "avif-cut.avif": DAMAGED,
    "avif-of-2000-items.avif": NO_IMAGE,
    "avif-of-20000-frames.avif": (TooLarge, "has more than 10000 frames"),
    "avif-of-900-megapixels.avif": NO_IMAGE,
    "avif-said-to-be-smaller.avif": ACCEPTED,
    "avif-without-directory.avif": NO_IMAGE,
    "bmp-cut.bmp": DAMAGED,
    "bmp-of-run-lengths-for-25-megapixels.bmp": (
        TooLarge,
        "has more than 4194304 run-length coded pixels or bytes",
    ),
    "bmp-run-beyond-its-edge.bmp": ACCEPTED,
    "bmp-run-lengths.bmp": ACCEPTED,
    "bmp-skips-beyond-its-edge.bmp": ACCEPTED,
    "bmp-top-down.bmp": ACCEPTED,
    "drawing.svg": NO_IMAGE,
    "empty.png": NO_IMAGE,
    "error-page.png": NO_IMAGE,
    "gif-cut.gif": DAMAGED,
    "gif-frame-beyond-canvas.gif": ACCEPTED,
    "gif-that-grows-to-17-gigapixels.gif": (
        TooLarge,
        "is 131070x131070 pixels, over the limit of 25000000 pixels",
    ),
    "gif-without-end.gif": ACCEPTED,
    "gif-without-frame.gif": NO_IMAGE,
    "jpeg-arithmetic-coded.jpg": (
        UnsupportedImage,
        "is a lossless or arithmetic-coded JPEG, which is not read here",
    ),
    "jpeg-cmyk-progressive.jpg": ACCEPTED,
    "jpeg-cut-within-header.jpg": NO_IMAGE,
    "jpeg-cut.jpg": NO_IMAGE,
    "jpeg-empty-segments.jpg": (TooLarge, "has more than 1000 segments"),
    "jpeg-exif-points-to-itself.jpg": ACCEPTED,
    "jpeg-lossless.jpg": (
        UnsupportedImage,
        "is a lossless or arithmetic-coded JPEG, which is not read here",
    ),
    "jpeg-of-12-bit.jpg": NO_IMAGE,
    "jpeg-of-200-scans.jpg": (TooLarge, "has more than 30 scans"),
    "jpeg-of-no-height.jpg": NO_IMAGE,
    "jpeg-of-two-frames.jpg": DAMAGED,
    "jpeg-of-two-pictures.jpg": ACCEPTED,
    "jpeg-orientation-nine.jpg": ACCEPTED,
    "jpeg-segment-beyond-its-end.jpg": NO_IMAGE,
    "jpeg-without-end.jpg": DAMAGED,
    "png-16-bit-key.png": ACCEPTED,
    "png-cut-in-its-pixels.png": DAMAGED,
    "png-exif-points-to-itself.png": ACCEPTED,
    "png-index-beyond-palette.png": ACCEPTED,
    "png-interlaced-one-pixel.png": ACCEPTED,
    "png-of-900-megapixels.png": (
        TooLarge,
        "is 30000x30000 pixels, over the limit of 25000000 pixels",
    ),
    "png-of-a-billion-frames.png": (TooLarge, "has more than 10000 frames"),
    "png-of-no-width.png": NO_IMAGE,
    "png-of-one-endless-row.png": (
        TooLarge,
        "is 25000000x1 pixels, over the limit of 100000 pixels a side",
    ),
    "png-of-one-pixel.png": ACCEPTED,
    "png-of-two-headers.png": ACCEPTED,
    "png-pixels-go-on-for-30-megabytes.png": ACCEPTED,
    "png-profile-of-30-megabytes.png": (
        TooLarge,
        "has more than 4194304 bytes of compressed text and profile in PNG",
    ),
    "png-text-of-30-megabytes.png": (
        TooLarge,
        "has more than 4194304 bytes of compressed text and profile in PNG",
    ),
    "png-unknown-filter.png": DAMAGED,
    "png-without-end.png": ACCEPTED,
    "png-without-palette.png": DAMAGED,
    "png-without-pixels.png": DAMAGED,
    "png-wrong-adler.png": DAMAGED,
    "png-wrong-checksum.png": DAMAGED,
    "tiff-big.tif": ACCEPTED,
    "tiff-circle-of-frames.tif": ACCEPTED,
    "tiff-fax-of-noise.tif": DAMAGED,
    "tiff-floating-point.tif": (UnsupportedImage, "has signed, 32-bit or floating-point samples"),
    "tiff-is-its-own-exif.tif": ACCEPTED,
    "tiff-lzma.tif": (UnsupportedImage, "is a TIFF with compression 34925, which is not read here"),
    "tiff-no-rows-per-strip.tif": DAMAGED,
    "tiff-of-a-quintillion-tags.tif": NO_IMAGE,
    "tiff-of-half-a-gigapixel-of-tiles.tif": (
        TooLarge,
        "has tiles of 60000x16 pixels, which is too large",
    ),
    "tiff-of-one-gigabyte-tile.tif": (
        TooLarge,
        "has tiles of 32000x32000 pixels, which is too large",
    ),
    "tiff-old-jpeg.tif": (UnsupportedImage, "is a TIFF with compression 6, which is not read here"),
    "tiff-strip-beyond-its-end.tif": DAMAGED,
    "tiff-webp.tif": (UnsupportedImage, "is a TIFF with compression 50001, which is not read here"),
    "tiff-zstandard.tif": (
        UnsupportedImage,
        "is a TIFF with compression 50000, which is not read here",
    ),
    "webp-animation-without-frame.webp": NO_IMAGE,
    "webp-canvas-of-17-gigabytes.webp": (
        TooLarge,
        "is 65535x65535 pixels, over the limit of 25000000 pixels",
    ),
    "webp-cut.webp": NO_IMAGE,
    "webp-larger-than-its-canvas.webp": NO_IMAGE,
    "webp-smaller-than-its-canvas.webp": NO_IMAGE,
}

WORK: dict[str, Callable[[bytes], object]] = {
    "compare": lambda data: compare(data, data),
    "crop": partial(crop, left=0, top=0, width=9, height=9, max_pixels=LIMIT),
    "resize": partial(resize, width=9, height=9, max_pixels=LIMIT),
}

# Prints, before and after each file, its name and what came of it.
EVERY_FILE = """
import json, sys, warnings
from pathlib import Path
from imgdiff.engine import compare, crop, resize
from imgdiff.errors import ImgdiffError

warnings.simplefilter("ignore")
works = {
    "compare": lambda data: compare(data, data),
    "crop": lambda data: crop(data, 0, 0, 9, 9, max_pixels=25_000_000),
    "resize": lambda data: resize(data, 9, 9, max_pixels=25_000_000),
}
for path in json.load(sys.stdin):
    data = Path(path).read_bytes()
    for name, work in works.items():
        print(json.dumps([path, name, "the end of the process"]), flush=True)
        try:
            work(data)
            outcome = "accepted"
        except ImgdiffError as error:
            outcome = f"{error.status} {error.reason}"
        except Exception as error:
            outcome = f"an error of another kind: {error!r}"
        print(json.dumps([path, name, outcome]), flush=True)
"""


def test_every_file_has_its_answer() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(EXPECTED)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("work", WORK)
@pytest.mark.parametrize("name", EXPECTED)
def test_files_are_answered_as_expected(name: str, work: str) -> None:
    data = (FOLDER / name).read_bytes()
    expected = EXPECTED[name]

    if expected is None:
        WORK[work](data)
        return
    error_type, reason = expected
    with pytest.raises(error_type) as caught:
        WORK[work](data)
    assert type(caught.value) is error_type
    assert caught.value.reason == reason


@pytest.mark.skipif("CORPUS" not in os.environ, reason="Runs by make test-corpus alone.")
def test_files_that_others_test_with(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = ROOT / os.environ["CORPUS"]
    images = [*corpus.glob("pillow-*/Tests/images/**/*"), *corpus.glob("usr/**/*")]
    files = sorted(str(path) for path in images if path.is_file())
    assert len(files) >= LEAST_FILES

    done = subprocess.run(
        [sys.executable, "-c", EVERY_FILE],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "functions")},
        input=json.dumps(files),
        capture_output=True,
        text=True,
    )

    outcomes = {}
    for line in done.stdout.splitlines():
        path, work, outcome = json.loads(line)
        outcomes[path, work] = outcome
    with capsys.disabled():
        for (work, outcome), count in sorted(
            Counter((work, outcome) for (_, work), outcome in outcomes.items()).items()
        ):
            sys.stdout.write(f"\n{count:6,} {work}: {outcome}")
    assert not {
        place: outcome
        for place, outcome in outcomes.items()
        if outcome != "accepted" and not outcome.startswith(("400", "413", "415"))
    }
    assert len(outcomes) == 3 * len(files)
    assert done.returncode == 0
