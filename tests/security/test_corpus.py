"""Odd, damaged and hostile files, and the images that others test their decoders with."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from imgdiff.engine import compare
from imgdiff.errors import TooLarge, UnsupportedImage

CORPUS = Path(__file__).parent / "corpus"
NO_IMAGE = "is not an image (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)"
DAMAGED = "is damaged or cut short"

# The size of what is shown, or what is said instead.
ANSWERS: dict[str, tuple[int, int] | str] = {
    "avif-cut.avif": DAMAGED,
    "avif-other-size-in-header.avif": (300, 300),
    "bmp-65535-bits.bmp": NO_IMAGE,
    "bmp-all-skipped.bmp": (8, 8),
    "bmp-runs-past-the-edge.bmp": DAMAGED,
    "empty.png": NO_IMAGE,
    "gif-cut.gif": DAMAGED,
    "gif-frame-outside-canvas.gif": DAMAGED,
    "gif-javascript.gif": NO_IMAGE,
    "gif-without-end.gif": (16, 12),
    "html.jpg": NO_IMAGE,
    "jpeg-12-bit.jpg": NO_IMAGE,
    "jpeg-arithmetic.jpg": "is a lossless or arithmetic-coded JPEG, which is not read here",
    "jpeg-cmyk-progressive.jpg": (16, 12),
    "jpeg-cut-in-header.jpg": NO_IMAGE,
    "jpeg-cut-in-pixels.jpg": NO_IMAGE,
    "jpeg-height-0.jpg": NO_IMAGE,
    "jpeg-lossless.jpg": "is a lossless or arithmetic-coded JPEG, which is not read here",
    "jpeg-mpo-of-4000-pictures.jpg": (16, 12),
    "jpeg-segment-of-no-length.jpg": (16, 12),
    "jpeg-text-before-start.jpg": NO_IMAGE,
    "jpeg-without-end.jpg": DAMAGED,
    "jpeg-zip-behind-end.jpg": (16, 12),
    "png-animation-of-two-billion.png": "has more than 10000 frames",
    "png-bad-checksum-of-pixels.png": (16, 12),
    "png-broken-profile.png": (16, 12),
    "png-cut-in-pixels.png": DAMAGED,
    "png-empty-pixels.png": DAMAGED,
    "png-html-behind-end.png": (16, 12),
    "png-index-outside-palette.png": (5, 5),
    "png-interlaced-16-bit.png": (5, 5),
    "png-no-pixels.png": DAMAGED,
    "png-palette-without-colours.png": DAMAGED,
    "png-said-length-of-4-gigabytes.png": (16, 12),
    "png-too-few-rows.png": (3, 3),
    "png-too-many-rows.png": (3, 3),
    "png-turned-by-exif.png": (12, 16),
    "png-two-headers.png": (16, 12),
    "png-unknown-critical-chunk.png": (16, 12),
    "png-unknown-filter.png": DAMAGED,
    "png-without-end.png": (16, 12),
    "postscript.tif": NO_IMAGE,
    "svg.png": NO_IMAGE,
    "tiff-big-endian-bigtiff.tif": NO_IMAGE,
    "tiff-directories-in-a-circle.tif": (16, 16),
    "tiff-floating-point.tif": "has signed, 32-bit or floating-point samples",
    "tiff-lzma.tif": "is a TIFF with compression 34925, which is not read here",
    "tiff-said-five-million-strips.tif": "has more than 200000 numbers in tags",
    "tiff-strip-outside-file.tif": DAMAGED,
    "webp-animated.webp": (16, 12),
    "webp-canvas-of-another-size.webp": NO_IMAGE,
    "webp-cut.webp": NO_IMAGE,
    "webp-said-longer-than-it-is.webp": NO_IMAGE,
}


def answer(data: bytes) -> tuple[int, int] | str:
    try:
        found = compare(data, data)
    except (UnsupportedImage, TooLarge) as error:
        return error.reason
    assert found.diff == 0
    return found.width, found.height


def test_every_file_has_its_answer() -> None:
    assert {path.name for path in CORPUS.iterdir()} == ANSWERS.keys()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("name", ANSWERS)
def test_file(name: str) -> None:
    assert answer((CORPUS / name).read_bytes()) == ANSWERS[name]


@pytest.mark.skipif("CORPUS" not in os.environ, reason="`make test-corpus` fetches these images")
def test_images_of_others() -> None:
    """In a process of its own, of which an end before the last image would be seen."""
    said = subprocess.check_output(
        [sys.executable, "-W", "ignore", "-m", "tests.security.test_corpus", os.environ["CORPUS"]],
        env={**os.environ, "PYTHONPATH": "functions"},
        text=True,
        timeout=900,
    ).splitlines()
    *answers, last = said
    assert last == f"{len(answers)} images"
    # With gdk-pixbuf's, which Debian alone has.
    assert len(answers) >= (1_300 if [*Path(os.environ["CORPUS"]).glob("*.deb")] else 1_000)
    kinds = Counter(line.partition(" ")[0] for line in answers)
    # Sound ones, too, are many: else there is nothing behind the refusals.
    assert kinds["compared"] > 600


def main(folder: str) -> None:
    """Print what is answered for every image below a folder."""
    paths = sorted(
        path
        for images in ("Tests/images", "installed-tests/gdk-pixbuf")
        for path in Path(folder).glob(f"**/{images}/**/*.*")
        if path.is_file() and path.suffix != ".conf"
    )
    for path in paths:
        found = answer(path.read_bytes())
        verdict = "refused" if isinstance(found, str) else "compared"
        sys.stdout.write(f"{verdict} {path.name} {found}\n")
    sys.stdout.write(f"{len(paths)} images\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
