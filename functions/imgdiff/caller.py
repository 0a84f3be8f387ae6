"""Whoever calls, and what the use cases do for them: read images, keep images, within limits."""

from collections.abc import Callable
from dataclasses import dataclass

from imgdiff.fields import ImageInput
from imgdiff.formats import Format
from imgdiff.media import Media, Place
from imgdiff.stages import storing


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, and what serves them.

    Attributes
    ----------
    read : callable
        An image's address or content to its bytes.
    media : Media
        Where images are stored.
    place : Place or None
        A bucket of the caller's own for them.
    max_pixels : int
        The most pixels that are read or made.
    max_bytes : int
        The largest file that is read.
    max_inline_bytes : int
        The largest image that can be answered itself.
    """

    read: Callable[[ImageInput], bytes]
    media: Media
    place: Place | None
    max_pixels: int
    max_bytes: int
    max_inline_bytes: int

    def keep(self, content: bytes, kind: Format, *, inline: bool) -> str | None:
        """Store an image and return its id, unless it is to be answered itself and fits."""
        if inline and len(content) <= self.max_inline_bytes:
            return None
        with storing(content):
            return self.media.put(content, kind, self.place)
