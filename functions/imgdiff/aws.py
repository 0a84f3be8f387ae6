"""AWS clients, made alike, and what their failures mean to a caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own
    HTTPClientError,
    IncompleteReadError,
)

from imgdiff.errors import StorageUnavailable

# One retry at once, and times that leave room for an answer within the request's own limit.
_CONFIG = Config(
    connect_timeout=1,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
)
_THROTTLED = ("ProvisionedThroughputExceededException", "RequestLimitExceeded")
# No connection; one that fails under way; a body that ends too soon.
_UNREACHABLE = (ConnectionError, HTTPClientError, IncompleteReadError)


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def client(service: str, **config: Any) -> Any:
    """A client of an AWS service, for the function's own region and role.

    Parameters
    ----------
    service : str
        Its name, such as ``s3``.
    **config
        What botocore's ``Config`` takes besides what all clients here share.
    """
    return _session().create_client(service, config=_CONFIG.merge(Config(**config)))


def error_status(error: ClientError) -> int:
    """The HTTP status that AWS answered with."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turn throttling and outages into `StorageUnavailable`; all else passes."""
    try:
        yield
    except _UNREACHABLE as error:
        raise StorageUnavailable from error
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if "Throttl" in code or code in _THROTTLED or error_status(error) in (429, 500, 503):
            raise StorageUnavailable from error
        raise
