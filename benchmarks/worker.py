"""A process that compares in Python, job after job: ``python -m benchmarks.worker opencv``.

Each line of its input names two files and the picture to write; each line of its output answers.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

type Compare = Callable[[Path, Path, Path], float | None]

MAX_PIXELS = 200_000_000


def imgdiff(*, picture: bool = True) -> Compare:
    """What this project does."""
    from imgdiff.engine import Options, compare

    def work(source: Path, target: Path, output: Path) -> float:
        comparison = compare(
            source.read_bytes(),
            target.read_bytes(),
            options=Options(style="highlight" if picture else None),
            max_pixels=MAX_PIXELS,
        )
        if comparison.image is not None:
            output.write_bytes(comparison.image)
        return comparison.mse

    return work


def imgdiff_figures() -> Compare:
    """What this project does when asked for no picture."""
    return imgdiff(picture=False)


def numpy() -> Compare:
    """What one writes first: whole images, in floating point."""
    import numpy as np
    from PIL import Image

    def read(path: Path) -> Any:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB")).astype(np.float64)

    def work(source: Path, target: Path, output: Path) -> float:
        difference = read(source) - read(target)
        Image.fromarray(np.abs(difference).astype(np.uint8)).save(output)
        return float(np.mean(difference**2))

    return work


def opencv() -> Compare:
    """The same in OpenCV."""
    import cv2

    def work(source: Path, target: Path, output: Path) -> float:
        difference = cv2.absdiff(cv2.imread(str(source)), cv2.imread(str(target)))
        cv2.imwrite(str(output), difference)
        return float(cv2.norm(difference, cv2.NORM_L2SQR) / difference.size)

    return work


def blazediff(compression: int = 0) -> Compare:
    """BlazeDiff, writing what the output's suffix says."""
    from blazediff import compare

    def work(source: Path, target: Path, output: Path) -> None:
        compare(str(source), str(target), str(output), threshold=0.0, compression=compression)

    return work


def blazediff_compressed() -> Compare:
    """BlazeDiff, writing a compressed PNG."""
    return blazediff(compression=1)


def pixelhog() -> Compare:
    """Pixelhog, every pixel counted that differs."""
    from pixelhog import diff_batch

    def work(source: Path, target: Path, output: Path) -> None:
        pair = (source.read_bytes(), target.read_bytes())
        output.write_bytes(diff_batch([pair], threshold=0.0, include_aa=True)[0][0])

    return work


WORK = (imgdiff, imgdiff_figures, numpy, opencv, blazediff, blazediff_compressed, pixelhog)


def main(name: str, processors: str = "") -> None:
    """Answer jobs until there are no more, on one processor if it is named."""
    if processors:
        # Before numpy and the codecs are loaded, which look at how many there are.
        os.sched_setaffinity(0, {int(processors)})
    work = {make.__name__: make for make in WORK}[name]()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        mse = work(Path(job["source"]), Path(job["target"]), Path(job["output"]))
        print(json.dumps({"mse": mse}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
