"""A process that compares in Python, job after job: ``python -m benchmarks.worker opencv``.

Each line of its input names two files and the picture to write; each line of its output answers.
"""

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from imgdiff.engine.options import Metric

type Compare = Callable[[Path, Path, Path], float | None]

MAX_PIXELS = 200_000_000


def imgdiff(*metrics: "Metric", picture: bool = True) -> Compare:
    """What this project does, with further measures or without the picture."""
    from imgdiff.engine import Options, compare

    def work(source: Path, target: Path, output: Path) -> float:
        comparison = compare(
            source.read_bytes(),
            target.read_bytes(),
            options=Options(metrics=frozenset(metrics), style="highlight" if picture else None),
            max_pixels=MAX_PIXELS,
        )
        if comparison.image is not None:
            output.write_bytes(comparison.image)
        return comparison.mse

    return work


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


def pixelhog() -> Compare:
    """Pixelhog, every pixel counted that differs."""
    from pixelhog import diff_batch

    def work(source: Path, target: Path, output: Path) -> None:
        pair = (source.read_bytes(), target.read_bytes())
        output.write_bytes(diff_batch([pair], threshold=0.0, include_aa=True)[0][0])

    return work


def scikit_image(mode: str) -> Compare:
    """The structural similarity as its paper defines it, of grey (L) or of each channel (RGB)."""
    import numpy as np
    from PIL import Image
    from skimage import metrics

    # The package has no types.
    structural_similarity: Any = metrics.structural_similarity

    def read(path: Path) -> Any:
        with Image.open(path) as image:
            return np.asarray(image.convert(mode))

    def work(source: Path, target: Path, output: Path) -> None:
        del output
        structural_similarity(
            read(source),
            read(target),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=None if mode == "L" else 2,
        )

    return work


WORK: dict[str, Callable[[], Compare]] = {
    "imgdiff": imgdiff,
    "imgdiff_figures": partial(imgdiff, picture=False),
    "imgdiff_pixelmatch": partial(imgdiff, "pixelmatch"),
    "imgdiff_pixelmatch_figures": partial(imgdiff, "pixelmatch", picture=False),
    "imgdiff_ssim": partial(imgdiff, "ssim"),
    "imgdiff_ssim_figures": partial(imgdiff, "ssim", picture=False),
    "numpy": numpy,
    "opencv": opencv,
    "blazediff": blazediff,
    "blazediff_compressed": partial(blazediff, compression=1),
    "pixelhog": pixelhog,
    "scikit_image_grey": partial(scikit_image, "L"),
    "scikit_image_rgb": partial(scikit_image, "RGB"),
}


def main(name: str, processors: str = "") -> None:
    """Answer jobs until there are no more, on one processor if it is named."""
    if processors:
        # Before numpy and the codecs are loaded, which look at how many there are.
        os.sched_setaffinity(0, {int(processors)})
    work = WORK[name]()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        mse = work(Path(job["source"]), Path(job["target"]), Path(job["output"]))
        print(json.dumps({"mse": mse}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
