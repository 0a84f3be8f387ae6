"""What comes of a comparison: with the fast decoders where they serve, and with Pillow alone."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from imgdiff.engine import Comparison, compare
from imgdiff.engine.comparison import Render
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.errors import ImgdiffError
from tests.unit.engine.images import Pixels

LARGE = 25_000_000


@dataclass(frozen=True)
class Refusal:
    """All that a caller is told of an error."""

    kind: type[ImgdiffError]
    sentence: str
    field: str | None


def outcome(
    source: bytes, target: bytes, *, max_pixels: int = LARGE, render: Render | None = "highlight"
) -> Comparison | Refusal:
    """What comes of a comparison; whatever else is raised is a defect."""
    try:
        return compare(source, target, max_pixels=max_pixels, render=render)
    except ImgdiffError as error:
        return Refusal(type(error), str(error), error.field)


def patient_outcome(
    source: bytes, target: bytes, *, max_pixels: int = LARGE, render: Render | None = "highlight"
) -> Comparison | Refusal:
    """What Pillow alone would have made of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("imgdiff.engine.comparison.decode", decode_patiently)
        return outcome(source, target, max_pixels=max_pixels, render=render)


def assert_same(source: bytes, target: bytes, *, max_pixels: int = LARGE) -> None:
    """That both ways lead to one outcome: either file first, with and without a picture."""
    for pair in ((source, target), (target, source)):
        quick, patient = (way(*pair, max_pixels=max_pixels) for way in (outcome, patient_outcome))
        assert quick == patient

        figures = outcome(*pair, max_pixels=max_pixels, render=None)
        if isinstance(patient, Comparison):
            assert figures == replace(patient, image=None)
        else:
            assert figures == patient


def shown(data: bytes) -> Pixels:
    """The pixels that the fast decoders give."""
    return np.concatenate([np.array(strip) for strip in decode(data, max_pixels=LARGE).strips()])


def shown_patiently(data: bytes) -> Pixels:
    """The pixels that Pillow gives."""
    frame = decode_patiently(data, max_pixels=LARGE)
    return np.concatenate([np.array(strip) for strip in frame.strips()])
