"""Peak memory: the files, what has to be decoded whole, and little else."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.unit.engine.images import Pixels, encode, exif, noise, photograph
from tests.unit.engine.png_writer import png

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="Peak memory is read from Linux's /proc."
)

ROOT = Path(__file__).parents[3]
PIXELS = 20_000_000
MEGABYTE = 2**20


@dataclass(frozen=True)
class Measured:
    """What one comparison took."""

    memory: int
    files: int


def measured(folder: Path, small: bytes, source: bytes, target: bytes) -> Measured:
    files = {"small": small, "source": source, "target": target}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.unit.engine.peak_memory",
            *(str(folder / name) for name in files),
        ],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "functions"), str(ROOT)])},
        capture_output=True,
        text=True,
    )
    memory, image, changed = map(int, done.stdout.split())
    assert changed
    return Measured(memory, len(source) + len(target) + image)


def pictures(side: int = 10) -> tuple[Pixels, Pixels]:
    """Tiles of a fifth of a megapixel, so many a side, and the same with a large part changed."""
    source = np.tile(photograph(400, 500), (side, side, 1))
    target = source.copy()
    target[100 * side : 300 * side, 100 * side : 400 * side] ^= 5
    return source, target


@pytest.mark.parametrize("channels", [1, 3])
def test_streamed_png(tmp_path: Path, channels: int) -> None:
    small, source, target = (
        png(pixels[..., :channels], "grey" if channels == 1 else "rgb")
        for pixels in (photograph(9, 9), *pictures())
    )

    found = measured(tmp_path, small, source, target)

    assert found.memory <= found.files + 16 * MEGABYTE


def test_png_that_does_not_compress_and_is_one_chunk(tmp_path: Path) -> None:
    source = noise(2000, 2500)
    target = source.copy()
    target[500:1500] ^= 5

    found = measured(tmp_path, *(png(pixels, "rgb") for pixels in (noise(9, 9), source, target)))

    assert found.memory <= found.files + 16 * MEGABYTE


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("side", [5, 10])
def test_jpeg(tmp_path: Path, side: int, orientation: int) -> None:
    source, target = pictures(side)
    files = (
        encode(pixels, "JPEG", exif=exif(orientation))
        for pixels in (photograph(9, 9), source, target)
    )

    found = measured(tmp_path, *files)

    # There is not much of the picture before the files are let go of.
    assert found.memory <= 1.15 * (source.nbytes + target.nbytes)


def test_palette_png(tmp_path: Path) -> None:
    palette = np.arange(768, dtype=np.uint8).reshape(256, 3)
    small, source, target = (
        png(pixels[..., 0], "palette", palette=palette)
        for pixels in (photograph(9, 9), *pictures())
    )

    found = measured(tmp_path, small, source, target)

    assert found.memory <= 2 * PIXELS + found.files + 16 * MEGABYTE


def test_translucent_png(tmp_path: Path) -> None:
    # Smaller, as transparent pixels take longer to write; every step has its own code for them.
    small, source, target = (
        encode(pixels[:2000, :2500, [0, 1, 2, 0]], "PNG", compress_level=1)
        for pixels in (photograph(9, 9), *pictures())
    )

    found = measured(tmp_path, small, source, target)

    assert found.memory <= 2 * 4 * PIXELS / 4 + found.files + 16 * MEGABYTE
