"""The function as it was built, under Lambda's own runtime, for benchmarks to call."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3

from imgdiff.media import new_id
from local.runtime import BUILT, Function, built
from local.stack import KEY, Stack, enter, environment, fill
from local.workers import Event

BASE_URL = "https://images.example.com"
_EVENTS = Path(__file__).parents[1] / "events"
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")


@contextmanager
def function() -> Iterator[Function]:
    """The API's function beside an embedded AWS in this process; it logs as it does by default."""
    stack = Stack("127.0.0.1", 0)
    enter(stack.endpoint, BASE_URL)
    fill()
    variables = {**environment(stack.endpoint, BASE_URL), "POWERTOOLS_LOG_LEVEL": "INFO"}
    try:
        yield built("ApiFunction", BUILT, variables)
    finally:
        stack.stop()


def store(content: bytes, suffix: str) -> str:
    """Store an image in the embedded AWS and return its link."""
    media_id = new_id(suffix)
    boto3.client("s3").put_object(
        Bucket=os.environ["MEDIA_BUCKET"], Key=f"media/{media_id}", Body=content
    )
    return f"{BASE_URL}/media/{media_id}"


def health() -> Event:
    """The event that asks for `/health`."""
    return _event("health")


def imgdiff(source: str, target: str) -> Event:
    """The event that asks to compare the images of two links."""
    query = {"src": source, "target": target, "key": KEY}
    return _event("imgdiff") | {
        "rawQueryString": urlencode(query),
        "queryStringParameters": query,
    }


def _event(name: str) -> dict[str, Any]:
    event: Event = json.loads((_EVENTS / f"{name}.json").read_text())
    return event


def init_milliseconds(log: str) -> float:
    """What the import of the handler took, as the emulator logs it."""
    found = _INIT.search(log)
    assert found, log
    return float(found[1])
