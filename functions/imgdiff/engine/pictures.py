"""Pictures of what has changed, drawn strip by strip."""

from typing import Protocol

from imgdiff.engine.options import Options
from imgdiff.engine.strips import Strip


class Picture(Protocol):
    """A picture under way."""

    def add(self, strip: Strip) -> None:
        """Draw the next strip."""
        ...

    def finish(self) -> bytes:
        """The encoded picture, of which all strips were drawn."""
        ...


def draw(options: Options, width: int, height: int) -> Picture | None:
    """The picture that is asked for, of images of this size; None for none."""
    raise NotImplementedError
