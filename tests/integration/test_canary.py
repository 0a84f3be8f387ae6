"""A key is seen nowhere: whatever a caller does with it, no log, reply or stored thing tells it.

The service runs in a process of its own that logs all it can; the tests read what came out of it.
"""

import base64
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote, quote_plus

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from imgdiff import composition
from imgdiff.addresses import Guard
from imgdiff.dynamo_keys import key_item, place_item
from imgdiff.fetch import Fetcher
from imgdiff.keys import Key, hash_key
from imgdiff.media import Place
from local import front, stack
from local.workers import Context
from tests.integration.conftest import BASE_URL, sample
from tests.security.origin import PUBLIC, Dialer, Do, Origin, answer

ROOT = Path(__file__).parents[2]
IMAGE = (ROOT / "samples" / "photo-source.jpg").read_bytes()

KEY = "canary/XylophoneQuokka+Zeppelin=?"
LIMITED, DISABLED, EXPIRED, OWN = (f"{KEY}-{what}" for what in ("l", "d", "e", "o"))
RECORDS = {
    KEY: Key("any", per_minute=1000),
    LIMITED: Key("limited", per_day=1),
    DISABLED: Key("disabled", disabled=True),
    EXPIRED: Key("expired", expires_at=1),
    OWN: Key("own", place=Place("0123456789ab", "mine", "a/")),
}
# An address's query is a secret too: many are signed.
SIGNATURE = "Marzipan-Walrus-Kaleidoscope"

SRC, TARGET = sample("photo-source.jpg"), sample("photo-target.jpg")
PAGE = {"src": SRC, "target": TARGET}
MADE = {"img": SRC, "width": "9"}
FETCHED = {
    "src": f"http://images.example.com/a.png?signature={SIGNATURE}",
    "target": TARGET,
    "key": KEY,
}
HEADERS = (
    {"WWW-Authenticate": KEY},
    {"x-amzn-remapped-www-authenticate": KEY},
    {"X-Api-Key": KEY},
    {"Authorization": f"Bearer {KEY}"},
)


@dataclass(frozen=True)
class Sent:
    """A request, what it must be answered with, and what is wrong meanwhile."""

    status: int
    path: str
    what: dict[str, Any]
    fault: str = ""
    origin: tuple[bytes | Do, ...] = field(default=())

    def event(self) -> dict[str, Any]:
        return front.event(Request(EnvironBuilder(self.path, **self.what).get_environ()))


def get(status: int, path: str = "/imgdiff", /, **query: str) -> Sent:
    return Sent(status, path, {"query_string": query})


def post(status: int, path: str, /, **what: Any) -> Sent:
    return Sent(status, path, {"method": "POST", **what})


def form(status: int, path: str, /, **fields: Any) -> Sent:
    return post(status, path, data=fields)


def fetch(status: int, *origin: bytes | Do) -> Sent:
    return Sent(status, "/imgdiff", {"query_string": FETCHED}, origin=origin)


def failing(fault: str, status: int, **what: Any) -> Sent:
    return Sent(status, "/imgdiff", what, fault)


def file() -> tuple[io.BytesIO, str]:
    return io.BytesIO(IMAGE), f"{KEY}.png"


SENT = [
    # Every way to send a key, to every operation.
    get(200, **PAGE, key=KEY),
    get(200, **PAGE, key=KEY, blob="true"),
    get(200, **PAGE, key=OWN),
    *(Sent(200, "/imgdiff", {"query_string": PAGE, "headers": header}) for header in HEADERS),
    *(post(200, "/imgdiff", json=PAGE, headers=header) for header in HEADERS),
    post(200, "/imgdiff", json={**PAGE, "key": KEY}),
    form(200, "/imgdiff", **PAGE, key=KEY),
    form(200, "/imgdiff", src=file(), target=TARGET, key=KEY),
    fetch(200, answer(body=IMAGE)),
    form(200, "/store", file=file(), key=KEY, comment="a remark"),
    form(200, "/store", file=file(), key=OWN),
    post(200, "/store", json={"url": SRC, "key": KEY}),
    form(200, "/store", presign="true", size="9", key=KEY),
    form(200, "/store", presign="true", size="9", key=OWN),
    *(get(200, path, **MADE, key=KEY) for path in ("/resize", "/crop")),
    *(get(200, path, **MADE, key=KEY, blob="1") for path in ("/resize", "/crop")),
    *(post(200, path, json={**MADE, "key": KEY}) for path in ("/resize", "/crop")),
    *(form(200, path, **MADE, key=KEY) for path in ("/resize", "/crop")),
    *(form(200, path, file=file(), width="9", key=KEY) for path in ("/resize", "/crop")),
    # Where a key has no business.
    *(get(200, path, key=KEY) for path in ("/", "/health", "/openapi.json")),
    get(302, f"/media/{stack.sample_id('page-source.png')}", key=KEY),
    Sent(204, "/imgdiff", {"method": "OPTIONS", "query_string": {"key": KEY}}),
    # Every kind of error.
    get(400, key=KEY),
    get(400, **PAGE, key=KEY, blob="maybe"),
    get(400, src="http://127.0.0.1/", target=TARGET, key=KEY),
    get(400, src=SRC, target=sample("page-source.png"), key=KEY),
    post(400, "/imgdiff", json={**PAGE, "key": [KEY]}),
    post(400, "/imgdiff", json=[KEY]),
    post(400, "/imgdiff", data=f'{{"key": "{KEY}"', content_type="application/json"),
    post(400, "/imgdiff", data=KEY, content_type="text/plain"),
    post(400, "/store", data=f"--x\r\n{KEY}", content_type="multipart/form-data; boundary=x"),
    get(401, **PAGE, key=f"{KEY}?"),
    get(401, **PAGE, key=DISABLED),
    get(401, **PAGE, key=EXPIRED),
    post(401, "/imgdiff", json=PAGE, headers={"Authorization": KEY}),
    post(401, "/imgdiff", json=PAGE, headers={"Authorization": f"Basic {KEY}"}),
    get(404, "/nowhere", key=KEY),
    get(404, "/media/x", key=KEY),
    get(404, src="http://no.example.com/", target=TARGET, key=KEY),
    fetch(404, answer("403 Forbidden")),
    Sent(405, "/imgdiff", {"method": "DELETE", "query_string": {"key": KEY}}),
    post(413, "/store", data=KEY * 150_000, content_type="application/json"),
    fetch(415, answer(body=b"no image")),
    get(200, **PAGE, key=LIMITED),
    get(429, **PAGE, key=LIMITED),
    failing("crash", 500, query_string={**PAGE, "key": KEY}),
    failing("crash", 500, method="POST", data={"src": file(), "target": file(), "key": KEY}),
    failing("AccessDeniedException", 500, query_string={**PAGE, "key": KEY}),
    fetch(502, answer("500 Oops")),
    failing("ThrottlingException", 503, query_string={**PAGE, "key": KEY}),
    fetch(504, Do.HOLD),
]


# The process that is watched.


@contextmanager
def wrong(fault: str) -> Iterator[None]:
    """Let a defect, or an error of the table, come over a request."""

    def fail(**_: object) -> None:
        if fault:
            response: Any = {"Error": {"Code": fault}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise ClientError(response, "GetItem")

    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    if fault == "crash":
        with patch("imgdiff.engine.comparison.decode", crash):
            yield
        return
    client: Any = composition.services().keys._client
    client.meta.events.register("before-send.dynamodb.GetItem", fail)
    yield
    client.meta.events.unregister("before-send.dynamodb.GetItem", fail)


def stored() -> Iterator[str]:
    """Everything in every bucket, with all that is known of it."""
    s3 = boto3.client("s3")
    for bucket in s3.list_buckets()["Buckets"]:
        for item in s3.list_objects_v2(Bucket=bucket["Name"]).get("Contents", []):
            at = {"Bucket": bucket["Name"], "Key": item["Key"]}
            found = s3.get_object(**at)
            content = found.pop("Body").read().decode("latin-1")
            yield f"{at} {found} {s3.get_object_tagging(**at)['TagSet']} {content}"


def told(reply: dict[str, Any]) -> str:
    """A reply, its body as the caller reads it."""
    body = reply.get("body") or ""
    if reply.get("isBase64Encoded"):
        body = base64.b64decode(body).decode("latin-1")
    return f"{reply['headers']} {reply.get('cookies')} {body}"


def serve(seen: Path) -> None:
    """Answer all requests, and write down all but the log, which goes to the standard streams."""
    environment = {**stack.environment("", BASE_URL), "POWERTOOLS_LOG_LEVEL": "DEBUG"}
    os.environ.update(environment)
    del os.environ["AWS_ENDPOINT_URL"], os.environ["POWERTOOLS_METRICS_DISABLED"]
    # As Lambda does where the stack's LogLevel is DEBUG.
    logging.basicConfig(level=logging.DEBUG)
    scripts = [sent.origin for sent in SENT if sent.origin]
    with mock_aws(), Origin(*scripts) as origin:
        stack.fill()
        boto3.client("s3").create_bucket(Bucket="mine")
        dynamodb = boto3.client("dynamodb")
        table = environment["KEYS_TABLE"]
        for key, record in RECORDS.items():
            dynamodb.put_item(TableName=table, Item=key_item(hash_key(key), record))
            if record.place:
                dynamodb.put_item(TableName=table, Item=place_item(record.place))

        from imgdiff.api import lambda_handler

        composition.services().fetcher = Fetcher(
            Guard(),
            max_bytes=1 << 20,
            timeout=lambda: 0.5,
            resolve=lambda host, _: [PUBLIC] if host == "images.example.com" else [],
            connect=Dialer({80: origin}),
        )
        events = [sent.event() for sent in SENT]
        replies = []
        for sent, event in zip(SENT, events, strict=True):
            context: Any = Context("invocation", deadline=time.time() + front.TIMEOUT_SECONDS)
            with wrong(sent.fault):
                replies.append(lambda_handler(event, context))
        evidence = {
            "events": list(map(json.dumps, events)),
            "statuses": [reply["statusCode"] for reply in replies],
            "replies": list(map(told, replies)),
            "stored": list(stored()),
            "items": list(map(repr, dynamodb.scan(TableName=table)["Items"])),
            "fetches": [head.decode("latin-1") for head in origin.requests],
        }
    seen.write_text(json.dumps(evidence))


if __name__ == "__main__":
    serve(Path(sys.argv[1]))


# What came out of it.


def traces(secret: str) -> Iterator[str]:
    """What would give a secret away: any eight of its characters, in hex too; twelve in base64."""
    for start in range(len(secret) - 7):
        yield secret[start : start + 8]
        yield secret[start : start + 8].encode().hex()
    for start in range(len(secret) - 11):
        for shift in range(3):
            # The first and the last group depend on what stands around.
            padded = b"?" * shift + secret[start : start + 12].encode()
            yield base64.b64encode(padded).decode()[4:-4]


def leaks(text: str, *secrets: str) -> set[str]:
    folded = text.casefold()
    return {trace for secret in secrets for trace in traces(secret) if trace.casefold() in folded}


def watch(seen: Path) -> tuple[dict[str, list[Any]], list[str]]:
    """What a process that served all requests left behind, and what it logged."""
    path = os.pathsep.join([str(ROOT / "functions"), str(ROOT)])
    process = subprocess.run(
        [sys.executable, "-m", "tests.integration.test_canary", str(seen)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert seen.exists(), process.stderr[-2000:]
    return json.loads(seen.read_text()), (process.stdout + process.stderr).splitlines()


def test_a_key_is_told_nowhere(tmp_path: Path) -> None:
    evidence, log = watch(tmp_path / "seen.json")

    assert evidence["statuses"] == [sent.status for sent in SENT]
    assert all(leaks(event, KEY) for event in evidence["events"])
    assert len(evidence["fetches"]) == len([sent for sent in SENT if sent.origin])

    # All there is to log is logged.
    lines = [json.loads(line) for line in log if line.startswith("{")]
    answered = [line["status"] for line in lines if line.get("message") == "answered"]
    assert answered == evidence["statuses"]
    assert len([line for line in lines if "_aws" in line]) == len(SENT)
    crashes = [line["exception"] for line in lines if line.get("message") == "internal error"]
    assert len(crashes) == answered.count(500) == 3
    assert any(line.startswith("DEBUG:botocore") for line in log)

    for where in (log, evidence["replies"], evidence["stored"], evidence["items"]):
        assert leaks("\n".join(where), KEY, SIGNATURE) == set()
    fetches = "\n".join(evidence["fetches"])
    assert (leaks(fetches, KEY), bool(leaks(fetches, SIGNATURE))) == (set(), True)


@pytest.mark.parametrize(
    "disguise",
    [
        str,
        str.upper,
        quote,
        quote_plus,
        lambda key: quote(quote(key, safe="")),
        json.dumps,
        lambda key: key[5:15],
        lambda key: key.encode().hex(),
        lambda key: base64.b64encode(key.encode()).decode(),
        lambda key: base64.b64encode(f"key={key}&blob=true".encode()).decode(),
        lambda key: base64.urlsafe_b64encode(f'{{"key": "{key}"}}'.encode()).decode(),
    ],
)
def test_a_disguised_key_is_found(disguise: Callable[[str], str]) -> None:
    assert leaks(f"Lorem ipsum {disguise(KEY)} dolor", KEY)
    assert not leaks("Lorem ipsum dolor", KEY)
