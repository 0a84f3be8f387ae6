"""The inbox and batches as ``make run`` has them, over real sockets: files in, results out."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import boto3
import pytest
import requests
from types_boto3_s3 import S3Client
from types_boto3_sqs import SQSClient

from local.stack import INBOX, KEY, REGION, RESULTS
from local.template import DEAD_LETTERS, QUEUE
from tests.local.service import ROOT, Service

SOURCE, TARGET = (
    (ROOT / "samples" / f"page-{half}.png").read_bytes() for half in ("source", "target")
)

type Json = dict[str, Any]


class Aws:
    """The AWS of a running service."""

    def __init__(self, service: Service) -> None:
        self._given = {
            "endpoint_url": service.found(r"AWS endpoint at (\S+)"),
            "region_name": REGION,
            "aws_access_key_id": "any",
            "aws_secret_access_key": "any",
        }
        self.s3: S3Client = self.client("s3")
        self.sqs: SQSClient = self.client("sqs")

    def client(self, name: str) -> Any:
        make: Any = boto3.client
        return make(name, **self._given)

    def put(self, key: str, content: bytes) -> None:
        self.s3.put_object(Bucket=INBOX, Key=key, Body=content)

    def result(self, key: str) -> bytes | None:
        try:
            return self.s3.get_object(Bucket=RESULTS, Key=key)["Body"].read()
        except self.s3.exceptions.ClientError:
            return None

    def document(self, key: str) -> Json:
        found: Json = json.loads(until(lambda: self.result(key)))
        return found

    def queue(self, name: str) -> str:
        return self.sqs.get_queue_url(QueueName=name)["QueueUrl"]

    def waiting(self, queue: str) -> int:
        """How many messages a queue holds, those that are being taken included."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        told = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return sum(map(int, told.values()))

    def take(self, queue: str) -> Iterator[str]:
        """Take what is in a queue out of it."""
        while found := self.sqs.receive_message(QueueUrl=queue).get("Messages"):
            for message in found:
                self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                yield message["Body"]


def until[Found](find: Callable[[], Found | None]) -> Found:
    """Wait for something to be found."""
    by = time.monotonic() + 90
    while time.monotonic() < by:
        if found := find():
            return found
        time.sleep(0.1)
    raise TimeoutError


@pytest.fixture(scope="module")
def aws(service: Service) -> Aws:
    aws = Aws(service)
    # Before the queue is polled for the first time: a poll keeps to what it began with.
    hasty: Any = {"VisibilityTimeout": "2"}
    aws.sqs.set_queue_attributes(QueueUrl=aws.queue(QUEUE), Attributes=hasty)
    return aws


@pytest.fixture(scope="module")
def told(aws: Aws) -> Callable[[], list[Json]]:
    """The events that the service has sent since the last call."""
    events = aws.client("events")
    queue = aws.sqs.create_queue(QueueName="completed")["QueueUrl"]
    events.put_rule(Name="completed", EventPattern=json.dumps({"source": ["imgdiff"]}))
    arn = aws.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    events.put_targets(Rule="completed", Targets=[{"Id": "queue", "Arn": arn["QueueArn"]}])
    return lambda: [json.loads(body) for body in aws.take(queue)]


def test_a_pair_has_a_result_a_picture_and_an_event(
    service: Service, aws: Aws, told: Callable[[], list[Json]]
) -> None:
    aws.put("source/deep/a page.png", SOURCE)
    aws.put("target/deep/a page.png", TARGET)

    document = aws.document("results/deep/a page.png.json")
    event, *_ = until(told)

    reply = service.imgdiff().json()
    assert {name: document[name] for name in ("status", "diff", "bbox", "changed_pixels")} == {
        name: reply[name] for name in ("status", "diff", "bbox", "changed_pixels")
    }
    assert event["detail-type"] == "Image Comparison Completed"
    assert event["detail"]["result"] == {"bucket": RESULTS, "key": "results/deep/a page.png.json"}
    picture = aws.result("results/deep/a page.png.png")
    assert picture
    assert requests.get(document["link"], timeout=10).content == picture


def test_the_printed_commands_put_a_pair_that_is_compared(service: Service, aws: Aws) -> None:
    for half in ("source", "target"):
        file = service.found(rf"(samples/\S+) s3://{INBOX}/{half}/page.png")
        aws.put(f"{half}/page.png", (ROOT / file).read_bytes())

    key = service.found(rf"The result is s3://{RESULTS}/(\S+)")
    assert aws.document(key)["status"] == 200


def test_a_file_that_is_no_image_has_an_error_for_its_result(aws: Aws) -> None:
    aws.put("target/text.png", b"This is a text.")
    aws.put("source/text.png", SOURCE)

    document = aws.document("results/text.png.json")

    assert document["status"] == 415
    assert document["error"].startswith("target ")
    assert aws.result("results/text.png.png") is None


@pytest.fixture
def no_results(aws: Aws) -> Iterator[Callable[[], None]]:
    """A time without the bucket of results; call to end it."""

    def end() -> None:
        with suppress(aws.s3.exceptions.BucketAlreadyOwnedByYou):
            aws.s3.create_bucket(Bucket=RESULTS)

    for item in aws.s3.list_objects_v2(Bucket=RESULTS).get("Contents", []):
        aws.s3.delete_object(Bucket=RESULTS, Key=item["Key"])
    aws.s3.delete_bucket(Bucket=RESULTS)
    yield end
    end()


def test_what_can_not_be_done_is_kept_and_done_once_it_is_sent_again(
    aws: Aws, no_results: Callable[[], None]
) -> None:
    queue, dead_letters = aws.queue(QUEUE), aws.queue(DEAD_LETTERS)
    aws.put("source/late.png", SOURCE)
    aws.put("target/late.png", TARGET)

    until(lambda: aws.waiting(dead_letters) and not aws.waiting(queue))
    kept = list(aws.take(dead_letters))
    no_results()
    assert aws.result("results/late.png.json") is None

    assert "target/late.png" in {json.loads(body)["detail"]["object"]["key"] for body in kept}
    for body in kept:
        aws.sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert aws.document("results/late.png.json")["status"] == 200


def test_a_batch_that_is_put_into_the_inbox_is_summed_up(aws: Aws) -> None:
    halves = ("source", "target")
    for half, content in zip(halves, (SOURCE, TARGET), strict=True):
        aws.put(f"{half}/one.png", content)
    rows = [f"s3://{INBOX}/source/one.png,s3://{INBOX}/{half}/one.png" for half in halves]
    aws.put("batches/nightly.csv", "\n".join(["src,target", *rows, "nowhere,nowhere"]).encode())

    summary = aws.document("results/nightly/summary.json")

    assert (summary["status"], summary["total"]) == (200, 3)
    assert (summary["identical"], summary["different"], summary["failed"]) == (1, 1, 1)
    results = aws.result("results/nightly/results.jsonl")
    assert results
    lines = list(map(json.loads, results.splitlines()))
    assert [line["status"] for line in lines] == [200, 200, 400]


def test_a_batch_that_is_posted_tells_how_far_it_is(service: Service) -> None:
    source, target, *_ = service.samples
    answer = requests.post(
        f"{service.url}/batches",
        json={"pairs": [{"id": name, "src": source, "target": target} for name in ("b", "a")]},
        headers={"x-api-key": KEY},
        timeout=60,
    ).json()
    assert answer["status"] == 200
    assert answer["total"] == 2

    def ended() -> Json | None:
        found: Json = requests.get(answer["link"], headers={"x-api-key": KEY}, timeout=60).json()
        assert found["state"] in {"running", "done"}
        return found if found["state"] == "done" else None

    progress = until(ended)

    assert (progress["done"], progress["failed"], progress["progress"]) == (2, 0, 1.0)
    lines = requests.get(progress["results"], timeout=10).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["a", "b"]
    assert requests.get(progress["summary"], timeout=10).json()["done"] == 2
