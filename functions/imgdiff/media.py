"""Stored images: unguessable ids, links that live as long as the object, and where it lies."""

import re
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Protocol

from imgdiff.formats import Format

_ID = re.compile(
    r"(?P<secret>[0-9a-f]{32})(?:-(?P<handle>[0-9a-f]{12})|_(?P<key>[A-Za-z0-9_-]+))?"
    r"\.(?P<extension>[a-z]{3,4})"
)

# Under what a result's picture tells its secret, in S3's metadata.
ID_METADATA = "id"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket of a caller's own, for their results.

    Attributes
    ----------
    handle : str
        What ids of media in this place carry, so that their links are found again: 12 random hex
        digits.
    bucket, prefix : str
        Where the media lie; the prefix ends in a slash or is empty.
    """

    handle: str
    bucket: str
    prefix: str


@dataclass(frozen=True, slots=True)
class DirectUpload:
    """How to upload an image directly to storage.

    Attributes
    ----------
    media_id : str
        The id that the image will have.
    url : str
        Where to POST a multipart form.
    fields : dict of str to str
        The form's fields, which come before its ``file``.
    expires_seconds : int
        How long that is good.
    """

    media_id: str
    url: str
    fields: dict[str, str]
    expires_seconds: int


def new_id(extension: str, place: Place | None = None) -> str:
    """An unguessable media id: 122 random bits, its place's handle and the file's extension."""
    handle = f"-{place.handle}" if place else ""
    return f"{uuid.uuid4().hex}{handle}.{extension}"


def result_id(secret: str, key: str) -> str:
    """The media id of a result's picture, which lies under a name of its own.

    Parameters
    ----------
    secret : str
        32 random hex digits, which the object carries too: the name alone can be guessed.
    key : str
        The picture's key in the bucket of results.
    """
    name, _, extension = key.rpartition(".")
    return f"{secret}_{urlsafe_b64encode(name.encode()).decode().rstrip('=')}.{extension}"


def result_of(media_id: str) -> tuple[str, str] | None:
    """The secret and the key of a result's picture, if that is what an id names."""
    found = _ID.fullmatch(media_id)
    if not found or not found["key"]:
        return None
    try:
        # A character in excess counts for nothing, one too few is missed.
        name = urlsafe_b64decode(found["key"] + "==").decode()
    except ValueError:
        return None
    return found["secret"], f"{name}.{found['extension']}"


def is_id(text: str) -> bool:
    """Whether ``text`` has the form of a media id."""
    return _ID.fullmatch(text) is not None


def handle_of(media_id: str) -> str | None:
    """The handle of the place that a media id carries."""
    found = _ID.fullmatch(media_id)
    return found["handle"] if found else None


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

    def put(self, content: bytes, kind: Format, place: Place | None = None) -> str:
        """Store an image and return its id."""
        ...

    def get(self, media_id: str, *, max_bytes: int) -> bytes:
        """The bytes of an image; raises NotFound when it has expired."""
        ...

    def presigned(self, media_id: str) -> str:
        """A short-lived address of an image; raises NotFound when it has expired."""
        ...

    def direct_upload(self, kind: Format, size: int, place: Place | None = None) -> DirectUpload:
        """How to upload an image of this type, of at most ``size`` bytes, directly."""
        ...
