"""Quotas: exact by the clock's minute and day, in one write, whatever happens at once."""

import io
import secrets
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import urllib3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto.dynamodb.models import DynamoDBBackend
from types_boto3_s3 import S3Client

from imgdiff import aws as adapters
from imgdiff.composition import Services
from imgdiff.deadline import Deadline
from imgdiff.dynamo_keys import DynamoKeys, key_item
from imgdiff.errors import QuotaExceeded
from imgdiff.keys import Key, hash_key
from tests.integration.conftest import Get, sample, stored

TABLE = "imgdiff-keys"
PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png"), "blob": "true"}
MINUTE, HOUR, DAY = 60, 3600, 86_400
MIDNIGHT = 20_000 * DAY


@pytest.fixture(scope="module")
def keys() -> DynamoKeys:
    return DynamoKeys(adapters.client("dynamodb", Deadline()), TABLE)


def refused(
    keys: DynamoKeys, key_sha256: str, key: Key, now: int, requests: int = 1
) -> QuotaExceeded | None:
    """Count so many requests; how they were refused."""
    try:
        keys.count(key_sha256, key, now, requests)
    except QuotaExceeded as error:
        return error
    return None


def counted(key_sha256: str, now: int) -> dict[str, Any]:
    """The item that counts a key's requests on a day."""
    found = boto3.client("dynamodb").get_item(
        TableName=TABLE, Key={"key_sha256": {"S": f"count#{key_sha256}#{now // DAY}"}}
    )
    return dict(found.get("Item", {}))


# How many, and until when.


@pytest.mark.parametrize(
    ("key", "requests"),
    [
        (
            Key("minute", per_minute=2),
            [(0, None), (1, None), (1, 59), (59, 1), (60, None), (60, None), (119, 1), (120, None)],
        ),
        (
            Key("day", per_day=3),
            [(0, None), (61, None), (HOUR, None), (HOUR, DAY - HOUR), (DAY - 1, 1), (DAY, None)],
        ),
        (
            Key("both", per_minute=1, per_day=2),
            [(0, None), (10, 50), (70, None), (80, DAY - 80), (200, DAY - 200), (DAY, None)],
        ),
        (
            Key("over midnight", per_minute=2),
            [(DAY - 1, None), (DAY - 1, None), (DAY - 1, 1), (DAY, None), (DAY, None), (DAY, 60)],
        ),
        (Key("none a minute", per_minute=0), [(15, 45), (60, 60)]),
        (Key("none a day", per_day=0), [(15, DAY - 15)]),
    ],
    ids=lambda value: value.name if isinstance(value, Key) else "",
)
def test_limits(keys: DynamoKeys, key: Key, requests: list[tuple[int, int | None]]) -> None:
    key_sha256 = hash_key(key.name)
    for second, retry_after in requests:
        error = refused(keys, key_sha256, key, MIDNIGHT + second)
        told = error and int(error.headers["Retry-After"])
        assert (second, told) == (second, retry_after)


def test_the_error_names_the_limit(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("both", per_minute=1, per_day=2), secrets.token_hex()
    refusals = [refused(keys, key_sha256, key, MIDNIGHT + now) for now in (0, 1, 60, 61)]
    assert list(map(str, refusals)) == [
        *("None", "the key may make 1 requests a minute"),
        *("None", "the key's 2 requests of today are spent"),
    ]


def test_the_error_tells_what_is_left(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("both", per_minute=3, per_day=5), secrets.token_hex()
    asked = ((0, 6), (0, 4), (0, 2), (0, 2), (60, 4), (60, 3), (120, 1))
    assert [str(refused(keys, key_sha256, key, MIDNIGHT + now, more)) for now, more in asked] == [
        "the key has 5 of its 5 requests of today left, not 6",
        "the key may make 3 requests a minute, and this counts as 4",
        "None",
        "the key may make 3 requests a minute, and this counts as 2",
        "the key has 3 of its 5 requests of today left, not 4",
        "None",
        "the key's 5 requests of today are spent",
    ]
    assert counted(key_sha256, MIDNIGHT)["requests"] == {"N": "5"}


LIMITS = st.none() | st.integers(0, 4)
# Seconds since the request before, how late a request is whose minute may be over by then, and as
# how many it counts.
STEPS = st.tuples(
    st.sampled_from([0, 0, 0, 1, 20, 60, 11 * MINUTE, 13 * MINUTE, HOUR, DAY]),
    st.integers(0, 29),
    st.sampled_from([1, 1, 1, 2, 3]),
)


@settings(max_examples=20, deadline=None)
@given(
    st.tuples(LIMITS, LIMITS).filter(any),
    st.integers(0, DAY),
    st.lists(STEPS, min_size=4, max_size=10),
)
def test_as_counted_by_hand(
    keys: DynamoKeys,
    limits: tuple[int | None, int | None],
    clock: int,
    steps: list[tuple[int, int, int]],
) -> None:
    per_minute, per_day = limits
    key, key_sha256 = Key("any", per_minute=per_minute, per_day=per_day), secrets.token_hex()
    passed: list[int] = []

    def spent(limit: int | None, period: int, now: int, requests: int) -> bool:
        counted = sum(now // period == at // period for at in passed)
        return limit is not None and limit < counted + requests

    for seconds, late, requests in steps:
        clock += seconds
        now = MIDNIGHT + clock - late
        period = next(
            (
                period
                for limit, period in ((per_day, DAY), (per_minute, MINUTE))
                if spent(limit, period, now, requests)
            ),
            None,
        )
        error = refused(keys, key_sha256, key, now, requests)
        assert (error and int(error.headers["Retry-After"])) == (period and period - now % period)
        if error is None:
            passed += [now] * requests


def test_keys_count_apart(keys: DynamoKeys) -> None:
    key = Key("one", per_minute=1)
    for key_sha256 in (secrets.token_hex(), secrets.token_hex()):
        assert refused(keys, key_sha256, key, MIDNIGHT) is None


# What it leaves in the table.


def test_counters(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("any", per_minute=2, per_day=9), secrets.token_hex()
    now = MIDNIGHT + HOUR
    minute = now // MINUTE
    for second in (0, 1, 2, MINUTE, 2 * MINUTE, 3 * MINUTE, 15 * MINUTE):
        refused(keys, key_sha256, key, now + second)

    item = counted(key_sha256, now)
    assert item.pop("key_sha256") == {"S": f"count#{key_sha256}#{now // DAY}"}
    assert item.pop("expires_at") == {"N": str(MIDNIGHT + 2 * DAY)}
    assert item == {
        "requests": {"N": "6"},
        # Minutes 2 and 3 fell into a gap that is longer than what one request clears.
        f"m{minute + 2}": {"N": "1"},
        f"m{minute + 3}": {"N": "1"},
        f"m{minute + 15}": {"N": "1"},
    }


def test_a_busy_day_leaves_two_minutes(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("any", per_minute=2), secrets.token_hex()
    for minute in range(30):
        keys.count(key_sha256, key, MIDNIGHT + minute * MINUTE)
    minutes = {name for name in counted(key_sha256, MIDNIGHT) if name.startswith("m")}
    assert minutes == {f"m{MIDNIGHT // MINUTE + minute}" for minute in (28, 29)}


def test_a_refused_request_writes_nothing(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("any", per_minute=1), secrets.token_hex()
    keys.count(key_sha256, key, MIDNIGHT)
    before = counted(key_sha256, MIDNIGHT)
    assert refused(keys, key_sha256, key, MIDNIGHT + 1)
    assert counted(key_sha256, MIDNIGHT) == before


def test_a_late_request_finds_its_minute_counted(keys: DynamoKeys) -> None:
    key, key_sha256 = Key("any", per_minute=1), secrets.token_hex()
    keys.count(key_sha256, key, MIDNIGHT + 59)
    keys.count(key_sha256, key, MIDNIGHT + 60)
    assert refused(keys, key_sha256, key, MIDNIGHT + 59)


# What it costs.


@pytest.fixture
def calls(services: Services) -> list[str]:
    """The names of the calls to DynamoDB."""
    made: list[str] = []
    client: Any = services.keys._client
    client.meta.events.register("before-call.dynamodb", lambda model, **_: made.append(model.name))
    return made


@pytest.fixture
def add() -> Callable[[Key], str]:
    """Put a key's record into the table and return the key."""

    def put(key: Key) -> str:
        secret = secrets.token_hex()
        item = key_item(hash_key(secret), key)
        boto3.client("dynamodb").put_item(TableName=TABLE, Item=item)
        return secret

    return put


@pytest.mark.parametrize(
    ("key", "status", "expected"),
    [
        (Key("none"), 200, ["GetItem"]),
        (Key("minute", per_minute=9), 200, ["GetItem", "UpdateItem"]),
        (Key("day", per_day=9), 200, ["GetItem", "UpdateItem"]),
        (Key("both", per_minute=9, per_day=9), 200, ["GetItem", "UpdateItem"]),
        (Key("spent", per_day=0), 429, ["GetItem", "UpdateItem"]),
        (Key("disabled", per_day=9, disabled=True), 401, ["GetItem"]),
        (Key("expired", per_day=9, expires_at=1), 401, ["GetItem"]),
    ],
    ids=lambda value: value.name if isinstance(value, Key) else "",
)
def test_calls(
    get: Get, calls: list[str], add: Callable[[Key], str], key: Key, status: int, expected: object
) -> None:
    assert get("/imgdiff", {**PAGE, "key": add(key)}).status == status
    assert calls == expected


def test_no_call_without_a_key(get: Get, calls: list[str]) -> None:
    assert get("/imgdiff", PAGE).status == 401
    assert calls == []


def test_what_the_caller_gets(
    get: Get, add: Callable[[Key], str], s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(time=lambda: MIDNIGHT + 17.9)
    monkeypatch.setattr("imgdiff.api.time", clock)
    query = {**PAGE, "key": add(Key("any", per_minute=2)), "blob": "false"}
    assert [get("/imgdiff", query).status for _ in range(2)] == [200, 200]
    before = stored(s3)
    reply = get("/imgdiff", query)
    assert reply.json() == {"status": 429, "error": "the key may make 2 requests a minute"}
    assert (reply.status, reply.headers["retry-after"]) == (429, "43")
    assert stored(s3) == before


# Requests at once.


class ReadThenWrite(DynamoKeys):
    """Counts as it must not: what was read may have changed when it is written."""

    def count(self, key_sha256: str, key: Key, now: int, requests: int = 1) -> None:
        assert requests == 1
        name = f"count#{key_sha256}#{now // DAY}"
        spent = int((self._item(name) or {"requests": {"N": "0"}})["requests"]["N"])
        for limit in (key.per_minute, key.per_day):
            if limit is not None and spent >= limit:
                raise QuotaExceeded("spent", retry_after=1)
        self._client.update_item(
            TableName=TABLE,
            Key={"key_sha256": {"S": name}},
            UpdateExpression="ADD requests :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


@pytest.fixture
def atomic_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an update one step, as DynamoDB does: moto's checks first and then writes."""
    lock = threading.Lock()
    update = DynamoDBBackend.update_item

    def locked(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
        with lock:
            return update(self, *args, **kwargs)

    monkeypatch.setattr(DynamoDBBackend, "update_item", locked)


def passed(count: Callable[[], None], times: int, threads: int) -> int:
    """How many of so many requests are let through."""

    def request(_: int) -> bool:
        with suppress(QuotaExceeded):
            count()
            return True
        return False

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(request, range(times)))


@pytest.mark.usefixtures("atomic_updates")
@pytest.mark.parametrize("key", [Key("minute", per_minute=3), Key("day", per_day=3)])
@pytest.mark.parametrize(("kind", "expected"), [(DynamoKeys, 3), (ReadThenWrite, 12)])
def test_requests_that_all_write_at_the_same_moment(
    kind: type[DynamoKeys], expected: int, key: Key
) -> None:
    client = adapters.client("dynamodb", Deadline(), max_pool_connections=12)
    together = threading.Barrier(12, timeout=10)

    def wait(**_: object) -> None:
        together.wait()

    client.meta.events.register("before-call.dynamodb.UpdateItem", wait)
    keys, key_sha256 = kind(client, TABLE), secrets.token_hex()
    assert passed(lambda: keys.count(key_sha256, key, MIDNIGHT), 12, threads=12) == expected


@pytest.mark.usefixtures("atomic_updates")
@pytest.mark.parametrize("key", [Key("minute", per_minute=23), Key("day", per_day=23)])
def test_many_requests_over_many_threads(keys: DynamoKeys, key: Key) -> None:
    key_sha256 = secrets.token_hex()
    assert passed(lambda: keys.count(key_sha256, key, MIDNIGHT), 80, threads=8) == 23
    assert counted(key_sha256, MIDNIGHT)["requests"] == {"N": "23"}


# A table that fails.


def answer(status: int, code: str) -> Callable[..., AWSResponse]:
    """What DynamoDB answers a call with."""

    def respond(request: Any, **_: object) -> AWSResponse:
        body = f'{{"__type": "com.amazonaws.dynamodb.v20120810#{code}"}}'.encode()
        raw = urllib3.HTTPResponse(io.BytesIO(body), preload_content=False)
        return AWSResponse(request.url, status, HTTPHeaders(), raw)

    return respond


def unreachable(request: Any, **_: object) -> None:
    raise ConnectTimeoutError(endpoint_url=request.url)


@pytest.mark.parametrize("operation", ["GetItem", "UpdateItem"])
@pytest.mark.parametrize(
    "fault",
    [
        answer(400, "ThrottlingException"),
        answer(400, "ProvisionedThroughputExceededException"),
        answer(500, "InternalServerError"),
        answer(503, "ServiceUnavailable"),
        unreachable,
    ],
    ids=["throttled", "over capacity", "internal error", "unavailable", "unreachable"],
)
def test_a_failing_table_lets_nothing_through(
    get: Get,
    services: Services,
    add: Callable[[Key], str],
    s3: S3Client,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    fault: Callable[..., AWSResponse],
) -> None:
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    tried: list[Iterable[object]] = []

    def fail(request: Any, **_: object) -> AWSResponse:
        tried.append(request)
        return fault(request)

    client: Any = services.keys._client
    client.meta.events.register(f"before-send.dynamodb.{operation}", fail)
    before = stored(s3)
    reply = get("/imgdiff", {**PAGE, "key": add(Key("any", per_day=9)), "blob": "false"})
    assert reply.json() == {"status": 503, "error": "storage is busy, try again in a second"}
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert len(tried) == 2
    assert stored(s3) == before
