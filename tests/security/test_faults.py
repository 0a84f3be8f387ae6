"""A call of AWS that fails: what the caller is told, how often it is tried, and for how long.

The real handler calls over sockets and TLS, as on Lambda, but is not as patient.
"""

import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import trustme
import urllib3
from botocore.config import Config
from types_boto3_s3 import S3Client
from urllib3 import encode_multipart_formdata
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from imgdiff import api, aws, composition
from imgdiff.dynamo_keys import key_item, place_item
from imgdiff.keys import Key, hash_key
from imgdiff.media import Place
from local import front, stack
from tests.integration.conftest import BASE_URL, Reply, file, handle, sample, stored
from tests.security.faulty_aws import (
    Call,
    Fault,
    FaultyAws,
    deaf,
    drip,
    error,
    forget,
    garble,
    hang,
    hang_up,
    midway,
    reset,
)
from tests.security.origin import Origin, answer
from tests.security.origin import drip as dripping

READ_SECONDS = 0.6
# What must be left for a call to be begun: in the request, and before Lambda ends it.
CALL_SECONDS = aws._CONNECT_SECONDS + READ_SECONDS
LAMBDA_SECONDS = CALL_SECONDS + api._REPLY_SECONDS

IMAGE = (Path(stack.__file__).parents[1] / "samples" / "photo-source.jpg").read_bytes()
PLACE = Place("0123456789ab", "imgdiff-theirs", "a/")
PLACED = f"{'0' * 32}-{PLACE.handle}.jpg"
LIMITED, THEIRS = "limited", "theirs"


@dataclass(frozen=True)
class Sent:
    """A request, and what it is answered with."""

    path: str
    what: dict[str, Any]
    status: int = 200

    def handle(self, *, seconds: float = 20) -> Reply:
        """Let the handler answer it, before Lambda would end it after so many seconds."""
        event = front.event(Request(EnvironBuilder(self.path, **self.what).get_environ()))
        end = time.monotonic() + max(seconds, LAMBDA_SECONDS)
        reply = handle(event, seconds=seconds)
        assert time.monotonic() < end
        return reply


def get(path: str, /, **query: str) -> Sent:
    return Sent(path, {"query_string": {"key": stack.KEY} | query})


def store(key: str = stack.KEY) -> Sent:
    form, content_type = encode_multipart_formdata({"key": key, "file": file(IMAGE)})
    return Sent("/store", {"method": "POST", "data": form, "content_type": content_type})


def media(media_id: str) -> Sent:
    return Sent(f"/media/{media_id}", {}, 302)


PHOTO = sample("photo-source.jpg")
PAIR = {"src": PHOTO, "target": sample("photo-target.jpg")}
SMALL = {"img": PHOTO, "width": "9", "blob": "true"}

# Every call that the function makes, each with a request that leads to it.
CALLS = {
    "GetItem key": get("/crop", **SMALL),
    "UpdateItem count": get("/resize", **SMALL, key=LIMITED),
    "GetItem place": media(PLACED),
    "GetObject": get("/resize", **SMALL),
    "HeadObject": media(stack.sample_id("photo-source.jpg")),
    "PutObject": store(),
}
TABLE = [name for name in CALLS if "Item" in name]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Where moto's AWS is, which holds the keys, the samples and a place of a caller's own."""
    running = stack.Stack("127.0.0.1", 0)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment(running.endpoint, BASE_URL).items():
            patch.setenv(name, value)
        urllib3.request("POST", f"{running.endpoint}/moto-api/reset")
        stack.fill()
        s3, dynamodb = boto3.client("s3"), boto3.client("dynamodb")
        s3.create_bucket(Bucket=PLACE.bucket)
        s3.put_object(Bucket=PLACE.bucket, Key=f"{PLACE.prefix}{PLACED}", Body=IMAGE)
        for item in (
            key_item(hash_key(LIMITED), Key("limited", per_minute=1000)),
            key_item(hash_key(THEIRS), Key("theirs", place=PLACE)),
            place_item(PLACE),
        ):
            dynamodb.put_item(TableName=os.environ["KEYS_TABLE"], Item=item)
        yield running.endpoint
    running.stop()


@pytest.fixture(scope="module")
def endpoint(moto: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyAws]:
    authority = trustme.CA()
    bundle = tmp_path_factory.mktemp("tls") / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    with FaultyAws(moto, tls) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        patch.setenv("AWS_CA_BUNDLE", str(bundle))
        # What is imported once takes long.
        assert CALLS["GetObject"].handle().status == 200
        yield running


@pytest.fixture(autouse=True)
def amazon(endpoint: FaultyAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyAws]:
    """The endpoint, unharmed, and clients of it that are made anew and do not wait for long."""
    monkeypatch.setattr(aws, "_READ_SECONDS", READ_SECONDS)
    monkeypatch.setattr(aws, "_CONFIG", aws._CONFIG.merge(Config(read_timeout=READ_SECONDS)))
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    endpoint.recover()
    composition.services.cache_clear()
    yield endpoint
    composition.services.cache_clear()


@pytest.fixture(scope="module")
def s3(moto: str) -> S3Client:
    """A client of moto itself."""
    client: S3Client = boto3.client("s3", endpoint_url=moto)
    return client


def content(s3: S3Client, key: str) -> bytes:
    return s3.get_object(Bucket=os.environ["MEDIA_BUCKET"], Key=key)["Body"].read()


def busy() -> tuple[int, str, dict[str, Any]]:
    """What a caller is told who is to come again."""
    return 503, "1", {"status": 503, "error": "storage is busy, try again in a second"}


def told(reply: Reply) -> tuple[int, str, dict[str, Any]]:
    return reply.status, reply.headers.get("retry-after", ""), reply.json()


def test_every_call(amazon: FaultyAws) -> None:
    sent = [
        *CALLS.values(),
        *(get(path) for path in ("/", "/health", "/openapi.json")),
        get("/imgdiff", **PAIR),
        get("/imgdiff", src=f"{BASE_URL}/media/{PLACED}", target=PHOTO, key=LIMITED),
        Sent("/store", {"method": "POST", "json": {"presign": True, "size": 9, "key": stack.KEY}}),
        store(THEIRS),
    ]
    assert [request.handle().status for request in sent] == [request.status for request in sent]
    assert set(amazon.calls) == set(CALLS)


# One call fails.

UNANSWERED: dict[str, Fault] = {"timeout": hang, "reset": reset, "hung up": hang_up}


def faults(name: str) -> dict[str, Fault]:
    """What a call may come over, each as its service says it."""
    if name in TABLE:
        return UNANSWERED | {
            "500": error(500, "InternalServerError"),
            "502": error(502, "BadGateway"),
            "throttled": error(400, "ThrottlingException"),
            "over capacity": error(400, "ProvisionedThroughputExceededException"),
            "over limit": error(400, "RequestLimitExceeded"),
            "reset midway": midway(reset),
            "hung up midway": midway(hang_up),
            "garbled": garble,
        }
    found = UNANSWERED | {
        "500": error(500, "InternalError"),
        "502": error(502, "BadGateway"),
        "throttled": error(503, "SlowDown"),
    }
    if name == "PutObject":
        found["too slow"] = error(400, "RequestTimeout")
    return found


FAULTS = [
    pytest.param(name, fault, id=f"{name}, {what}")
    for name in CALLS
    for what, fault in faults(name).items()
]


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_fault_that_stays(amazon: FaultyAws, s3: S3Client, name: str, fault: Fault) -> None:
    before = stored(s3)
    amazon.fail(name, fault)
    assert told(CALLS[name].handle()) == busy()
    assert amazon.calls.count(name) == 2
    assert stored(s3) == before


@pytest.mark.parametrize(("name", "fault"), FAULTS)
def test_a_fault_that_passes(amazon: FaultyAws, s3: S3Client, name: str, fault: Fault) -> None:
    before = stored(s3)
    amazon.fail(name, fault, times=1)
    assert CALLS[name].handle().status == CALLS[name].status
    assert amazon.calls.count(name) == 2
    new = [content(s3, key) for key in stored(s3) - before]
    assert new == ([IMAGE] if name == "PutObject" else [])


def test_an_upload_whose_body_is_not_asked_for(amazon: FaultyAws, s3: S3Client) -> None:
    before = stored(s3)
    amazon.fail("PutObject", deaf)
    assert told(store().handle()) == busy()
    assert amazon.calls.count("PutObject") == 2
    assert stored(s3) == before


@pytest.mark.parametrize("name", CALLS)
def test_a_role_that_may_not(amazon: FaultyAws, s3: S3Client, name: str) -> None:
    before = stored(s3)
    code = (400, "AccessDeniedException") if name in TABLE else (403, "AccessDenied")
    amazon.fail(name, error(*code))
    sentence = "something went wrong on our side; the x-request-id names this request"
    assert told(CALLS[name].handle()) == (500, "", {"status": 500, "error": sentence})
    assert amazon.calls.count(name) == 1
    assert stored(s3) == before


@pytest.mark.parametrize(
    "fault",
    [midway(hang), midway(reset), midway(hang_up), garble],
    ids=["timeout", "reset", "hung up", "garbled"],
)
def test_an_image_that_fails_midway(amazon: FaultyAws, fault: Fault) -> None:
    sent = CALLS["GetObject"]
    amazon.fail("GetObject", fault)
    assert told(sent.handle()) == busy()
    assert amazon.calls.count("GetObject") <= 2
    amazon.recover()
    assert sent.handle().status == 200


@pytest.mark.parametrize("fault", [reset, midway(hang_up)], ids=["at once", "midway"])
def test_two_images_that_fail_at_once(amazon: FaultyAws, s3: S3Client, fault: Fault) -> None:
    before = stored(s3)
    amazon.fail("GetObject", fault)
    assert told(get("/imgdiff", **PAIR).handle()) == busy()
    assert amazon.calls.count("GetObject") <= 4
    assert "PutObject" not in amazon.calls
    assert stored(s3) == before


def test_what_is_stored_although_no_answer_comes(amazon: FaultyAws, s3: S3Client) -> None:
    before = stored(s3)
    amazon.fail("PutObject", forget)
    assert told(store().handle()) == busy()
    assert amazon.calls.count("PutObject") == 2
    assert [content(s3, key) for key in stored(s3) - before] == [IMAGE]


def test_what_is_counted_although_no_answer_comes(amazon: FaultyAws, moto: str) -> None:
    def counted() -> int:
        table = boto3.client("dynamodb", endpoint_url=moto)
        items = table.scan(TableName=os.environ["KEYS_TABLE"])["Items"]
        return sum(int(item["requests"]["N"]) for item in items if "requests" in item)

    before = counted()
    amazon.fail("UpdateItem count", forget, times=1)
    assert CALLS["UpdateItem count"].handle().status == 200
    assert counted() > before


# All calls fail.


@pytest.mark.parametrize("name", ["GetItem key", "GetItem place", "HeadObject"])
def test_no_connection(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with closing(socket.socket()) as unheard:
        unheard.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{unheard.getsockname()[1]}")
        assert told(CALLS[name].handle()) == busy()


def test_no_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://127.0.0.1:{silent.getsockname()[1]}")
        assert told(CALLS["GetItem key"].handle()) == busy()


# Little time is left.


@pytest.mark.parametrize("seconds", [-1, 0, api._REPLY_SECONDS, LAMBDA_SECONDS - 0.1])
@pytest.mark.parametrize("name", ["GetItem key", "GetItem place", "HeadObject"])
def test_no_time_for_a_call(amazon: FaultyAws, name: str, seconds: float) -> None:
    assert told(CALLS[name].handle(seconds=seconds)) == busy()
    assert (amazon.calls, amazon.connects) == ([], 0)


@pytest.mark.parametrize("seconds", [-1, 0])
def test_what_needs_no_call_needs_no_time(amazon: FaultyAws, seconds: float) -> None:
    assert get("/health").handle(seconds=seconds).status == 200
    assert amazon.connects == 0


@pytest.mark.parametrize("name", ["UpdateItem count", "GetObject", "PutObject"])
def test_no_time_for_another_call(amazon: FaultyAws, name: str) -> None:
    def spend(call: Call) -> None:
        composition.deadline.start(CALL_SECONDS - 0.1)
        call.answer(*call.pass_on())

    amazon.fail("GetItem key", spend)
    assert told(CALLS[name].handle()) == busy()
    assert amazon.calls == ["GetItem key"]


@pytest.mark.parametrize("name", ["GetItem key", "GetObject", "PutObject"])
def test_no_time_for_another_attempt(amazon: FaultyAws, name: str) -> None:
    amazon.fail(name, hang)
    assert told(CALLS[name].handle(seconds=LAMBDA_SECONDS + 0.5)) == busy()
    assert amazon.calls.count(name) <= 1


@pytest.mark.parametrize(
    "sent", [get("/resize", **SMALL), get("/imgdiff", **PAIR)], ids=["one", "two"]
)
def test_an_image_that_drips(amazon: FaultyAws, sent: Sent) -> None:
    amazon.fail("GetObject", midway(drip))
    assert told(sent.handle(seconds=LAMBDA_SECONDS + 0.5)) == busy()


def test_an_origin_that_drips(monkeypatch: pytest.MonkeyPatch) -> None:
    head = answer("200 OK", "Content-Length: 1000")
    with Origin([head, *dripping(bytes(1000))]) as origin:
        monkeypatch.setenv("FETCH_TIMEOUT_SECONDS", "25")
        monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "127.0.0.1")
        monkeypatch.setenv("FETCH_ALLOWED_PORTS", str(origin.port))
        sent = get("/resize", **SMALL | {"img": f"http://127.0.0.1:{origin.port}/a.png"})
        reply = sent.handle(seconds=LAMBDA_SECONDS + 0.5)
    late = {"status": 504, "error": "img took too long to arrive"}
    assert told(reply) == (504, "", late)
