"""POST /batches and GET /batches/{id}."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
from types_boto3_s3 import S3Client

from imgdiff.batch_runs import Batch
from imgdiff.dynamo_keys import key_item
from imgdiff.keys import Key, hash_key
from imgdiff.operations import MAX_INLINE_BYTES
from local.stack import KEY, RESULTS
from tests.integration.conftest import BASE_URL, Get, Invoke, Post, file, load, sample
from tests.integration.test_batches import prepared, task

PAIR = {"src": sample("page-source.png"), "target": sample("page-target.png"), "style": "none"}
LINES = "\n".join(json.dumps(PAIR) for _ in range(2)).encode()
CSV = f"src,target,style\r\n{PAIR['src']},{PAIR['target']},none\r\n".encode()
OTHER_TYPE = (
    "the body must be application/json, application/x-www-form-urlencoded or multipart/form-data"
)
LARGE = (
    f"the batch is over the limit of {MAX_INLINE_BYTES} bytes for a request: put its file into "
    "the inbox bucket, under batches/"
)
HEADERS = {"x-api-key": KEY}


pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture(autouse=True)
def nothing_left(s3: S3Client) -> Iterator[None]:
    yield
    for key in written(s3):
        s3.delete_object(Bucket=RESULTS, Key=key)


def written(s3: S3Client) -> list[str]:
    listed = s3.list_objects_v2(Bucket=RESULTS)
    return [item["Key"] for item in listed.get("Contents", [])]


@pytest.fixture
def execution(machine: str) -> Callable[[str], str]:
    """The ARN of a batch's execution."""
    client = boto3.client("stepfunctions")

    def find(batch_id: str) -> str:
        executions = client.list_executions(stateMachineArn=machine)["executions"]
        [arn] = [one["executionArn"] for one in executions if one["name"].startswith(batch_id)]
        return str(arn)

    return find


@pytest.fixture
def started(execution: Callable[[str], str]) -> Callable[[str], Batch]:
    """The run that a batch's execution was told of."""
    client = boto3.client("stepfunctions")

    def find(batch_id: str) -> Batch:
        told = client.describe_execution(executionArn=execution(batch_id))["input"]
        return Batch.read(json.loads(told)["batch"])

    return find


@pytest.mark.parametrize(
    ("sent", "total"),
    [
        ({"data": LINES, "content_type": "application/jsonl"}, 2),
        ({"data": LINES, "content_type": "application/x-ndjson; charset=utf-8"}, 2),
        ({"data": LINES, "content_type": "Application/JSON-Lines"}, 2),
        ({"data": CSV, "content_type": "text/csv"}, 1),
        ({"data": CSV, "content_type": "application/jsonl"}, 1),
        ({"data": {"file": file(LINES, "any.jsonl")}}, 2),
        ({"data": {"file": file(CSV, "any.bin")}}, 1),
        ({"json": {"pairs": [PAIR, PAIR, "no pair"], "other": 1}}, 3),
    ],
)
def test_every_way_to_send_a_batch(
    post: Post,
    s3: S3Client,
    started: Callable[[str], Batch],
    sent: dict[str, Any],
    total: int,
) -> None:
    reply = post("/batches", headers=HEADERS, **sent)

    body = reply.json()
    assert (reply.status, list(body)) == (200, ["status", "id", "total", "link"])
    assert body["total"] == total
    assert body["link"] == f"{BASE_URL}/batches/{body['id']}"
    batch = started(body["id"])
    assert batch.file.bucket == RESULTS
    assert batch.file.key == f"batches/{body['id']}/{batch.run}/file"
    assert sorted(written(s3)) == sorted([batch.file.key, f"batches/{body['id']}/run.json"])


@pytest.mark.parametrize("where", ["query", "field"])
def test_where_a_key_may_be(post: Post, where: str) -> None:
    query = {"key": KEY} if where == "query" else {}
    fields = {"key": KEY} if where == "field" else {}
    assert post("/batches", json={"pairs": [PAIR], **fields}, query=query).status == 200
    assert post("/batches", {"file": file(LINES), **fields}, query=query).status == 200


@pytest.mark.parametrize(
    ("sent", "status", "error"),
    [
        ({"json": {"pairs": {}}}, 400, "pairs must be a list"),
        ({"json": {}}, 400, "pairs must be a list"),
        ({"json": {"pairs": []}}, 400, "the batch is empty"),
        ({"json": {"pairs": [PAIR], "key": [KEY]}}, 400, "key must be a single value"),
        ({"data": b"[]", "content_type": "application/json"}, 400,
         "the body must be a JSON object"),
        ({"data": b"", "content_type": "text/csv"}, 400, "the batch is empty"),
        ({"data": b"a,b\n1,2", "content_type": "text/csv"}, 400,
         "the batch is CSV without a header that names src and target"),
        ({"data": {"other": file(LINES)}}, 400, "file is required"),
        ({"data": {"file": file(b"")}}, 400, "file is required"),
        ({"data": {"file": "not a file"}}, 400, "file is required"),
        ({"data": b"x", "content_type": "image/png"}, 400, OTHER_TYPE),
        ({"data": b"\n" * (MAX_INLINE_BYTES + 1), "content_type": "text/csv"}, 413, LARGE),
    ],
)  # fmt: skip
def test_what_is_refused(
    post: Post, s3: S3Client, sent: dict[str, Any], status: int, error: str
) -> None:
    reply = post("/batches", headers=HEADERS, **sent)
    assert reply.json() == {"status": status, "error": error}
    assert written(s3) == []


@pytest.mark.parametrize("headers", [{}, {"x-api-key": "unknown"}])
def test_a_key_is_needed(post: Post, get: Get, s3: S3Client, headers: dict[str, str]) -> None:
    assert post("/batches", json={"pairs": [PAIR]}, headers=headers).status == 401
    assert get("/batches/any", headers=headers).status == 401
    assert written(s3) == []


@pytest.mark.parametrize(("path", "method"), [("/batches", "GET"), ("/batches/any", "POST")])
def test_other_methods(get: Get, path: str, method: str) -> None:
    assert get(path, method=method).status == 405


@pytest.fixture
def add() -> Callable[[Key], str]:
    """Put a key's record into the table and return the key."""

    def put(key: Key) -> str:
        secret = secrets.token_hex()
        item = key_item(hash_key(secret), key)
        boto3.client("dynamodb").put_item(TableName="imgdiff-keys", Item=item)
        return secret

    return put


def test_a_batch_counts_as_many_requests_as_it_has_lines(
    post: Post, get: Get, s3: S3Client, add: Callable[[Key], str]
) -> None:
    headers = {"x-api-key": add(Key("metered", per_day=6))}
    batch = {"pairs": [PAIR] * 4}
    first = post("/batches", json=batch, headers=headers)
    assert first.status == 200
    before = written(s3)

    second = post("/batches", json=batch, headers=headers)

    assert second.json() == {
        "status": 429,
        "error": "the key has 2 of its 6 requests of today left, not 4",
    }
    assert int(second.headers["retry-after"]) > 0
    assert written(s3) == before
    assert get(f"/batches/{first.json()['id']}", headers=headers).status == 200
    assert post("/batches", json={"pairs": [PAIR]}, headers=headers).status == 200
    assert post("/batches", json={"pairs": [PAIR]}, headers=headers).status == 429


# How far it is.


def test_a_batch_through_its_states(
    invoke: Invoke, s3: S3Client, started: Callable[[str], Batch]
) -> None:
    batch_id = invoke(load("batches")).json()["id"]
    batch = started(batch_id)

    def told() -> dict[str, Any]:
        event = load("batches-progress")
        path = event["rawPath"].rpartition("/")[0] + "/" + batch_id
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
        reply = invoke(event)
        assert reply.status == 200
        return reply.json()

    waiting = {
        "status": 200,
        "id": batch_id,
        "state": "running",
        "total": 2,
        "done": 0,
        "failed": 0,
        "progress": 0.0,
        "results": None,
        "summary": None,
        "error": None,
    }
    assert told() == waiting
    items = prepared(s3, batch)
    task("compare", batch, items[:1])
    assert told() == {**waiting, "done": 1, "progress": 0.5}
    task("compare", batch, items[1:])
    task("summarise", batch)
    ended = told()
    assert {**ended, "results": None, "summary": None} == {
        **waiting,
        "state": "done",
        "done": 2,
        "progress": 1.0,
    }
    results = requests.get(ended["results"], timeout=5)
    assert [json.loads(line)["status"] for line in results.text.splitlines()] == [200, 200]
    summary = requests.get(ended["summary"], timeout=5).json()
    assert (summary["name"], summary["total"]) == (batch_id, 2)


def test_a_batch_that_was_stopped(post: Post, get: Get, execution: Callable[[str], str]) -> None:
    batch_id = post("/batches", json={"pairs": [PAIR]}, headers=HEADERS).json()["id"]
    boto3.client("stepfunctions").stop_execution(executionArn=execution(batch_id))
    told = get(f"/batches/{batch_id}", headers=HEADERS).json()
    assert (told["state"], told["error"]) == ("failed", "the batch was stopped")


@pytest.mark.parametrize("batch_id", ["0" * 32, "..", "a" * 81, "a%20b"])
def test_an_unknown_batch(get: Get, batch_id: str) -> None:
    reply = get(f"/batches/{batch_id}", headers=HEADERS)
    assert (reply.status, reply.json()["status"]) == (404, 404)
