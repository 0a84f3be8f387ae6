"""Images that batches name in S3: in the inbox, and in further buckets that the owner allows."""

import re
from dataclasses import dataclass

from imgdiff.errors import InvalidField, NotFound, StorageUnavailable
from imgdiff.objects import Objects, Superseded

SCHEME = "s3://"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(frozen=True, slots=True)
class Inputs:
    """Images in S3.

    Attributes
    ----------
    objects : Objects
    inbox_bucket : str or None
        None where the inbox may not be read.
    arns : tuple of str
        What else may be read: ARNs of objects, in which ``*`` and ``?`` stand for what they do in
        a policy.
    max_bytes : int
        Largest image read.
    """

    objects: Objects
    inbox_bucket: str | None
    arns: tuple[str, ...]
    max_bytes: int

    def read(self, address: str) -> bytes:
        """The bytes of the image at ``s3://BUCKET/KEY``.

        Raises
        ------
        InvalidField
            It may not be read.
        NotFound
            There is none.
        TooLarge
            It is larger than ``max_bytes``.
        """
        bucket, _, key = address.removeprefix(SCHEME).partition("/")
        if not _BUCKET.fullmatch(bucket) or not key:
            raise InvalidField("must be s3://BUCKET/KEY")
        if not self._allows(bucket, key):
            raise InvalidField("lies where this service may not read")
        found = self.objects.find(bucket, key)
        if found is None:
            raise NotFound("names no object")
        try:
            return self.objects.read(found, max_bytes=self.max_bytes)
        except Superseded as error:
            raise StorageUnavailable from error

    def _allows(self, bucket: str, key: str) -> bool:
        return bucket == self.inbox_bucket or any(
            _pattern(arn).fullmatch(f"{bucket}/{key}") for arn in self.arns
        )


def _pattern(arn: str) -> re.Pattern[str]:
    resource = re.escape(arn.partition(":::")[2])
    return re.compile(resource.replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
