"""Large files and many small ones in S3, as batches have them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from imgdiff.aws import error_status, storage_errors
from imgdiff.errors import ImgdiffError, InvalidField, NotFound
from imgdiff.objects import Stored
from imgdiff.s3_objects import superseded

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

type Write = Callable[[bytes], None]

_CHUNK_BYTES = 1 << 20
# S3 takes 10,000 pieces of at least 5 MiB.
_PIECE_BYTES = 16 << 20


class S3Files:
    """Files in S3 buckets, read and written piece by piece.

    Parameters
    ----------
    client : S3Client
    link_expires_seconds : int
        How long a presigned address is good.
    """

    def __init__(self, client: "S3Client", link_expires_seconds: int) -> None:
        self._client = client
        self._link_expires_seconds = link_expires_seconds

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """The content of a file, in chunks.

        Raises
        ------
        NotFound
            It is gone.
        InvalidField
            It may not be read.
        """
        version: Any = {"VersionId": version_id} if version_id else {}
        try:
            with storage_errors():
                answer = self._client.get_object(Bucket=bucket, Key=key, **version)
                body = answer["Body"]
                # What it gives to its block is the bare stream, which checks nothing.
                with body:
                    yield from iter(lambda: body.read(_CHUNK_BYTES), b"")
        except ClientError as error:
            raise _refused(error) from error

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys of all files that begin so."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        with storage_errors():
            for page in pages:
                yield from (found["Key"] for found in page.get("Contents", ()))

    @contextmanager
    def writing(self, bucket: str, key: str, content_type: str) -> Iterator[Write]:
        """Write a file, whatever was there; there is none of it where the block fails."""
        with self._uploading(bucket, key, content_type, {}) as write:
            yield write

    @contextmanager
    def replacing(
        self, bucket: str, key: str, content_type: str, *, previous: Stored | None
    ) -> Iterator[Write]:
        """Write a file in place of one that was found, or where there was none.

        Raises
        ------
        Superseded
            There is another by now.
        StorageUnavailable
            There is another, which may be this one: the answer to an earlier attempt was lost.
        """
        condition = {"IfMatch": previous.etag} if previous else {"IfNoneMatch": "*"}
        with self._uploading(bucket, key, content_type, condition) as write:
            yield write

    def presigned(self, bucket: str, key: str) -> str:
        """A short-lived address of a file."""
        return self._client.generate_presigned_url(
            "get_object",
            Params={"Bucket": bucket, "Key": key},
            ExpiresIn=self._link_expires_seconds,
        )

    @contextmanager
    def _uploading(
        self, bucket: str, key: str, content_type: str, condition: Any
    ) -> Iterator[Write]:
        with storage_errors():
            started = self._client.create_multipart_upload(
                Bucket=bucket, Key=key, ContentType=content_type
            )
        upload: Any = {"Bucket": bucket, "Key": key, "UploadId": started["UploadId"]}
        done: list[Any] = []
        held = bytearray()

        def send() -> None:
            number = len(done) + 1
            with storage_errors():
                part: Any = self._client.upload_part(**upload, PartNumber=number, Body=bytes(held))
            told = {name: part[name] for name in ("ETag", "ChecksumCRC32") if name in part}
            done.append({"PartNumber": number, **told})
            held.clear()

        def write(content: bytes) -> None:
            held.extend(content)
            if len(held) >= _PIECE_BYTES:
                send()

        try:
            yield write
            send()
            with superseded(), storage_errors():
                self._client.complete_multipart_upload(
                    **upload, MultipartUpload={"Parts": done}, **condition
                )
        except BaseException:
            with suppress(ClientError, ImgdiffError), storage_errors():
                self._client.abort_multipart_upload(**upload)
            raise


def _refused(error: ClientError) -> Exception:
    if error_status(error) == 403:
        return InvalidField("lies where this service may not read")
    # Of a version that marks a deletion, S3 says 405.
    if error_status(error) in (404, 405):
        return NotFound("is gone")
    return error
