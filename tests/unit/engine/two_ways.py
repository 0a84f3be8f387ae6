"""What comes of a comparison: with the fast decoders where they serve, and with Pillow alone."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from imgdiff.engine import Comparison, Options, compare
from imgdiff.engine.frame import Frame
from imgdiff.engine.frames import decode, decode_patiently
from imgdiff.errors import ImgdiffError
from tests.unit.engine.images import Pixels, as_rgb, tiff
from tests.unit.engine.reference import expected_picture, picture

LARGE = 25_000_000
PLAIN = Options()
HIGH_BYTES = Options(managed=False)


@dataclass(frozen=True)
class Refusal:
    """All that a caller is told of an error."""

    kind: type[ImgdiffError]
    sentence: str
    field: str | None


def outcome(
    source: bytes, target: bytes, *, max_pixels: int = LARGE, options: Options = PLAIN
) -> Comparison | Refusal:
    """What comes of a comparison; whatever else is raised is a defect."""
    try:
        return compare(source, target, max_pixels=max_pixels, options=options)
    except ImgdiffError as error:
        return Refusal(type(error), str(error), error.field)


def patient_outcome(
    source: bytes, target: bytes, *, max_pixels: int = LARGE, options: Options = PLAIN
) -> Comparison | Refusal:
    """What Pillow alone would have made of it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("imgdiff.engine.comparison.decode", decode_patiently)
        return outcome(source, target, max_pixels=max_pixels, options=options)


def assert_same(
    source: bytes, target: bytes, *, max_pixels: int = LARGE, options: Options = PLAIN
) -> None:
    """That both ways lead to one outcome: either file first, with and without a picture."""
    for pair in ((source, target), (target, source)):
        quick, patient = (
            way(*pair, max_pixels=max_pixels, options=options) for way in (outcome, patient_outcome)
        )
        assert quick == patient

        figures = outcome(*pair, max_pixels=max_pixels, options=replace(options, style=None))
        if isinstance(patient, Comparison):
            assert figures == replace(patient, image=None)
        else:
            assert figures == patient


def assert_shows(data: bytes, pixels: Pixels, *, options: Options = PLAIN) -> None:
    """That a file has these pixels, held against a file that has them as they are."""
    bare = tiff(pixels, "rgb", extrasamples=["unassalpha"] if pixels.shape[2] == 4 else [])
    for pair in ((data, bare), (bare, data)):
        found = compare(*pair, options=options)

        assert found.changed_pixels == 0
        np.testing.assert_array_equal(picture(found), expected_picture(pixels, pixels))


def shown(data: bytes) -> Pixels:
    """The pixels that the fast decoders give, in RGB or RGBA."""
    return _pixels(decode(data, max_pixels=LARGE))


def shown_patiently(data: bytes) -> Pixels:
    """The pixels that Pillow gives."""
    return _pixels(decode_patiently(data, max_pixels=LARGE))


def _pixels(frame: Frame) -> Pixels:
    assert not frame.filtered
    samples = np.concatenate(list(frame.strips()))
    return as_rgb(samples) if frame.channels == 1 else samples
