"""Media in S3."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from imgdiff.aws import error_status, storage_errors
from imgdiff.errors import NotFound, TooLarge
from imgdiff.media import is_id, new_id

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_PREFIX = "media/"


class S3Media:
    """Images in an S3 bucket, under ``media/``.

    Parameters
    ----------
    client : S3Client
    bucket : str
    link_expires_seconds : int
        How long a presigned address is good.
    """

    def __init__(self, client: "S3Client", bucket: str, *, link_expires_seconds: int) -> None:
        self._client = client
        self._bucket = bucket
        self._link_expires_seconds = link_expires_seconds

    def put(self, content: bytes, *, content_type: str, extension: str) -> str:
        """Store an image and return its id."""
        media_id = new_id(extension)
        with storage_errors():
            self._client.put_object(
                Bucket=self._bucket,
                Key=_PREFIX + media_id,
                Body=content,
                ContentType=content_type,
                CacheControl="private, max-age=86400, immutable",
            )
        return media_id

    def get(self, media_id: str, *, max_bytes: int) -> bytes:
        """The bytes of an image.

        Raises
        ------
        NotFound
            It has expired.
        TooLarge
            It is larger than ``max_bytes``.
        """
        try:
            with storage_errors():
                found = self._client.get_object(Bucket=self._bucket, Key=_PREFIX + media_id)
                if found["ContentLength"] > max_bytes:
                    found["Body"].close()
                    raise TooLarge(f"is over the limit of {max_bytes} bytes")
                return found["Body"].read()
        except ClientError as error:
            raise _not_found(error) from error

    def presigned(self, media_id: str) -> str:
        """A short-lived address of an image.

        Raises
        ------
        NotFound
            It has expired.
        """
        if not is_id(media_id):
            raise NotFound("names no media, or media that has expired")
        try:
            with storage_errors():
                self._client.head_object(Bucket=self._bucket, Key=_PREFIX + media_id)
        except ClientError as error:
            raise _not_found(error) from error
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": _PREFIX + media_id},
            ExpiresIn=self._link_expires_seconds,
        )


def _not_found(error: ClientError) -> Exception:
    return (
        NotFound("names no media, or media that has expired")
        if error_status(error) == 404
        else error
    )
