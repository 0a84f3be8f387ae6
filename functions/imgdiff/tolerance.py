"""What callers let pass, and whether a comparison does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgdiff.errors import InvalidField
from imgdiff.fields import ImgdiffFields

if TYPE_CHECKING:
    from imgdiff.engine import Comparison


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a comparison passed.

    Attributes
    ----------
    failed_on : tuple of str
        The fields that it did not keep to; empty where it passed.
    """

    failed_on: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether it kept to all."""
        return not self.failed_on


def judge(found: "Comparison", fields: ImgdiffFields) -> Verdict | None:
    """Hold a comparison against what its fields let pass.

    Returns
    -------
    Verdict or None
        None where they say nothing of it.

    Raises
    ------
    InvalidField
        There is nothing to hold ``min_ssim`` against.
    """
    limits: list[tuple[str, float, float | None]] = [("max_diff", found.diff, fields.max_diff)]
    most = fields.max_changed_ratio
    if fields.threshold is None:
        limits.append(("max_changed_ratio", found.changed_ratio, most))
    else:
        name = "threshold" if most is None else "max_changed_ratio"
        limits.append((name, found.measured["pixelmatch_ratio"], most or 0))
    if fields.min_ssim is not None:
        ssim = found.measured["ssim"]
        if ssim is None:
            raise InvalidField(
                "needs images of which more counts, and that are 11 pixels wide and high",
                field="min_ssim",
            )
        # The other way round: the more, the better.
        limits.append(("min_ssim", -ssim, -fields.min_ssim))
    if all(limit is None for _, _, limit in limits):
        return None
    return Verdict(
        tuple(name for name, figure, limit in limits if limit is not None and figure > limit)
    )
