"""Notices that an object was put into a bucket, by whatever way they come."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus


class UnknownEvent(Exception):
    """An event that tells nothing of buckets."""


@dataclass(frozen=True, slots=True)
class Notice:
    """That an object was put into a bucket.

    Attributes
    ----------
    bucket, key : str
    time : datetime
        When it happened.
    """

    bucket: str
    key: str
    time: datetime


def notices(event: Mapping[str, Any]) -> list[Notice]:
    """The notices of an event of EventBridge's or a notification of S3's.

    Raises
    ------
    UnknownEvent
        It is neither.
    """
    try:
        return list(_notices(event))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownEvent from error


def _notices(event: Mapping[str, Any]) -> Iterator[Notice]:
    match event:
        case {"source": "aws.s3", "detail": detail}:
            if event["detail-type"] == "Object Created":
                key = detail["object"]["key"]
                yield _notice(detail["bucket"]["name"], key, event["time"])
        case {"Records": records}:
            for record in records:
                if record["eventName"].startswith("ObjectCreated:"):
                    # Here, and not in EventBridge's events, the key is that of a URL.
                    key = unquote_plus(record["s3"]["object"]["key"])
                    yield _notice(record["s3"]["bucket"]["name"], key, record["eventTime"])
        # Sent when a bucket's notifications are set up.
        case {"Event": "s3:TestEvent"}:
            return
        case _:
            raise UnknownEvent


def _notice(bucket: str, key: str, time: str) -> Notice:
    return Notice(bucket, key, datetime.fromisoformat(time))
