"""Every code of the contract, with its exact status and a sentence that names the field.

Nothing is ever stored by a request that fails, and every reply has the same shape.
"""

import io
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from PIL import Image
from types_boto3_s3 import S3Client

from imgdiff.addresses import Guard
from imgdiff.composition import Services
from imgdiff.fetch import Fetcher
from imgdiff.formats import PNG
from imgdiff.keys import hash_key
from imgdiff.operations import OPERATIONS
from local.stack import KEY, sample_id
from tests.integration.conftest import Get, sample, stored

PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png"), "key": KEY}
SIZES_DIFFER = (
    "src is 1280x800 and target is 640x426 pixels, but both must be of equal size: "
    "bring them to one size with fit, or with /resize or /crop first"
)
NOT_AN_IMAGE = "src is not an image (PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)"
EXPIRED = sample("page-source.png").replace("0001.png", "ffff.png")
HOSTS = {"images.example.com": ["93.184.215.14"], "inside.example.com": ["10.0.0.1"]}


def without(name: str) -> dict[str, str]:
    return {field: value for field, value in PAGE.items() if field != name}


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        (without("src"), 400, "src is required"),
        (without("target"), 400, "target is required"),
        ({**PAGE, "src": ""}, 400, "src is required"),
        ([*PAGE.items(), ("src", PAGE["src"])], 400, "src is given more than once"),
        ({**PAGE, "blob": "maybe"}, 400, "blob must be true or false, not 'maybe'"),
        ({**PAGE, "src": "page.png"}, 400, "src must begin with http:// or https://"),
        (
            {**PAGE, "src": "ftp://example.com/a.png"},
            400,
            "src must begin with http:// or https://",
        ),
        ({**PAGE, "target": "http://127.0.0.1/a.png"}, 400, "target must be a public address"),
        (
            {**PAGE, "target": "http://169.254.169.254/latest/meta-data"},
            400,
            "target must be a public address",
        ),
        (
            {**PAGE, "target": sample("photo-source.jpg")},
            400,
            SIZES_DIFFER,
        ),
        (
            without("key"),
            401,
            "a key is required: send it as the field key or the header x-api-key",
        ),
        ({**PAGE, "key": "unknown"}, 401, "the key is not valid"),
        ({**PAGE, "key": "disabled"}, 401, "the key is not valid"),
        ({**PAGE, "src": EXPIRED}, 404, "src names no media, or media that has expired"),
    ],
)
def test_refused(get: Get, s3: S3Client, query: dict[str, str], status: int, error: str) -> None:
    boto3.client("dynamodb").put_item(
        TableName="imgdiff-keys",
        Item={
            "key_sha256": {"S": hash_key("disabled")},
            "name": {"S": "someone"},
            "disabled": {"BOOL": True},
        },
    )
    before = stored(s3)
    reply = get("/imgdiff", query)
    assert (reply.status, reply.json()) == (status, {"status": status, "error": error})
    assert stored(s3) == before


def test_key_comes_before_the_fields(get: Get) -> None:
    assert get("/imgdiff").status == 401


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        *((operation.path, operation.methods) for operation in OPERATIONS),
        *((path, ("GET",)) for path in ("/", "/health", "/media/x", "/openapi.json")),
    ],
)
def test_method_not_allowed(get: Get, method: str, path: str, allowed: tuple[str, ...]) -> None:
    reply = get(path, method=method)
    if method in allowed:
        assert reply.status != 405
        return
    assert (reply.status, reply.headers["allow"]) == (405, ", ".join(allowed))
    sentence = f"{method} is not allowed here, use {' or '.join(allowed)}"
    assert reply.json() == {"status": 405, "error": sentence}


@pytest.mark.parametrize("path", ["/nowhere", "/store/x", "/imgdiff/", "/media", "/media/a/b"])
def test_no_such_route(get: Get, path: str) -> None:
    reply = get(path)
    assert reply.json() == {"status": 404, "error": f"there is nothing at {path}"}


@pytest.mark.parametrize("media_id", ["x", "..", "0" * 32, f"{'0' * 32}.png", "a%20b"])
def test_expired_media(get: Get, media_id: str) -> None:
    reply = get(f"/media/{media_id}")
    assert reply.json() == {"status": 404, "error": "id names no media, or media that has expired"}


# What is wrong with an image.


def put(services: Services, content: bytes) -> str:
    """Store ``content`` as if it were an image, and return its link."""
    media_id = services.media.put(content, PNG)
    return sample("page-source.png").replace(sample_id("page-source.png"), media_id)


def test_not_an_image(get: Get, services: Services, s3: S3Client) -> None:
    link = put(services, b"<html>not found</html>")
    before = stored(s3)
    reply = get("/imgdiff", {**PAGE, "target": link})
    assert reply.json() == {"status": 415, "error": NOT_AN_IMAGE.replace("src", "target")}
    assert stored(s3) == before


def test_damaged_image(get: Get, services: Services) -> None:
    whole = (services.media.get(sample_id("photo-source.jpg"), max_bytes=1 << 20))[:9000]
    reply = get("/imgdiff", {**PAGE, "src": put(services, whole)})
    assert reply.json() == {"status": 415, "error": "src is damaged or cut short"}


@pytest.fixture
def few_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "500000")


@pytest.fixture
def few_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_BYTES", "30000")


@pytest.mark.usefixtures("few_pixels")
def test_too_many_pixels(get: Get, s3: S3Client) -> None:
    before = stored(s3)
    assert get("/imgdiff", PAGE).json() == {
        "status": 413,
        "error": "src is 1280x800 pixels, over the limit of 500000 pixels",
    }
    assert stored(s3) == before


@pytest.mark.usefixtures("few_bytes")
def test_too_many_bytes(get: Get, s3: S3Client) -> None:
    before = stored(s3)
    reply = get("/imgdiff", PAGE)
    assert reply.json() == {"status": 413, "error": "src is over the limit of 30000 bytes"}
    assert stored(s3) == before


# What is wrong with the image's server.


@pytest.fixture
def origin(services: Services) -> Iterator[Callable[[bytes], str]]:
    """A web server that answers its one connection with the given bytes; its public address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        services.fetcher = Fetcher(
            Guard(),
            max_bytes=services.settings.max_image_bytes,
            timeout=lambda: 2.5,
            resolve=lambda host, _: HOSTS.get(host, []),
            connect=lambda *_: socket.create_connection(listener.getsockname()),
        )
        finished = threading.Event()

        def answer(response: bytes) -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(response)
                if not response:
                    finished.wait(5)

        threads: list[threading.Thread] = []

        def serve(response: bytes) -> str:
            threads.append(threading.Thread(target=answer, args=[response]))
            threads[-1].start()
            return "http://images.example.com/a.png"

        yield serve
        finished.set()
        for thread in threads:
            thread.join()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def png(size: tuple[int, int] = (1280, 800)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, "teal").save(file, "PNG")
    return file.getvalue()


def test_fetched_image_is_compared(get: Get, origin: Callable[[bytes], str]) -> None:
    reply = get("/imgdiff", {**PAGE, "src": origin(http("200 OK", png()))})
    assert (reply.status, reply.json()["width"]) == (200, 1280)


@pytest.mark.parametrize(
    ("response", "status", "error"),
    [
        (http("404 Not Found"), 404, "src could not be fetched: its server answered 404"),
        (http("403 Forbidden"), 404, "src could not be fetched: its server answered 403"),
        (http("500 Oops"), 502, "src could not be fetched: its server answered 500"),
        (http("200 OK", b"x" * 9)[:-3], 502, "src could not be fetched: its server failed"),
        (http("200 OK"), 502, "src could not be fetched: its server sent nothing"),
        (http("302 Found", b"", "Location: http://10.0.0.1/"), 400, "src must be a public address"),
        (b"", 504, "src took too long to arrive"),
        (
            http("200 OK", b"no image"),
            415,
            NOT_AN_IMAGE,
        ),
    ],
)
def test_failing_origin(
    get: Get,
    s3: S3Client,
    origin: Callable[[bytes], str],
    response: bytes,
    status: int,
    error: str,
) -> None:
    before = stored(s3)
    reply = get("/imgdiff", {**PAGE, "src": origin(response)})
    assert reply.json() == {"status": status, "error": error}
    assert stored(s3) == before


@pytest.mark.usefixtures("origin")
@pytest.mark.parametrize("host", ["no.example.com", "inside.example.com"])
def test_no_public_host(get: Get, host: str) -> None:
    reply = get("/imgdiff", {**PAGE, "target": f"https://{host}/a.png"})
    assert reply.json() == {"status": 404, "error": "target names no public host"}


# What is wrong on our side.


def failing(code: str, status: int) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "HTTPHeaders": {},
                "HostId": "",
                "RequestId": "",
                "RetryAttempts": 0,
            },
        },
        "AnyOperation",
    )


@pytest.mark.parametrize(
    "failure",
    [
        failing("SlowDown", 503),
        failing("InternalError", 500),
        failing("ThrottlingException", 400),
        failing("ProvisionedThroughputExceededException", 400),
        failing("RequestLimitExceeded", 400),
        ReadTimeoutError(endpoint_url="https://s3.amazonaws.com"),
        EndpointConnectionError(endpoint_url="https://s3.amazonaws.com"),
        ResponseStreamingError(error="cut"),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
)
@pytest.mark.parametrize("operation", ["s3.PutObject", "s3.GetObject", "dynamodb.GetItem"])
def test_busy_storage(
    get: Get, services: Services, s3: S3Client, failure: Exception, operation: str
) -> None:
    service, name = operation.split(".")
    adapter: Any = services.media if service == "s3" else services.keys

    def fail(**_: object) -> None:
        raise failure

    adapter._client.meta.events.register(f"before-send.{service}.{name}", fail)
    before = stored(s3)
    reply = get("/imgdiff", PAGE)
    assert reply.json()["status"] == 503
    assert reply.json()["error"] == "storage is busy, try again in a second"
    assert reply.headers["retry-after"] == "1"
    assert stored(s3) == before


def test_defect_of_ours(get: Get, s3: S3Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret detail")

    before = stored(s3)
    monkeypatch.setattr("imgdiff.engine.comparison.decode", defect)
    reply = get("/imgdiff", {**PAGE, "blob": "true"})
    assert reply.json() == {
        "status": 500,
        "error": "something went wrong on our side; the x-request-id names this request",
    }
    assert stored(s3) == before


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/imgdiff", PAGE),
        ("GET", "/imgdiff", {**PAGE, "blob": "true"}),
        ("GET", "/imgdiff", {**without("src"), "blob": "true"}),
        ("GET", "/imgdiff", without("key")),
        ("PUT", "/imgdiff", PAGE),
        ("POST", "/store", PAGE),
        ("GET", "/", {}),
        ("GET", "/openapi.json", {}),
        ("OPTIONS", "/imgdiff", {}),
        ("GET", f"/media/{sample_id('page-source.png')}", {}),
        ("GET", "/media/x", {}),
        ("GET", "/nowhere", {}),
        ("GET", "/health", {}),
    ],
)
def test_every_reply(get: Get, method: str, path: str, query: dict[str, str]) -> None:
    reply = get(path, query, method=method, headers={"Origin": "https://app.example.com"})
    assert len(reply.headers["x-request-id"]) == 32
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "x-request-id" in reply.headers["access-control-expose-headers"]
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/json"
        assert set(reply.json()) == {"status", "error"}
        assert reply.json()["status"] == reply.status
