"""The real handler, over moto in this process."""

import base64
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

import boto3
import pytest
from moto import mock_aws
from types_boto3_s3 import S3Client
from urllib3 import encode_multipart_formdata
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from imgdiff import composition
from local import front, stack
from local.workers import Context

BASE_URL = "http://127.0.0.1:3000"
EVENTS = Path(__file__).parent.parent.parent / "events"


@dataclass(frozen=True)
class Reply:
    """What the handler answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.body)
        return parsed


class Invoke(Protocol):
    def __call__(self, event: dict[str, Any]) -> Reply: ...


class Get(Protocol):
    def __call__(
        self,
        path: str,
        query: dict[str, str] | list[tuple[str, str]] | None = None,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> Reply: ...


type File = tuple[str, bytes]


class Post(Protocol):
    def __call__(
        self,
        path: str,
        data: Mapping[str, str | File] | bytes | None = None,
        *,
        json: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        content_type: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply: ...


def handle(event: dict[str, Any], *, seconds: float = front.TIMEOUT_SECONDS) -> Reply:
    """Let the handler answer an event, before Lambda would end it after so many seconds."""
    from imgdiff.api import lambda_handler

    context: Any = Context("invocation", deadline=time.time() + seconds)
    reply = lambda_handler(event, context)
    body = reply.get("body") or ""
    return Reply(
        reply["statusCode"],
        {name.lower(): value for name, value in reply["headers"].items()},
        base64.b64decode(body) if reply["isBase64Encoded"] else body.encode(),
    )


def file(content: bytes, name: str = "picture.png") -> File:
    """A file to post, which makes the form a multipart one."""
    return name, content


def load(name: str) -> dict[str, Any]:
    """The event of a file in ``events/``."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def sample(name: str) -> str:
    """The link of a sample image."""
    return f"{BASE_URL}/media/{stack.sample_id(name)}"


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[None]:
    """An AWS that holds the key and the samples, and the function's environment."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in stack.environment("unused", BASE_URL).items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL")
        stack.fill()
        yield


@pytest.fixture(scope="module")
def machine(aws: None) -> str:
    """A state machine whose executions are started and do nothing; its ARN."""
    del aws
    made = boto3.client("stepfunctions").create_state_machine(
        name="imgdiff-batches",
        definition=json.dumps({"StartAt": "Any", "States": {"Any": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::123456789012:role/any",
    )
    return str(made["stateMachineArn"])


@pytest.fixture
def services() -> Iterator[composition.Services]:
    """The handler's services, made anew; a test changes settings before it asks for them."""
    composition.services.cache_clear()
    composition.deadline.start(front.TIMEOUT_SECONDS)
    yield composition.services()
    composition.services.cache_clear()


@pytest.fixture
def s3(services: composition.Services) -> S3Client:
    del services
    client: S3Client = boto3.client("s3")
    return client


@pytest.fixture
def invoke(services: composition.Services) -> Invoke:
    """Invoke the handler with an event."""
    del services
    return handle


@pytest.fixture
def get(invoke: Invoke) -> Get:
    """Send a request to the handler, as API Gateway would."""

    def call(
        path: str,
        query: dict[str, str] | list[tuple[str, str]] | None = None,
        *,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> Reply:
        sent = EnvironBuilder(
            path,
            method=method,
            query_string=urlencode(query or {}),
            headers=(headers or {}).items(),
        )
        return invoke(front.event(Request(sent.get_environ())))

    return call


@pytest.fixture
def post(invoke: Invoke) -> Post:
    """Post JSON, a form, a form with files or any bytes to the handler."""

    def call(
        path: str,
        data: Mapping[str, str | File] | bytes | None = None,
        *,
        json: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        content_type: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        if isinstance(data, Mapping) and any(isinstance(value, tuple) for value in data.values()):
            data, content_type = encode_multipart_formdata(data)
        sent = EnvironBuilder(
            path,
            method="POST",
            query_string=urlencode(query or {}),
            data=data,
            json=json,
            content_type=content_type,
            headers=(headers or {}).items(),
        )
        return invoke(front.event(Request(sent.get_environ())))

    return call


def stored(s3: S3Client) -> set[str]:
    """The keys of everything in the media bucket."""
    found = s3.list_objects_v2(Bucket=os.environ["MEDIA_BUCKET"])
    return {item["Key"] for item in found.get("Contents", [])}
