"""Stored images: unguessable ids, and links that live as long as the object."""

import re
import uuid
from dataclasses import dataclass
from typing import Protocol

_ID = re.compile(r"[0-9a-f]{32}\.[a-z]{3,4}")


def new_id(extension: str) -> str:
    """An unguessable media id: 122 random bits and the file's extension."""
    return f"{uuid.uuid4().hex}.{extension}"


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of a media id."""
    return _ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Links:
    """Links to media, and back.

    Parameters
    ----------
    base : str
        Where new links point, without a trailing slash.
    aliases : tuple of str
        Further bases under which this service's own links are known.
    """

    base: str
    aliases: tuple[str, ...] = ()

    def link(self, media_id: str) -> str:
        """The link that a caller gets."""
        return f"{self.base}/media/{media_id}"

    def media_id(self, address: str) -> str | None:
        """The id that an address names if it is one of our links."""
        for base in (self.base, *self.aliases):
            prefix = f"{base}/media/"
            if address.startswith(prefix) and is_id(media_id := address[len(prefix) :]):
                return media_id
        return None


class Media(Protocol):
    """Where images are stored."""

    def put(self, content: bytes, *, content_type: str, extension: str) -> str:
        """Store an image and return its id."""
        ...

    def get(self, media_id: str, *, max_bytes: int) -> bytes:
        """The bytes of an image; raises NotFound when it has expired."""
        ...

    def presigned(self, media_id: str) -> str:
        """A short-lived address of an image; raises NotFound when it has expired."""
        ...
