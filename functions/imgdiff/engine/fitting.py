"""What becomes of two frames of different sizes."""

from imgdiff.engine.frame import Frame
from imgdiff.engine.options import Fit


def of_one_size(source: Frame, target: Frame) -> bool:
    """Whether there is nothing to do."""
    return (source.width, source.height) == (target.width, target.height)


def fitted_size(source: Frame, target: Frame, fit: Fit) -> tuple[int, int]:
    """Width and height in which two frames are compared."""
    widths, heights = (source.width, target.width), (source.height, target.height)
    match fit:
        case "pad":
            return max(widths), max(heights)
        case "crop":
            return min(widths), min(heights)
        case _:
            return source.width, source.height


def is_scaled(source: Frame, target: Frame, fit: Fit) -> bool:
    """Whether the target is scaled; then both are compared at 8 bit."""
    return fit == "resize" and not of_one_size(source, target)
