"""Batches: a file of pairs in, their results in order and a summary out."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from types_boto3_s3 import S3Client

from imgdiff import composition
from imgdiff.batch import lambda_handler
from imgdiff.batch_runs import Batch, is_batch
from imgdiff.composition import Services
from imgdiff.errors import NotFound, StorageUnavailable
from local.stack import INBOX, RESULTS
from local.workers import Context
from tests.integration.conftest import BASE_URL, load, sample

type Json = dict[str, Any]

PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png")}
PHOTO = {"src": sample("photo-source.jpg"), "target": sample("photo-target.jpg")}
SAME = {"src": PAGE["src"], "target": PAGE["src"]}
SIZES_DIFFER = {"src": PAGE["src"], "target": PHOTO["src"]}


pytestmark = pytest.mark.usefixtures("machine")


@pytest.fixture(autouse=True)
def nothing_left(s3: S3Client) -> Iterator[None]:
    yield
    for key in keys(s3, ""):
        s3.delete_object(Bucket=RESULTS, Key=key)


def keys(s3: S3Client, prefix: str) -> list[str]:
    listed = s3.list_objects_v2(Bucket=RESULTS, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def content(s3: S3Client, key: str) -> bytes:
    return s3.get_object(Bucket=RESULTS, Key=key)["Body"].read()


def lines(s3: S3Client, name: str) -> list[Json]:
    return [json.loads(line) for line in content(s3, f"results/{name}/results.jsonl").splitlines()]


def summary(s3: S3Client, name: str) -> Json:
    document: Json = json.loads(content(s3, f"results/{name}/summary.json"))
    return document


def put(s3: S3Client, name: str, *pairs: Json | str) -> str:
    """Put a batch into the inbox; its key."""
    text = "\n".join(pair if isinstance(pair, str) else json.dumps(pair) for pair in pairs)
    key = f"batches/{name}.jsonl"
    s3.put_object(Bucket=INBOX, Key=key, Body=text.encode())
    return key


def start(services: Services, key: str) -> Batch:
    batch = services.batches.start(INBOX, key)
    assert batch
    return batch


def task(name: str, batch: Batch, items: list[Json] | None = None, *, seconds: float = 900) -> Json:
    """Have the handler do a task, before Lambda would end it after so many seconds."""
    context: Any = Context("invocation", deadline=time.time() + seconds)
    event = {"task": name, "batch": asdict(batch)}
    return lambda_handler(event if items is None else {**event, "items": items}, context)


def prepared(s3: S3Client, batch: Batch) -> list[Json]:
    """The items that Prepare writes."""
    answer = task("prepare", batch)
    assert answer["items"]["bucket"] == RESULTS
    found: list[Json] = json.loads(content(s3, answer["items"]["key"]))
    assert len(found) == answer["total"]
    return found


def run(s3: S3Client, services: Services, key: str, size: int = 2) -> Batch:
    """Do all the tasks of a batch, so many lines at a time."""
    batch = start(services, key)
    items = prepared(s3, batch)
    for first in range(0, len(items), size):
        assert task("compare", batch, items[first : first + size])["items"] == []
    task("summarise", batch)
    return batch


def test_a_batch(s3: S3Client, services: Services) -> None:
    key = put(
        s3,
        "nightly",
        {"id": "page", **PAGE, "colour": "ignored"},
        {"id": "same", **SAME},
        "",
        {"id": "figures", **PAGE, "style": "none"},
        {"id": "sizes", **SIZES_DIFFER},
        "{",
        {"id": 7, "src": PAGE["src"]},
    )
    batch = run(s3, services, key)

    told = {line["line"]: line for line in lines(s3, "nightly")}
    assert [line["id"] for line in told.values()] == ["6", "7", "figures", "page", "same", "sizes"]
    page = told[1]
    assert list(page)[:5] == ["line", "id", "src", "target", "status"]
    assert (page["id"], page["src"], page["target"]) == ("page", PAGE["src"], PAGE["target"])
    assert page["changed_pixels"] > 0
    assert page["link"] == page["ssl_link"]
    assert page["link"].startswith(f"{BASE_URL}/media/")
    assert "link" in told[2]
    assert "link" not in told[4]
    assert told[4]["diff"] == page["diff"]
    assert {told[line]["status"] for line in (5, 6, 7)} == {400}
    assert told[5]["error"].startswith("src is 1280x800 and target is 640x426 pixels, ")
    assert told[6]["error"] == "the line is not valid JSON"
    assert told[7]["error"] == "target is required"
    assert keys(s3, f"results/nightly/{batch.run}/") == [
        f"results/nightly/{batch.run}/{line}.png" for line in (1, 2)
    ]

    document = summary(s3, "nightly")
    assert {name: document[name] for name in list(document)[:11]} == {
        "name": "nightly",
        "run": batch.run,
        "status": 200,
        "total": 6,
        "done": 3,
        "failed": 3,
        "identical": 1,
        "different": 2,
        "passed": 0,
        "not_passed": 0,
        "errors": {"400": 3},
    }
    assert [line["id"] for line in document["worst"]] == ["page", "figures"]
    assert document["diff"]["max"] == page["diff"]
    assert document["results"] == "results/nightly/results.jsonl"


def test_the_link_leads_to_the_picture(s3: S3Client, services: Services) -> None:
    batch = run(s3, services, put(s3, "links", PAGE))
    [line] = lines(s3, "links")
    media_id = line["link"].rpartition("/")[2]
    picture = services.media.get(media_id, max_bytes=10**7)
    assert picture == content(s3, f"results/links/{batch.run}/1.png")
    # Whoever has one link can't tell another.
    assert batch.secret not in media_id
    assert batch.picture_secret(1) != batch.picture_secret(2)


def test_the_order_of_the_results(s3: S3Client, services: Services) -> None:
    names = ["b", "10", "é", "9", "a", "010", "9", "B", "\u0661"]
    run(s3, services, put(s3, "order", *({"id": name} for name in names)))
    assert [(line["id"], line["line"]) for line in lines(s3, "order")] == [
        ("9", 4), ("9", 7), ("10", 2),
        ("010", 6), ("B", 8), ("a", 5), ("b", 1), ("é", 3), ("\u0661", 9),
    ]  # fmt: skip


def test_csv(s3: S3Client, services: Services) -> None:
    text = f'id,src,note,target,style\r\na,{PAGE["src"]},"one,\r\ntwo",{PAGE["target"]},none\r\n'
    s3.put_object(Bucket=INBOX, Key="batches/table.csv", Body=text.encode("utf-8-sig"))
    run(s3, services, "batches/table.csv")
    [line] = lines(s3, "table")
    assert (line["line"], line["id"], line["status"]) == (2, "a", 200)


@pytest.mark.parametrize(
    ("file", "status", "error"),
    [
        (b"\xff\xfe{}", 400, "the batch is not UTF-8"),
        (b"\n \n", 400, "the batch is empty"),
        (b"{}\n" * 5, 413, "the batch has more than 4 lines"),
    ],
)
def test_what_is_no_batch_is_refused(
    s3: S3Client,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    file: bytes,
    status: int,
    error: str,
) -> None:
    monkeypatch.setattr("imgdiff.batch_file.MAX_LINES", 4)
    s3.put_object(Bucket=INBOX, Key="batches/odd.jsonl", Body=file)
    batch = start(services, "batches/odd.jsonl")

    assert task("prepare", batch) == {"refused": error}

    document = summary(s3, "odd")
    assert document == {"name": "odd", "run": batch.run, "status": status, "error": error}
    assert not keys(s3, f"{batch.folder}/items.json")
    assert not s3.list_multipart_uploads(Bucket=RESULTS).get("Uploads")
    told = services.batches.progress("odd")
    assert (told.state, told.error, told.results) == ("failed", error, None)


def test_a_file_that_is_gone_is_refused(s3: S3Client, services: Services) -> None:
    batch = start(services, put(s3, "gone", PAGE))
    version = batch.file.version_id or ""
    s3.delete_object(Bucket=INBOX, Key=batch.file.key, VersionId=version)
    assert task("prepare", batch) == {"refused": "is gone"}


def test_the_events(s3: S3Client) -> None:
    """Those in ``events/``, in their order."""
    name, batch = "example", Batch.read(load("batch-compare")["batch"])
    put(s3, name, PAGE, {**PHOTO, "style": "none"}, "{")
    current = json.dumps({"run": batch.run, "modified": ""}).encode()
    s3.put_object(Bucket=RESULTS, Key=f"batches/{name}/run.json", Body=current)
    for event in ("batch-prepare", "batch-compare", "batch-summarise"):
        context: Any = Context("invocation", deadline=time.time() + 900)
        answer = lambda_handler(load(event), context)
    assert answer == {"total": 3, "done": 2, "failed": 1}


# Tasks that are repeated, or end before their time.


def test_tasks_that_are_repeated_tell_the_same(s3: S3Client, services: Services) -> None:
    batch = start(services, put(s3, "twice", PAGE, SAME, SIZES_DIFFER))
    results = []
    for _ in range(2):
        items = prepared(s3, batch)
        task("compare", batch, items)
        for item in items:
            task("compare", batch, [item])
        task("summarise", batch)
        results.append((lines(s3, "twice"), summary(s3, "twice")))
    assert results[0] == results[1]
    assert [line["line"] for line in results[0][0]] == [1, 2, 3]
    assert results[0][1]["total"] == 3
    told = services.batches.progress("twice")
    assert (told.total, told.done, told.failed) == (3, 2, 1)


def test_lines_whose_task_was_killed(s3: S3Client, services: Services) -> None:
    key = put(s3, "killed", {"id": "a", **PAGE}, {"id": "b", **PAGE}, {"id": "c", **SAME})
    batch = start(services, key)
    items = prepared(s3, batch)
    task("compare", batch, items[2:])
    task("summarise", batch)
    lost = {"status": 500, "error": "the comparison of this line did not end"}
    told = lines(s3, "killed")
    assert told[:2] == [
        {"line": 1, "id": "a", **PAGE, **lost},
        {"line": 2, "id": "b", **PAGE, **lost},
    ]
    assert (told[2]["id"], told[2]["status"]) == ("c", 200)
    assert summary(s3, "killed")["errors"] == {"500": 2}


def test_what_time_does_not_allow_is_left(s3: S3Client, services: Services) -> None:
    batch = start(services, put(s3, "late", PAGE, SAME, SAME))
    items = prepared(s3, batch)
    # One, however little time there is: else nothing would ever end.
    assert task("compare", batch, items, seconds=59)["items"] == items[1:]
    assert keys(s3, f"{batch.folder}/parts/") == [f"{batch.folder}/parts/1-1-0.jsonl"]
    assert task("compare", batch, items[1:])["items"] == []
    task("summarise", batch)
    assert summary(s3, "late")["done"] == 3


@pytest.fixture
def failing_media(services: Services, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Addresses at which storage is busy."""
    failing: set[str] = set()
    read = services.media.get

    def get(media_id: str, *, max_bytes: int) -> bytes:
        if f"{BASE_URL}/media/{media_id}" in failing:
            raise StorageUnavailable
        return read(media_id, max_bytes=max_bytes)

    monkeypatch.setattr(services.media, "get", get)
    return failing


def test_what_storage_does_not_allow_is_left(
    s3: S3Client, services: Services, failing_media: set[str]
) -> None:
    batch = start(services, put(s3, "busy", SAME, PHOTO, SAME))
    items = prepared(s3, batch)
    failing_media.add(PHOTO["src"])
    assert task("compare", batch, items)["items"] == items[1:]
    assert keys(s3, f"{batch.folder}/parts/") == [f"{batch.folder}/parts/1-1-0.jsonl"]
    with pytest.raises(StorageUnavailable):
        task("compare", batch, items[1:])
    assert keys(s3, f"{batch.folder}/parts/") == [f"{batch.folder}/parts/1-1-0.jsonl"]
    failing_media.clear()
    assert task("compare", batch, items[1:])["items"] == []
    task("summarise", batch)
    assert summary(s3, "busy")["done"] == 3


def test_a_defect_of_ours_costs_its_line_alone(
    s3: S3Client,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    batch = start(services, put(s3, "defect", PHOTO, SAME))
    items = prepared(s3, batch)
    read = services.media.get

    def get(media_id: str, *, max_bytes: int) -> bytes:
        if media_id in PHOTO["src"]:
            raise RuntimeError("a defect")
        return read(media_id, max_bytes=max_bytes)

    monkeypatch.setattr(services.media, "get", get)
    task("compare", batch, items)
    task("summarise", batch)
    assert [line["status"] for line in lines(s3, "defect")] == [500, 200]
    error = "something went wrong on our side; the log has what happened"
    assert lines(s3, "defect")[0]["error"] == error
    [logged] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (logged.__dict__["line"], str((logged.exc_info or [None] * 2)[1])) == (1, "a defect")


# Addresses in S3.


@pytest.fixture
def further(s3: S3Client, services: Services) -> str:
    """A further bucket with images that batches may read under ``open/``."""
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(Bucket="further-bucket")
    picture = services.media.get(PAGE["src"].rpartition("/")[2], max_bytes=10**7)
    for bucket, key in ((INBOX, "source/a b.png"), ("further-bucket", "open/a/b.png")):
        s3.put_object(Bucket=bucket, Key=key, Body=picture)
    s3.put_object(Bucket="further-bucket", Key="closed/b.png", Body=picture)
    return "arn:aws:s3:::further-bucket,arn:aws:s3:::further-bucket/open/*"


@pytest.mark.parametrize(
    ("address", "status", "error"),
    [
        (f"s3://{INBOX}/source/a b.png", 200, None),
        ("s3://further-bucket/open/a/b.png", 200, None),
        (f"s3://{INBOX}/source/none.png", 404, "src names no object"),
        ("s3://further-bucket/closed/b.png", 400, "src lies where this service may not read"),
        ("s3://further-bucket/open", 400, "src lies where this service may not read"),
        (f"s3://{RESULTS}/batches/x/run.json", 400, "src lies where this service may not read"),
        ("s3://imgdiff-media/media/x.png", 400, "src lies where this service may not read"),
        ("s3://further-bucket", 400, "src must be s3://BUCKET/KEY"),
        ("s3:///open/a/b.png", 400, "src must be s3://BUCKET/KEY"),
        ("s3://further-bucket/open/../open/a/b.png", 404, "src names no object"),
        ("S3://further-bucket/open/a/b.png", 400, "src must begin with http:// or https://"),
    ],
)
def test_addresses_in_s3(
    s3: S3Client,
    monkeypatch: pytest.MonkeyPatch,
    further: str,
    address: str,
    status: int,
    error: str | None,
) -> None:
    monkeypatch.setenv("INPUT_ARNS", further)
    composition.services.cache_clear()
    services = composition.services()
    run(s3, services, put(s3, "inputs", {"src": address, "target": PAGE["src"]}))
    [line] = lines(s3, "inputs")
    assert (line["status"], line.get("error")) == (status, error)


def test_the_holder_of_a_key_sees_nothing_of_the_inbox(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch, further: str
) -> None:
    monkeypatch.setenv("INPUT_ARNS", further)
    composition.services.cache_clear()
    services = composition.services()
    addresses = [f"s3://{INBOX}/source/a b.png", "s3://further-bucket/open/a/b.png"]
    pairs = [{"src": address, "target": PAGE["src"]} for address in addresses]

    batch = services.batches.post("\n".join(map(json.dumps, pairs)).encode(), len(pairs))
    task("compare", batch, prepared(s3, batch))
    task("summarise", batch)

    told = [(line["status"], line.get("error")) for line in lines(s3, batch.name)]
    assert told == [(400, "src lies where this service may not read"), (200, None)]


# Runs of one batch.


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("batches/a.jsonl", True),
        ("batches/A-b_c.d.csv", True),
        (f"batches/{'a' * 80}.csv", True),
        (f"batches/{'a' * 81}.csv", False),
        ("batches/a.txt", False),
        ("batches/a/b.csv", False),
        ("batches/.csv", False),
        ("batches/...csv", False),
        ("batches/a b.csv", False),
        ("batches/a.csv\n", False),
        ("source/a.csv", False),
    ],
)
def test_names(key: str, expected: bool) -> None:  # noqa: FBT001
    assert is_batch(key) == expected


def test_a_file_is_started_once(s3: S3Client, services: Services, machine: str) -> None:
    name = "n" * 80
    key = put(s3, name, PAGE)
    batch = start(services, key)
    assert start(services, key) == batch
    client = boto3.client("stepfunctions")
    [execution] = [
        found["executionArn"]
        for found in client.list_executions(stateMachineArn=machine)["executions"]
        if found["name"] == f"{'n' * 63}-{batch.run}"
    ]
    # Nor once that has ended.
    client.stop_execution(executionArn=execution)
    assert start(services, key) == batch
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    again = start(services, put(s3, name, PAGE))
    assert again.run != batch.run


def test_a_file_that_is_gone_is_not_started(services: Services) -> None:
    assert services.batches.start(INBOX, "batches/never.csv") is None


def test_an_older_file_of_the_same_name_is_not_started(s3: S3Client, services: Services) -> None:
    s3.put_object(Bucket=INBOX, Key="batches/kinds.csv", Body=b"src,target\n")
    time.sleep(1.1)  # S3's clock has seconds
    batch = start(services, put(s3, "kinds", PAGE))
    assert services.batches.start(INBOX, "batches/kinds.csv") is None
    assert json.loads(content(s3, "batches/kinds/run.json"))["run"] == batch.run


def test_a_notice_that_comes_late_starts_the_newest(
    s3: S3Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is put, and started elsewhere, after the one before it was found."""
    key = put(s3, "late", PAGE)
    find = services.objects.find
    newer: list[Batch] = []

    def found(bucket: str, asked: str) -> Any:
        stored = find(bucket, asked)
        if asked == key and not newer:
            monkeypatch.undo()
            newer.append(start(services, put(s3, "late", SAME)))
        return stored

    monkeypatch.setattr(type(services.objects), "find", lambda _, *args: found(*args))
    assert start(services, key) == newer[0]
    assert json.loads(content(s3, "batches/late/run.json"))["run"] == newer[0].run


def test_an_older_run_leaves_the_results_of_a_newer_one(s3: S3Client, services: Services) -> None:
    older = start(services, put(s3, "runs", SAME))
    items = prepared(s3, older)
    task("compare", older, items)
    newer = run(s3, services, put(s3, "runs", PAGE, SAME))

    assert task("prepare", older) == {"refused": "a newer file has taken the place of this one"}
    assert task("summarise", older) == {"superseded": True}

    assert summary(s3, "runs")["run"] == newer.run
    assert len(lines(s3, "runs")) == 2


def _conditional(s3: S3Client) -> Callable[..., None]:
    """What S3 does, and moto does not: complete an upload on condition."""

    def check(request: Any, **_: object) -> None:
        etag = None
        with suppress(ClientError):
            key = request.url.partition("?")[0].partition(".com/")[2]
            etag = s3.head_object(Bucket=RESULTS, Key=key)["ETag"]
        headers = request.headers
        expected = headers["If-Match"].decode() if "If-Match" in headers else etag
        if etag if "If-None-Match" in headers else expected != etag:
            answer: Any = {"HTTPStatusCode": 412, "RetryAttempts": 0}
            raise ClientError({"Error": {"Code": "any"}, "ResponseMetadata": answer}, "any")

    return check


@pytest.mark.parametrize("moment", ["CompleteMultipartUpload", "PutObject"])
def test_a_newer_run_between_the_check_and_the_results(
    s3: S3Client, services: Services, moment: str
) -> None:
    """The older run has found itself current, and puts its results after the newer one's."""
    older = run(s3, services, put(s3, "race", SAME))
    newer: list[Batch] = []

    def overtake(request: Any, **_: object) -> None:
        if not newer and "results/race/" in request.url:
            newer.append(older)
            newer.append(run(s3, services, put(s3, "race", PAGE, SAME)))

    clients: list[Any] = [services.files, services.objects]
    for each in clients:
        events = each._client.meta.events
        events.register(f"before-send.s3.{moment}", overtake)
        events.register("before-send.s3.CompleteMultipartUpload", _conditional(s3))

    assert services.batch_tasks.summarise(older) is None

    assert len(newer) == 2
    assert summary(s3, "race")["run"] == newer[1].run
    assert len(lines(s3, "race")) == 2


# How far it is.


def test_progress(s3: S3Client, services: Services, machine: str) -> None:
    batch = start(services, put(s3, "far", PAGE, SAME, SIZES_DIFFER, SAME))

    def told() -> tuple[Any, ...]:
        found = services.batches.progress("far")
        assert (found.results is None, found.summary is None) == (True, True)
        return found.state, found.total, found.done, found.failed, found.progress, found.error

    assert told() == ("running", None, 0, 0, 0.0, None)
    items = prepared(s3, batch)
    assert told() == ("running", 4, 0, 0, 0.0, None)
    task("compare", batch, items[:1])
    assert told() == ("running", 4, 1, 0, 0.25, None)
    task("compare", batch, items[1:3])
    assert told() == ("running", 4, 2, 1, 0.75, None)
    # Begun again as single lines.
    for item in items[1:]:
        task("compare", batch, [item])
    assert told() == ("running", 4, 3, 1, 1.0, None)
    execution = f"{machine.replace(':stateMachine:', ':execution:')}:{batch.execution}"
    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    assert told() == ("failed", 4, 3, 1, 1.0, "the batch was stopped")

    task("summarise", batch)
    found = services.batches.progress("far")
    assert (found.state, found.total, found.done, found.failed) == ("done", 4, 3, 1)
    assert (found.progress, found.error) == (1.0, None)
    assert "X-Amz-Expires=300" in (found.results or "")
    assert f"{RESULTS}.s3" in (found.summary or "")


def test_a_batch_of_long_ago(s3: S3Client, services: Services) -> None:
    run(s3, services, put(s3, "old", SAME))
    for key in keys(s3, "batches/"):
        s3.delete_object(Bucket=RESULTS, Key=key)
    assert services.batches.progress("old").state == "done"


def test_a_newer_run_is_not_done_by_an_older_summary(s3: S3Client, services: Services) -> None:
    run(s3, services, put(s3, "again", SAME))
    start(services, put(s3, "again", PAGE))
    found = services.batches.progress("again")
    assert (found.state, found.total, found.summary) == ("running", None, None)


@pytest.mark.parametrize("name", ["never", "", "..", "a/b", "a" * 81])
def test_no_such_batch(services: Services, name: str) -> None:
    with pytest.raises(NotFound, match=r"^there is no such batch$"):
        services.batches.progress(name)


def test_the_result_of_a_pair_is_no_summary(s3: S3Client, services: Services) -> None:
    s3.put_object(Bucket=RESULTS, Key="results/pair/summary.json", Body=b'{"status": 200}')
    with pytest.raises(NotFound):
        services.batches.progress("pair")
