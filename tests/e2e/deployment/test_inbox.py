"""The inbox as it is deployed: objects come in, are told, queued and compared."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.deployment.deployed import Deployed, until
from tests.e2e.deployment.test_api import SOURCE, TARGET

type Json = dict[str, Any]


def put_pair(stack: Deployed, name: str) -> None:
    s3, bucket = stack.aws.client("s3"), stack.outputs["InboxBucketName"]
    for half, content in (("source", SOURCE), ("target", TARGET)):
        s3.put_object(Bucket=bucket, Key=f"{half}/{name}", Body=content)


def take(stack: Deployed, queue: str) -> list[str]:
    sqs = stack.aws.client("sqs")
    taken = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    for message in taken:
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return [message["Body"] for message in taken]


def document(stack: Deployed, name: str) -> Json:
    found: Json = json.loads(
        until(lambda: stack.object("ResultsBucketName", f"results/{name}.json"))
    )
    return found


@pytest.fixture
def told(stack: Deployed) -> Callable[[], list[Json]]:
    """The events that were sent to the account's bus since the last call."""
    sqs, events = stack.aws.client("sqs"), stack.aws.client("events")
    queue = sqs.create_queue(QueueName="completed")["QueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    arn = asked["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    events.put_rule(Name="completed", EventPattern=json.dumps({"source": ["imgdiff"]}))
    events.put_targets(Rule="completed", Targets=[{"Id": "queue", "Arn": arn}])
    return lambda: [json.loads(body) for body in take(stack, queue)]


@pytest.fixture
def hasty(stack: Deployed) -> Iterator[None]:
    """Messages that come again after a second rather than after six minutes."""
    sqs, queue = stack.aws.client("sqs"), stack.outputs["InboxQueueUrl"]
    asked = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    yield
    sqs.set_queue_attributes(QueueUrl=queue, Attributes=asked["Attributes"])


def test_a_pair_has_a_result_a_picture_and_an_event(
    stack: Deployed, told: Callable[[], list[Json]]
) -> None:
    put_pair(stack, "deep/a page.png")

    result = document(stack, "deep/a page.png")
    event, *_ = until(told)

    assert result["status"] == 200
    assert result["changed_pixels"] > 0
    assert result["link"].startswith(f"{stack.outputs['ApiUrl']}/media/")
    picture = stack.object("ResultsBucketName", "results/deep/a page.png.png")
    assert stack.aws.get(stack.presigned(result["link"])).content == picture
    assert event["detail-type"] == "Image Comparison Completed"
    assert event["detail"]["result"]["key"] == "results/deep/a page.png.json"


@pytest.mark.usefixtures("hasty")
def test_a_message_that_can_not_be_read_ends_with_the_dead_letters_and_holds_nothing_up(
    stack: Deployed,
) -> None:
    queue = stack.outputs["InboxQueueUrl"]
    stack.aws.client("sqs").send_message(QueueUrl=queue, MessageBody="not JSON")
    put_pair(stack, "beside.png")

    assert document(stack, "beside.png")["status"] == 200
    dead_letters = stack.outputs["InboxDeadLettersUrl"]
    assert until(lambda: "not JSON" in take(stack, dead_letters))
