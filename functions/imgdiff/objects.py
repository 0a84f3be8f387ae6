"""Objects in buckets: images that were put there, and what was made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote


class Superseded(Exception):
    """An object is not what it was any more: someone else was faster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An object as it was found.

    Attributes
    ----------
    bucket, key : str
    version_id : str or None
        None where the bucket keeps no versions.
    etag : str
        Its entity tag, in quotes.
    modified : datetime
    size : int
        In bytes.
    metadata : mapping of str to str
        What whoever put it said of it.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    modified: datetime
    size: int
    metadata: Mapping[str, str]

    @property
    def version(self) -> str:
        """What no other version of it has; 7-bit, without spaces."""
        return self.version_id or f"{self.etag.strip('"')}@{self.modified.isoformat()}"

    @property
    def address(self) -> str:
        """Its address."""
        return f"s3://{self.bucket}/{quote(self.key)}"


class Objects(Protocol):
    """Where objects lie."""

    def find(self, bucket: str, key: str) -> Stored | None:
        """The newest version of an object, without its content; None where there is none."""
        ...

    def read(self, found: Stored, *, max_bytes: int) -> bytes:
        """The content of the version that was found.

        Raises
        ------
        TooLarge
            It is larger than ``max_bytes``.
        Superseded
            It is gone.
        """
        ...

    def write(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
    ) -> None:
        """Put an object, whatever was there."""
        ...

    def replace(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        previous: Stored | None,
    ) -> None:
        """Put an object in place of one that was found, or where there was none.

        Raises
        ------
        Superseded
            There is another by now.
        """
        ...

    def delete(self, found: Stored) -> None:
        """Delete an object that was found.

        Raises
        ------
        Superseded
            There is another by now.
        """
        ...
