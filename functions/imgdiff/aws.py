"""AWS clients, made alike, and what their failures mean to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from zlib import crc32

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
)

from imgdiff.deadline import Deadline
from imgdiff.errors import StorageUnavailable

# One retry, after a second at most.
_CONNECT_SECONDS = 1
_READ_SECONDS = 5
_CONFIG = Config(
    connect_timeout=_CONNECT_SECONDS,
    read_timeout=_READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": 2},
)
# Codes that come with status 400.
_BUSY = ("ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestTimeout")
# No connection; one that fails under way; a body that ends too soon or is not what was stored.
_UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError, FlexibleChecksumError)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def read_models(*services: str) -> None:
    """Read what clients of AWS services are made of; credentials are left alone."""
    for service in services:
        _session().get_service_model(service)


def client(service: str, deadline: Deadline, **config: Any) -> Any:
    """A client of an AWS service, for the function's own region and role.

    Parameters
    ----------
    service : str
        Its name, such as ``s3``.
    deadline : Deadline
        By when the request at hand must be answered: what may not end before is not tried.
    **config
        What botocore's ``Config`` takes besides what all clients here share.
    """

    def check(**_: object) -> None:
        if deadline.remaining() < _CONNECT_SECONDS + _READ_SECONDS:
            raise StorageUnavailable

    made = _session().create_client(service, config=_CONFIG.merge(Config(**config)))
    made.meta.events.register("before-send", check)
    made.meta.events.register("after-call", _check_answer)
    return made


def _check_answer(http_response: AWSResponse, **_: object) -> None:
    # DynamoDB's: botocore retries an answer that was cut off, and then takes it for an empty one.
    expected = http_response.headers.get("x-amz-crc32")
    if expected and crc32(http_response.content) != int(expected):
        raise StorageUnavailable


def error_status(error: ClientError) -> int:
    """The HTTP status that AWS answered with."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def read_body(body: Any, deadline: Deadline) -> bytes:
    """The body of an answer of S3, by the deadline."""
    # What it gives to its block is the bare stream, which can be cut and checks nothing.
    with body as stream, deadline.watch(lambda: _cut(stream)):
        content: bytes = body.read()
    # A body that was cut can look whole.
    if deadline.remaining() < 0:
        raise StorageUnavailable
    return content


def _cut(stream: Any) -> None:
    with suppress(OSError, RuntimeError, ValueError):  # it may have ended by itself
        stream.shutdown()


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn throttling and outages into `StorageUnavailable`; all else passes."""
    try:
        yield
    except _UNREACHABLE as error:
        raise StorageUnavailable from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        status = error_status(error)
        if "Throttl" in code or code in _BUSY or status == 429 or status >= 500:
            raise StorageUnavailable from error
        raise
