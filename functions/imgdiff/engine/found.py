"""What comparing finds, however it is done."""

from dataclasses import dataclass
from typing import Any, Protocol


class Sums(Protocol):
    """What is summed up of two images; `imgdiff.engine.core.Figures` says what it means."""

    squares: int
    absolutes: int
    changed: int
    largest: int
    transparent: int
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of two images, not in figures yet.

    Attributes
    ----------
    sums : Sums
    largest : int
        The largest difference of two samples, in what the sums are counted in.
    width, height : int
        The size in which the images were compared.
    counted : int
        Pixels that count.
    image : bytes or None
        The encoded picture.
    measured : dict
        The results of the measures.
    """

    sums: Sums
    largest: int
    width: int
    height: int
    counted: int
    image: bytes | None
    measured: dict[str, Any]
