"""Media in S3: in the service's own bucket, or in one of a caller's own."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from imgdiff.aws import error_status, read_body, storage_errors
from imgdiff.deadline import Deadline
from imgdiff.errors import NotFound, TooLarge
from imgdiff.formats import Format
from imgdiff.media import ID_METADATA, DirectUpload, Place, handle_of, is_id, new_id, result_of

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_PREFIX = "media/"
_GONE = "names no media, or media that has expired"


class S3Media:
    """Images in S3 buckets.

    Parameters
    ----------
    client : S3Client
    bucket : str
        The service's own bucket, where images lie under ``media/``.
    results_bucket : str
        Where pictures of results lie, each under a name and with the secret that its id tells.
    deadline : Deadline
        By when an image must have arrived.
    link_expires_seconds : int
        How long a presigned address is good.
    find_place : callable
        Handle to the place that carries it, or None.
    """

    def __init__(
        self,
        client: "S3Client",
        bucket: str,
        results_bucket: str,
        *,
        deadline: Deadline,
        link_expires_seconds: int,
        find_place: Callable[[str], Place | None],
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._results_bucket = results_bucket
        self._deadline = deadline
        self._link_expires_seconds = link_expires_seconds
        self._find_place = find_place

    def put(self, content: bytes, kind: Format, place: Place | None = None) -> str:
        """Store an image and return its id."""
        media_id = new_id(kind.extension, place)
        bucket, key = self._at(media_id, place)
        with storage_errors():
            self._client.put_object(
                Bucket=bucket,
                Key=key,
                Body=content,
                ContentType=kind.content_type,
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
        bucket, key = self._find(media_id)
        try:
            with storage_errors():
                found = self._client.get_object(Bucket=bucket, Key=key)
                with found["Body"]:
                    if found["ContentLength"] > max_bytes:
                        raise TooLarge(f"is over the limit of {max_bytes} bytes")
                    _check(media_id, found["Metadata"])
                    return read_body(found["Body"], self._deadline)
        except ClientError as error:
            raise _not_found(error) from error

    def presigned(self, media_id: str) -> str:
        """A short-lived address of an image.

        Raises
        ------
        NotFound
            It has expired.
        """
        bucket, key = self._find(media_id)
        try:
            with storage_errors():
                found = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            raise _not_found(error) from error
        _check(media_id, found["Metadata"])
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": bucket, "Key": key},
            ExpiresIn=self._link_expires_seconds,
        )

    def direct_upload(self, kind: Format, size: int, place: Place | None = None) -> DirectUpload:
        """How to upload an image of this type, of at most ``size`` bytes, directly to S3."""
        media_id = new_id(kind.extension, place)
        bucket, key = self._at(media_id, place)
        content_type = {"Content-Type": kind.content_type}
        form = self._client.generate_presigned_post(
            bucket,
            key,
            Fields=dict(content_type),
            Conditions=[content_type, ["content-length-range", 1, size]],
            ExpiresIn=self._link_expires_seconds,
        )
        return DirectUpload(media_id, form["url"], form["fields"], self._link_expires_seconds)

    def _find(self, media_id: str) -> tuple[str, str]:
        if result := result_of(media_id):
            return self._results_bucket, result[1]
        handle = handle_of(media_id)
        place = self._find_place(handle) if handle else None
        if not is_id(media_id) or (handle and place is None):
            raise NotFound(_GONE)
        return self._at(media_id, place)

    def _at(self, media_id: str, place: Place | None) -> tuple[str, str]:
        if place:
            return place.bucket, place.prefix + media_id
        return self._bucket, _PREFIX + media_id


def _check(media_id: str, metadata: Mapping[str, str]) -> None:
    result = result_of(media_id)
    if result and metadata.get(ID_METADATA) != result[0]:
        raise NotFound(_GONE)


def _not_found(error: ClientError) -> Exception:
    return NotFound(_GONE) if error_status(error) == 404 else error
