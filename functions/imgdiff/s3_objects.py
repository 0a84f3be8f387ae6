"""Objects in S3, each put on condition that nobody else was faster."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from imgdiff.aws import error_status, read_body, storage_errors
from imgdiff.deadline import Deadline
from imgdiff.errors import InvalidField, StorageUnavailable, TooLarge
from imgdiff.objects import Stored, Superseded

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

# Put on condition that it is as it was: it is not, it is being put elsewhere, it is not there.
_SUPERSEDED = (412, 409, 404)


class S3Objects:
    """Objects in S3 buckets.

    Parameters
    ----------
    client : S3Client
    deadline : Deadline
        By when an object must have arrived.
    """

    def __init__(self, client: "S3Client", deadline: Deadline) -> None:
        self._client = client
        self._deadline = deadline

    def find(self, bucket: str, key: str) -> Stored | None:
        """The newest version of an object, without its content; None where there is none.

        Raises
        ------
        InvalidField
            It may not be read.
        """
        try:
            with storage_errors():
                found = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_status(error) == 404:
                return None
            raise _forbidden(error) from error
        version = found.get("VersionId")
        return Stored(
            bucket=bucket,
            key=key,
            # What was put before the bucket kept versions.
            version_id=None if version == "null" else version,
            etag=found["ETag"],
            modified=found["LastModified"],
            size=found["ContentLength"],
            metadata=found["Metadata"],
        )

    def read(self, found: Stored, *, max_bytes: int) -> bytes:
        """The content of the version that was found.

        Raises
        ------
        TooLarge
            It is larger than ``max_bytes``.
        InvalidField
            It may not be read.
        Superseded
            It is gone.
        """
        if found.size > max_bytes:
            raise TooLarge(f"is over the limit of {max_bytes} bytes")
        version: Any = {"VersionId": found.version_id} if found.version_id else {}
        try:
            with storage_errors():
                answer = self._client.get_object(
                    Bucket=found.bucket, Key=found.key, IfMatch=found.etag, **version
                )
                return read_body(answer["Body"], self._deadline)
        except ClientError as error:
            if error_status(error) in _SUPERSEDED:
                raise Superseded from error
            raise _forbidden(error) from error

    def write(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
    ) -> None:
        """Put an object, whatever was there."""
        with storage_errors():
            self._client.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                Metadata=metadata,
            )

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
        condition: Any = {"IfMatch": previous.etag} if previous else {"IfNoneMatch": "*"}
        with superseded(), storage_errors():
            self._client.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                ContentType=content_type,
                Metadata=metadata,
                **condition,
            )

    def delete(self, found: Stored) -> None:
        """Delete an object that was found.

        Raises
        ------
        Superseded
            There is another by now.
        """
        with superseded(), storage_errors():
            self._client.delete_object(Bucket=found.bucket, Key=found.key, IfMatch=found.etag)


@contextmanager
def superseded() -> Iterator[None]:
    """Turn the failed condition of a write into `Superseded`; all else passes."""
    try:
        yield
    except ClientError as error:
        if error_status(error) not in _SUPERSEDED:
            raise
        # By us, maybe: the answer to an earlier attempt was lost.
        if error.response["ResponseMetadata"]["RetryAttempts"]:
            raise StorageUnavailable from error
        raise Superseded from error


def _forbidden(error: ClientError) -> Exception:
    if error_status(error) == 403:
        return InvalidField("lies where this service may not read")
    return error
