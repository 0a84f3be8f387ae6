"""Files in S3: many, large, and gone wrong."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from types_boto3_s3 import S3Client

from imgdiff.composition import Services
from imgdiff.errors import InvalidField, NotFound, StorageUnavailable
from imgdiff.objects import Superseded
from imgdiff.s3_files import S3Files
from local.stack import INBOX, RESULTS

KEY = "results/any/file"


@pytest.fixture
def files(services: Services) -> S3Files:
    files = services.files
    assert isinstance(files, S3Files)
    return files


@pytest.fixture(autouse=True)
def nothing_left(s3: S3Client) -> Iterator[None]:
    yield
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=RESULTS)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=RESULTS):
        for found in page.get("Contents", ()):
            s3.delete_object(Bucket=RESULTS, Key=found["Key"])


def content(files: S3Files, key: str = KEY) -> bytes:
    return b"".join(files.stream(RESULTS, key))


def test_a_large_file(files: S3Files, s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgdiff.s3_files._PIECE_BYTES", 5 << 20)
    pieces = [secrets.token_bytes(3_000_000) for _ in range(5)]
    with files.writing(RESULTS, KEY, "text/csv") as write:
        for piece in pieces:
            write(piece)
    assert content(files) == b"".join(pieces)
    found = s3.head_object(Bucket=RESULTS, Key=KEY)
    assert found["ContentType"] == "text/csv"
    assert found["ETag"].endswith('-3"')


def test_more_files_than_a_page_has(files: S3Files, s3: S3Client) -> None:
    client: Any = files._client
    client.meta.events.register(
        "before-parameter-build.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2)
    )
    keys = [f"batches/any/{number}" for number in range(5)]
    for key in (*keys, "batches/anyone"):
        s3.put_object(Bucket=RESULTS, Key=key)
    assert [*files.keys(RESULTS, "batches/any/")] == keys
    assert [*files.keys(RESULTS, "batches/none/")] == []


def test_a_version(files: S3Files, s3: S3Client) -> None:
    versions = [
        s3.put_object(Bucket=INBOX, Key="any", Body=body)["VersionId"] for body in (b"1", b"2")
    ]
    read = [b"".join(files.stream(INBOX, "any", version)) for version in (*versions, None)]
    assert read == [b"1", b"2", b"2"]


@pytest.mark.parametrize("version", [None, "0" * 32])
def test_a_file_that_is_gone(files: S3Files, version: str | None) -> None:
    with pytest.raises(NotFound, match=r"^is gone$"):
        [*files.stream(INBOX, "never", version)]


def test_nothing_is_written_where_the_block_fails(files: S3Files) -> None:
    with suppress(ValueError), files.writing(RESULTS, KEY, "any") as write:
        write(b"1")
        raise ValueError
    with pytest.raises(NotFound):
        content(files)


# Storage that fails.


def fail(files: S3Files, operation: str, error: Exception) -> None:
    def respond(**_: object) -> None:
        raise error

    client: Any = files._client
    client.meta.events.register(f"before-send.s3.{operation}", respond)


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry without a pause."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.mark.usefixtures("prompt")
@pytest.mark.parametrize(
    "operation", ["CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"]
)
def test_an_upload_that_fails_leaves_nothing(files: S3Files, operation: str) -> None:
    fail(files, operation, EndpointConnectionError(endpoint_url="any"))
    with (
        pytest.raises(StorageUnavailable),
        files.replacing(RESULTS, KEY, "any", previous=None) as write,
    ):
        write(b"1")
    with pytest.raises(NotFound):
        content(files)


@pytest.mark.usefixtures("prompt")
def test_listing_and_reading_that_fail(files: S3Files) -> None:
    fail(files, "*", ReadTimeoutError(endpoint_url="any"))
    with pytest.raises(StorageUnavailable):
        [*files.keys(RESULTS, "any")]
    with pytest.raises(StorageUnavailable):
        content(files)


def test_a_file_that_breaks_off(
    files: S3Files, s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=RESULTS, Key=KEY, Body=b"1" * 3_000_000)

    read = StreamingBody.read
    asked: list[int] = []

    def once(stream: StreamingBody, amt: int) -> bytes:
        asked.append(amt)
        if len(asked) > 1:
            raise ReadTimeoutError(endpoint_url="any")
        return read(stream, amt)

    monkeypatch.setattr(StreamingBody, "read", once)
    with pytest.raises(StorageUnavailable):
        content(files)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("status", "retries", "expected"),
    [
        (412, 0, Superseded),
        (409, 0, Superseded),
        # An earlier attempt may have been it.
        (412, 1, StorageUnavailable),
        (404, 1, StorageUnavailable),
    ],
)
def test_a_condition_that_does_not_hold(
    files: S3Files, status: int, retries: int, expected: type[Exception]
) -> None:
    answer: Any = {"HTTPStatusCode": status, "RetryAttempts": retries}
    error = ClientError({"Error": {"Code": "any"}, "ResponseMetadata": answer}, "any")
    fail(files, "CompleteMultipartUpload", error)
    with pytest.raises(expected), files.replacing(RESULTS, KEY, "any", previous=None) as write:
        write(b"1")


def test_what_may_not_be_read(files: S3Files) -> None:
    answer: Any = {"HTTPStatusCode": 403, "RetryAttempts": 0}
    fail(files, "*", ClientError({"Error": {"Code": "any"}, "ResponseMetadata": answer}, "any"))
    with pytest.raises(InvalidField, match=r"^lies where this service may not read$"):
        content(files)
