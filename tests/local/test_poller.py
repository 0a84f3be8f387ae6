"""What becomes of a queue's messages, by what the function makes of them."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from types_boto3_sqs import SQSClient

from local import inbox
from local.inbox import Poller
from local.stack import environment

type Json = dict[str, Any]


@pytest.fixture(autouse=True)
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[SQSClient]:
    for name, value in environment("unused", "unused").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setattr(inbox, "_POLL_SECONDS", 0)
    with mock_aws():
        yield boto3.client("sqs")


@pytest.fixture
def queue(sqs: SQSClient) -> str:
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


def send(sqs: SQSClient, queue: str, *bodies: str) -> list[str]:
    return [sqs.send_message(QueueUrl=queue, MessageBody=body)["MessageId"] for body in bodies]


def kept(sqs: SQSClient, queue: str) -> int:
    """How many messages a queue holds, those that are hidden included."""
    names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return sum(map(int, told.values()))


def test_messages_come_as_lambda_hands_them_over(sqs: SQSClient, queue: str) -> None:
    [message] = send(sqs, queue, '{"key": "a"}')
    events: list[Json] = []

    def take(event: Json) -> Json:
        events.append(event)
        return {"batchItemFailures": []}

    Poller(queue, take, most=10)._take()

    [record] = events[0]["Records"]
    assert (record["messageId"], record["body"]) == (message, '{"key": "a"}')
    assert record["eventSource"] == "aws:sqs"
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["attributes"]["SentTimestamp"].isdigit()
    assert kept(sqs, queue) == 0


def test_an_event_has_as_many_messages_as_told_at_most(sqs: SQSClient, queue: str) -> None:
    send(sqs, queue, *"abcde")
    sizes: list[int] = []

    def take(event: Json) -> Json:
        sizes.append(len(event["Records"]))
        return {"batchItemFailures": []}

    poller = Poller(queue, take, most=3)
    poller._take()
    poller._take()
    poller._take()

    assert sizes == [3, 2]


def test_what_failed_stays_and_the_rest_goes(sqs: SQSClient, queue: str) -> None:
    sent = send(sqs, queue, *"abc")
    failed = [{"itemIdentifier": sent[1]}]

    Poller(queue, lambda _: {"batchItemFailures": failed}, most=10)._take()

    assert kept(sqs, queue) == 1


@pytest.mark.parametrize("error", [TimeoutError(), EOFError(), KeyError("key")])
def test_all_stay_where_the_function_ends(sqs: SQSClient, queue: str, error: Exception) -> None:
    send(sqs, queue, *"abc")

    def take(_: Json) -> Json:
        raise error

    Poller(queue, take, most=10)._take()

    assert kept(sqs, queue) == 3


def test_a_poller_that_was_stopped_takes_nothing(sqs: SQSClient, queue: str) -> None:
    send(sqs, queue, "a")
    taken: list[Json] = []

    def take(event: Json) -> Json:
        taken.append(event)
        return {"batchItemFailures": []}

    poller = Poller(queue, take, most=10)
    poller.stop()
    poller._poll()

    assert not taken
    assert kept(sqs, queue) == 1
