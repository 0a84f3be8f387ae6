"""What callers let pass."""

from typing import Any

import pytest

from imgdiff.engine import Comparison
from imgdiff.errors import InvalidField
from imgdiff.fields import ImgdiffFields
from imgdiff.tolerance import judge


def found(diff: float = 0.25, changed_ratio: float = 0.5, **measured: Any) -> Comparison:
    unknown: dict[str, Any] = dict.fromkeys(("mse", "rmse", "mae", "psnr", "max_error", "bbox"))
    return Comparison(
        diff=diff,
        changed_ratio=changed_ratio,
        changed_pixels=50,
        counted_pixels=100,
        width=10,
        height=10,
        image=None,
        measured=measured,
        sizes=((10, 10), (10, 10)),
        conversions=((), ()),
        **unknown,
    )


def failed_on(comparison: Comparison, **limits: float) -> tuple[str, ...] | None:
    verdict = judge(comparison, ImgdiffFields("a", "b", **limits))  # type: ignore[arg-type]
    assert verdict is None or verdict.passed == (not verdict.failed_on)
    return verdict.failed_on if verdict else None


def test_no_tolerance_is_no_verdict() -> None:
    assert failed_on(found()) is None


@pytest.mark.parametrize(
    ("limits", "failed"),
    [
        ({"max_diff": 0.25}, ()),
        ({"max_diff": 0.2499}, ("max_diff",)),
        ({"max_diff": 0}, ("max_diff",)),
        ({"max_changed_ratio": 0.5}, ()),
        ({"max_changed_ratio": 0.49}, ("max_changed_ratio",)),
        ({"max_diff": 0.1, "max_changed_ratio": 0.1}, ("max_diff", "max_changed_ratio")),
        ({"max_diff": 0.1, "max_changed_ratio": 1}, ("max_diff",)),
        ({"threshold": 0.1}, ("threshold",)),
        ({"threshold": 0.1, "max_changed_ratio": 0.01}, ()),
        ({"threshold": 0.1, "max_changed_ratio": 0.009}, ("max_changed_ratio",)),
        ({"threshold": 0.1, "max_changed_ratio": 0}, ("max_changed_ratio",)),
        ({"min_ssim": 0.9}, ()),
        ({"min_ssim": 0.91}, ("min_ssim",)),
        ({"min_ssim": -1}, ()),
    ],
)
def test_limits(limits: dict[str, float], failed: tuple[str, ...]) -> None:
    assert failed_on(found(pixelmatch_ratio=0.01, ssim=0.9), **limits) == failed


def test_identical_images_pass_everything() -> None:
    limits = {"max_diff": 0, "max_changed_ratio": 0, "threshold": 0, "min_ssim": 1}

    assert failed_on(found(0, 0, pixelmatch_ratio=0, ssim=1), **limits) == ()


def test_threshold_alone_passes_what_pixelmatch_does_not_count() -> None:
    assert failed_on(found(pixelmatch_ratio=0), threshold=0.1) == ()


def test_no_similarity_is_not_let_pass() -> None:
    with pytest.raises(InvalidField, match=r"^min_ssim needs images of which more counts"):
        failed_on(found(ssim=None), min_ssim=0)
