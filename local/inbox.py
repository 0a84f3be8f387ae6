"""The way into the worker: what is put into the inbox is told to a rule, queued and polled.

Bucket, rule and queues are moto's, set up as the template says; polling the queue is what Lambda
does for a function.
"""

import json
from collections.abc import Callable, Mapping
from threading import Event, Thread
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from local.stack import ACCOUNT, INBOX, REGION
from local.template import DEAD_LETTERS, QUEUE

_RULE = "imgdiff-inbox"
# As long as SQS lets a poll wait, and how long to wait after one that failed.
_POLL_SECONDS, _PAUSE_SECONDS = 20, 1


def wire(template: Mapping[str, Any]) -> str:
    """Set up what tells and queues what is put into the inbox.

    Returns
    -------
    str
        The address of the queue.
    """
    sqs, events, s3 = (boto3.client(service) for service in ("sqs", "events", "s3"))
    for name, resource in ((DEAD_LETTERS, "InboxDeadLetters"), (QUEUE, "InboxQueue")):
        attributes = {each: json.dumps(value) for each, value in template[resource].items()}
        queue: str = sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    rule = template["InboxRule"]
    events.put_rule(Name=_RULE, EventPattern=json.dumps(rule["EventPattern"]))
    events.put_targets(Rule=_RULE, Targets=rule["Targets"])
    s3.put_bucket_notification_configuration(
        Bucket=INBOX, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    return queue


class Poller:
    """Hands the messages of a queue to a function, as Lambda's event source mapping does.

    Parameters
    ----------
    queue : str
        The queue's address.
    invoke : callable
        Event to what the function answers.
    most : int
        How many messages an event has at most.
    """

    def __init__(
        self, queue: str, invoke: Callable[[dict[str, Any]], dict[str, Any]], *, most: int
    ) -> None:
        self._queue = queue
        self._invoke = invoke
        self._most = most
        self._sqs = boto3.client("sqs")
        self._stopped = Event()

    def start(self, number: int) -> None:
        """Start as many pollers."""
        for _ in range(number):
            Thread(target=self._poll, daemon=True).start()

    def stop(self) -> None:
        """Take no more messages."""
        self._stopped.set()

    def _poll(self) -> None:
        while not self._stopped.is_set():
            try:
                self._take()
            except (BotoCoreError, ClientError):
                self._stopped.wait(_PAUSE_SECONDS)

    def _take(self) -> None:
        messages = self._sqs.receive_message(
            QueueUrl=self._queue,
            MaxNumberOfMessages=self._most,
            WaitTimeSeconds=_POLL_SECONDS,
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])
        if not messages or self._stopped.is_set():
            return
        try:
            reply = self._invoke({"Records": list(map(_record, messages))})
        except Exception as error:  # noqa: BLE001 - whatever it was, the messages come again
            print(f"the worker failed: {error!r}")
            return
        failed = {failure["itemIdentifier"] for failure in reply["batchItemFailures"]}
        for message in messages:
            if message["MessageId"] not in failed:
                self._sqs.delete_message(
                    QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"]
                )


def _record(message: Any) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
        "awsRegion": REGION,
    }
