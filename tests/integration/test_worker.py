"""The worker: S3's events by every way, into results and an event for each."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError
from types_boto3_s3 import S3Client

from imgdiff import composition
from local import stack
from local.workers import Context
from tests.integration.conftest import EVENTS, Get, load

type Json = dict[str, Any]

SOURCE = (EVENTS.parent / "samples" / "page-source.png").read_bytes()
TARGET = (EVENTS.parent / "samples" / "page-target.png").read_bytes()
NAMES = [
    "page.png",
    "no extension",
    "a/b/c/deep.png",
    "with space.png",
    "two  spaces .png",
    "plus+plus.png",
    "percent%20twenty.png",
    "percent%.png",
    "amper&sand=equals.png",
    "question?mark.png",
    "hash#tag.png",
    "semi;colon,comma.png",
    'quote\'s "double".png',
    "brackets[1](2){3}.png",
    "at@dollar$caret^.png",
    "tilde~tick`.png",
    "pipe|back\\slash.png",
    "star*bang!.png",
    "colon:name.png",
    "umlaut ä ö ü ß.png",
    "decomposed a\u0308.png",
    "日本語/画面.png",
    "emoji 🙂.png",
    "rtl עברית.png",
    "dots...png",
    "..hidden.png",
    "source/target/source.png",
    "line\nbreak.png",
    "results/page.png",
]


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_event_bridge(key: str, bucket: str = stack.INBOX, time: str | None = None) -> Json:
    return {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": time or now(),
        "detail": {"bucket": {"name": bucket}, "object": {"key": key}},
    }


def from_s3(key: str, bucket: str = stack.INBOX, name: str = "ObjectCreated:Put") -> Json:
    described = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
    record = {"eventSource": "aws:s3", "eventName": name, "eventTime": now(), "s3": described}
    return {"Records": [record]}


def queued(*bodies: Json | str, received: int = 1, sent: float | None = None) -> Json:
    attributes = {
        "ApproximateReceiveCount": str(received),
        "SentTimestamp": str(int(1000 * (sent or time.time()))),
    }
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": attributes,
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:inbox",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


WAYS: dict[str, Callable[[str], Json]] = {
    "eventbridge": from_event_bridge,
    "s3": from_s3,
    "eventbridge-sqs": lambda key: queued(from_event_bridge(key)),
    "s3-sqs": lambda key: queued(from_s3(key)),
}


class Work:
    """The worker, and what surrounds it."""

    def __init__(self, s3: S3Client, told: Callable[[], list[Json]]) -> None:
        self.s3 = s3
        self.told = told

    def run(self, event: Json, *, seconds: float = 60) -> Json:
        from imgdiff.worker import lambda_handler

        context: Any = Context("invocation", deadline=time.time() + seconds)
        answer: Json = lambda_handler(event, context)
        return answer

    def put(self, key: str, content: bytes, bucket: str = stack.INBOX, **options: Any) -> None:
        self.s3.put_object(Bucket=bucket, Key=key, Body=content, **options)

    def put_pair(self, name: str, source: bytes = SOURCE, target: bytes = TARGET) -> None:
        self.put(f"source/{name}", source)
        self.put(f"target/{name}", target)

    def results(self) -> set[str]:
        found = self.s3.list_objects_v2(Bucket=stack.RESULTS).get("Contents", [])
        return {item["Key"] for item in found}

    def document(self, key: str) -> Json:
        found = self.s3.get_object(Bucket=stack.RESULTS, Key=key)
        assert found["ContentType"] == "application/json"
        document: Json = json.loads(found["Body"].read())
        return document


@pytest.fixture(scope="module")
def told() -> Callable[[], list[Json]]:
    """The completion events of this module's account, as a rule delivers them to a queue."""
    sqs, events = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName="completed")["QueueUrl"]
    [arn] = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])[
        "Attributes"
    ].values()
    pattern = {"source": ["imgdiff"], "detail-type": ["Image Comparison Completed"]}
    events.put_rule(Name="completed", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="completed", Targets=[{"Id": "queue", "Arn": arn}])

    def receive() -> list[Json]:
        details = []
        while found := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                details.append(json.loads(message["Body"])["detail"])
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return details

    return receive


@pytest.fixture
def work(s3: S3Client, told: Callable[[], list[Json]]) -> Work:
    """The worker, with nothing in its buckets and nothing told yet."""
    for bucket in (stack.INBOX, stack.RESULTS):
        boto3.resource("s3").Bucket(bucket).object_versions.delete()
    told()
    return Work(s3, told)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_a_pair_of_any_name_by_any_way(work: Work, way: str, name: str) -> None:
    work.put_pair(name)

    work.run(WAYS[way](f"target/{name}"))

    assert work.results() == {f"results/{name}.json", f"results/{name}.png"}
    document = work.document(f"results/{name}.json")
    assert (document["status"], document["changed_pixels"]) == (200, 10_352)
    assert document["name"] == name
    assert document["source"]["key"] == f"source/{name}"
    [told] = work.told()
    assert told == {
        "verdict": "different",
        "result": {"bucket": stack.RESULTS, "key": f"results/{name}.json"},
        **document,
    }


def test_the_document_is_the_reply_of_the_api(work: Work, get: Get) -> None:
    work.put_pair("page.png")
    work.run(from_event_bridge("source/page.png"))
    document = work.document("results/page.png.json")

    query = {
        "src": f"http://127.0.0.1:3000/media/{stack.sample_id('page-source.png')}",
        "target": f"http://127.0.0.1:3000/media/{stack.sample_id('page-target.png')}",
        "key": stack.KEY,
    }
    reply = get("/imgdiff", query).json()

    assert document.keys() == reply.keys() | {"name", "source", "target"}
    for name in reply.keys() - {"id", "link", "ssl_link"}:
        assert document[name] == reply[name], name
    assert document["link"] == document["ssl_link"]
    heads = [
        work.s3.head_object(Bucket=stack.INBOX, Key=f"{half}/page.png")
        for half in ("source", "target")
    ]
    for half, head in zip(("source", "target"), heads, strict=True):
        assert document[half] == {
            "bucket": stack.INBOX,
            "key": f"{half}/page.png",
            "version_id": head["VersionId"],
            "etag": head["ETag"].strip('"'),
        }


def test_the_link_leads_to_the_picture_and_nothing_else_does(work: Work, get: Get) -> None:
    work.put_pair("page.png")
    work.run(from_event_bridge("source/page.png"))
    document = work.document("results/page.png.json")
    path = document["link"].removeprefix("http://127.0.0.1:3000")
    picture = work.s3.get_object(Bucket=stack.RESULTS, Key="results/page.png.png")

    found = get(path)
    secret = document["id"][:32]
    guesses = [path.replace(secret, "0" * 32), path.replace(".png", ".json")]
    guesses.append(f"/media/{'0' * 32}_{document['id'][33:]}")

    assert found.status == 302
    assert "results/page.png.png" in found.headers["location"]
    assert picture["ContentType"] == "image/png"
    assert [get(guess).status for guess in guesses] == [404, 404, 404]
    # It can be compared like any other link, too.
    query = {"src": document["link"], "target": document["link"], "key": stack.KEY}
    assert get("/imgdiff", query).json()["diff"] == 0


def test_a_link_ends_with_the_result_that_it_is_of(work: Work, get: Get) -> None:
    work.put_pair("page.png")
    work.run(from_event_bridge("target/page.png"))
    old = work.document("results/page.png.json")
    work.put("target/page.png", SOURCE)
    work.run(from_event_bridge("target/page.png"))
    new = work.document("results/page.png.json")

    assert old["id"] != new["id"]
    statuses = [get(f"/media/{document['id']}").status for document in (old, new)]
    assert statuses == [404, 302]
    assert [told["verdict"] for told in work.told()] == ["different", "identical"]


def test_half_a_pair_waits_for_the_other(work: Work) -> None:
    work.put("source/page.png", SOURCE)
    work.run(from_event_bridge("source/page.png"))

    assert not work.results()
    assert not work.told()


def test_a_pair_of_another_bucket_has_a_place_of_its_own(work: Work) -> None:
    work.s3.create_bucket(Bucket="theirs")
    for half, content in (("source", SOURCE), ("target", TARGET)):
        work.put(f"{half}/page.png", content, bucket="theirs")

    work.run(from_s3("target/page.png", bucket="theirs"))

    assert work.results() == {"buckets/theirs/page.png.json", "buckets/theirs/page.png.png"}
    document = work.document("buckets/theirs/page.png.json")
    assert document["target"]["version_id"] is None


@pytest.mark.parametrize(
    ("source", "target", "status", "sentence"),
    [
        (SOURCE, b"no image", 415, "target is not an image"),
        (b"no image", TARGET, 415, "src is not an image"),
        (SOURCE, b"", 415, "target is not an image"),
        (SOURCE[:5000], TARGET, 415, "src "),
        (SOURCE, (EVENTS.parent / "samples" / "photo-target.jpg").read_bytes(), 400, "size"),
        (SOURCE + bytes(20_000_000), TARGET, 413, "src is over the limit of 20000000 bytes"),
    ],
)
def test_what_is_no_pair_of_images_is_a_result_too(
    work: Work, source: bytes, target: bytes, status: int, sentence: str
) -> None:
    work.put_pair("page.png")
    work.run(from_event_bridge("target/page.png"))
    work.put_pair("page.png", source, target)

    answer = work.run(queued(from_event_bridge("target/page.png")))

    assert answer == {"batchItemFailures": []}
    assert work.results() == {"results/page.png.json"}
    document = work.document("results/page.png.json")
    assert document.keys() == {"status", "error", "name", "source", "target"}
    assert document["status"] == status
    assert sentence in document["error"]
    assert work.told()[-1]["verdict"] == "error"


def test_options_come_with_the_target(work: Work) -> None:
    work.put("source/page.png", SOURCE)
    work.put("target/page.png", TARGET, Metadata={"style": "none", "blob": "true", "src": "x"})

    work.run(from_event_bridge("target/page.png"))

    assert work.results() == {"results/page.png.json"}
    document = work.document("results/page.png.json")
    assert document["changed_pixels"] == 10_352
    assert "link" not in document


def test_an_option_that_is_none_is_an_error_of_the_pair(work: Work) -> None:
    work.put("source/page.png", SOURCE)
    work.put("target/page.png", TARGET, Metadata={"style": "psychedelic"})

    work.run(from_event_bridge("target/page.png"))

    document = work.document("results/page.png.json")
    assert document["status"] == 400
    assert document["error"].startswith("style must be one of")


def test_what_fails_of_a_batch_is_delivered_again_and_nothing_else(work: Work) -> None:
    work.put_pair("a.png")
    work.put_pair("b.png")
    poison: list[Json | str] = ["no json", {"any": "thing"}, {"Records": [{"s3": {}}]}, "[]", "3"]

    answer = work.run(queued(from_event_bridge("target/a.png"), *poison, from_s3("target/b.png")))

    assert answer == {
        "batchItemFailures": [{"itemIdentifier": str(number)} for number in range(1, 6)]
    }
    assert {"results/a.png.json", "results/b.png.json"} <= work.results()


def test_what_cannot_be_read_fails_where_nobody_waits(work: Work) -> None:
    from imgdiff.notices import UnknownEvent

    with pytest.raises(UnknownEvent):
        work.run({"any": "thing"})


@pytest.mark.parametrize(
    "event",
    [
        from_event_bridge("source/"),
        from_event_bridge("source/folder/"),
        from_event_bridge("page.png"),
        from_event_bridge("other/page.png"),
        from_event_bridge("Source/page.png"),
        from_event_bridge("batches/page.txt"),
        from_event_bridge("batches/deep/page.jsonl"),
        from_s3("batches/page.jsonl", bucket="theirs"),
        from_s3("target/page.png", name="ObjectRemoved:Delete"),
        {**from_event_bridge("target/page.png"), "detail-type": "Object Deleted"},
        {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": stack.INBOX},
        from_event_bridge("source/page.png", bucket=stack.RESULTS),
        from_event_bridge("results/page.png.png", bucket=stack.RESULTS),
    ],
)
def test_what_concerns_no_pair_is_acknowledged(work: Work, event: Json) -> None:
    work.put_pair("page.png")
    for half in ("source", "target"):
        work.put(f"{half}/page.png", SOURCE, bucket=stack.RESULTS)
    before = work.results()

    assert work.run(queued(event)) == {"batchItemFailures": []}

    assert work.results() == before
    assert not work.told()


def test_a_notice_delivered_twice_is_told_of_once(work: Work) -> None:
    work.put_pair("page.png")
    for _ in range(3):
        work.run(queued(from_event_bridge("target/page.png")))
    work.run(queued(from_event_bridge("source/page.png")))

    assert len(work.told()) == 1


@pytest.mark.parametrize(
    "again",
    [
        queued(from_event_bridge("target/page.png"), received=2),
        queued(from_event_bridge("target/page.png", time="2026-01-01T00:00:00Z")),
        from_event_bridge("target/page.png", time="2026-01-01T00:00:00Z"),
    ],
    ids=["received again", "replayed", "invoked again"],
)
def test_a_result_may_be_told_of_again_rather_than_never(work: Work, again: Json) -> None:
    work.put_pair("page.png")
    work.run(queued(from_event_bridge("target/page.png")))
    [first] = work.told()

    work.run(again)

    assert work.told() == [first]


def test_a_pair_is_left_for_later_where_time_is_short(work: Work) -> None:
    work.put_pair("page.png")

    answer = work.run(queued(from_event_bridge("target/page.png")), seconds=20)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert not work.results()


def test_trouble_with_storage_is_no_result(
    work: Work, services: composition.Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    from imgdiff.errors import StorageUnavailable

    def fail(*_: object, **__: object) -> bytes:
        raise StorageUnavailable

    work.put_pair("page.png")
    with monkeypatch.context() as patch:
        patch.setattr(type(services.objects), "read", fail)
        answer = work.run(queued(from_event_bridge("target/page.png")))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert not work.results()

    work.run(queued(from_event_bridge("target/page.png"), received=2))

    assert work.document("results/page.png.json")["status"] == 200


def test_a_result_whose_put_was_never_answered_is_told_of_later(
    work: Work, services: composition.Services
) -> None:
    lost: list[str] = []

    def lose(request: Any, **_: object) -> None:
        if lost or not request.url.endswith(".json"):
            return
        lost.append(request.url)
        told = {
            name.lower().removeprefix("x-amz-meta-"): value.decode()
            for name, value in request.headers.items()
            if name.lower().startswith("x-amz-meta-")
        }
        content = request.body._raw.read()
        options: Any = {"ContentType": "application/json", "Metadata": told}
        work.put("results/page.png.json", content, bucket=stack.RESULTS, **options)
        raise ConnectionClosedError(endpoint_url=request.url)

    work.put_pair("page.png")
    client = services.objects._client  # type: ignore[attr-defined]
    client.meta.events.register_first("before-send.s3.PutObject", lose)

    first = work.run(queued(from_event_bridge("target/page.png")))
    assert lost
    assert first == {"batchItemFailures": [{"itemIdentifier": "0"}]}
    assert not work.told()

    second = work.run(queued(from_event_bridge("target/page.png"), received=2))
    assert second == {"batchItemFailures": []}
    assert [told["verdict"] for told in work.told()] == ["different"]
    assert work.results() == {"results/page.png.json", "results/page.png.png"}


@pytest.fixture(scope="module")
def machine() -> str:
    """The ARN of a state machine whose executions do nothing."""
    arn: str = boto3.client("stepfunctions").create_state_machine(
        name="imgdiff-batches",
        definition=json.dumps({"StartAt": "Any", "States": {"Any": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::123456789012:role/any",
    )["stateMachineArn"]
    return arn


@pytest.mark.parametrize("way", WAYS)
def test_a_batch_is_started_once_for_each_version(work: Work, machine: str, way: str) -> None:
    def started() -> list[str]:
        executions = boto3.client("stepfunctions").list_executions(stateMachineArn=machine)
        names = [each["name"] for each in executions["executions"]]
        return [name for name in names if name.startswith(f"nightly-{way}-")]

    key = f"batches/nightly-{way}.jsonl"
    work.put(key, b'{"src": "a", "target": "b"}')
    for _ in range(2):
        work.run(WAYS[way](key))
    assert len(started()) == 1

    work.put(key, b'{"src": "a", "target": "c"}')
    work.run(WAYS[way](key))
    assert len(started()) == 2


@pytest.mark.parametrize("name", [path.stem for path in EVENTS.glob("worker-*.json")])
def test_every_event_for_it_is_taken(work: Work, name: str) -> None:
    work.put_pair("page.png")

    work.run(load(name))

    assert work.document("results/page.png.json")["status"] == 200
