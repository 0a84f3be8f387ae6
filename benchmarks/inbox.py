"""``python -m benchmarks.inbox``: thousands of small pairs by way of the inbox, each accounted for.

Buckets, rule, queue and bus are emulated in a process beside, the worker is the real one. The
emulator sets the pace; what is the worker's own is the processor's time that it took.
"""

import argparse
import io
import json
import math
import multiprocessing
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import batched
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import boto3
from moto import backends
from PIL import Image

from local.inbox import Poller, wire
from local.stack import INBOX, RESULTS, Stack, enter, fill
from local.template import AT_ONCE, resources
from local.workers import Process, Workers

_SIDE = 64
_COMPLETED = "completed"
_UPLOADERS = 4
_WAVE = 10
# us-east-1, arm64: a GB-second, a request.
_USD_GB_SECOND, _USD_REQUEST = 0.0000133334, 0.0000002
_GB = 1769 / 1024

type Event = dict[str, Any]


class Account:
    """What the worker's invocations took."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._lock = Lock()
        self.invocations = 0
        self.messages = 0
        self.failures = 0

    def invoke(self, event: Event) -> Event:
        """Have the worker take an event, and count it."""
        answer = self._workers.invoke(event)
        with self._lock:
            self.invocations += 1
            self.messages += len(event["Records"])
            self.failures += len(answer["batchItemFailures"])
        return answer


def processor_seconds() -> float:
    """What this process's children have worked."""
    ticks = 0
    for child in multiprocessing.active_children():
        # Behind the name, which is in brackets.
        told = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(told[11]) + int(told[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def changed(number: int) -> int:
    """How many pixels of a pair differ; some pairs are identical."""
    return number % (_SIDE * _SIDE // 4)


def images(number: int) -> tuple[bytes, bytes]:
    """The source and the target of a pair."""
    pixels = bytearray(random.Random(number).randbytes(_SIDE * _SIDE))  # noqa: S311 - no secret
    source = _png(pixels)
    for place in range(changed(number)):
        pixels[place] ^= 1 + number % 255
    return source, _png(pixels)


def _png(pixels: bytearray) -> bytes:
    file = io.BytesIO()
    Image.frombytes("L", (_SIDE, _SIDE), bytes(pixels)).save(file, "PNG", compress_level=1)
    return file.getvalue()


def name(number: int) -> str:
    """The name of a pair."""
    return f"pages/{number % 100}/{number}.png"


def upload(numbers: Sequence[int]) -> None:
    """Put pairs into the inbox, halves in any order."""
    s3 = boto3.client("s3")

    def put(number: int) -> None:
        halves = list(zip(("source", "target"), images(number), strict=True))
        random.Random(number).shuffle(halves)  # noqa: S311 - no secret
        for half, content in halves:
            s3.put_object(Bucket=INBOX, Key=f"{half}/{name(number)}", Body=content)

    with ThreadPoolExecutor(_UPLOADERS) as pool:
        list(pool.map(put, numbers))


def results() -> Iterator[str]:
    """The keys of all results."""
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=RESULTS, Prefix="results/"):
        yield from (found["Key"] for found in page.get("Contents", []))


class Told:
    """Which pairs events told of, and how often; their queue is emptied as it fills."""

    def __init__(self, queue: str) -> None:
        self.of: Counter[str] = Counter()
        self._queue = queue
        Thread(target=self._listen, daemon=True).start()

    def wait(self, pairs: int, deadline: float) -> None:
        """Wait until so many pairs were told of."""
        while len(self.of) < pairs:
            if time.monotonic() > deadline:
                sys.exit(f"told of {len(self.of)} pairs only when the time was over")
            time.sleep(0.1)

    def _listen(self) -> None:
        sqs = boto3.client("sqs")
        while True:
            found = sqs.receive_message(
                QueueUrl=self._queue, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            for message in found.get("Messages", []):
                self.of[json.loads(message["Body"])["detail"]["name"]] += 1
                sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])


def check(pairs: int, told: Counter[str]) -> None:
    """End unless every pair has one result, which is right, and was told of.

    Events come at least once: how many came again is told.
    """
    s3 = boto3.client("s3")
    keys = Counter(results())
    names = [name(number) for number in range(pairs)]
    expected = {f"results/{each}.{kind}" for each in names for kind in ("json", "png")}
    lost, strange = expected - keys.keys(), keys.keys() - expected
    wrong = 0
    for number, each in enumerate(names):
        found = s3.get_object(Bucket=RESULTS, Key=f"results/{each}.json")["Body"].read()
        wrong += json.loads(found).get("changed_pixels") != changed(number)
    again = sum(told.values()) - len(told)
    print(
        f"lost {len(lost)}, doubled {len(strange)}, wrong {wrong}; "
        f"told of {len(told):,}, again {again}"
    )
    if lost or strange or wrong or told.keys() != set(names):
        sys.exit("not every pair has exactly one result")


@contextmanager
def emulated() -> Iterator[str]:
    """An AWS in this process, whose events of completion are queued."""
    stack = Stack("127.0.0.1", 0)
    # Which of its modules there are it looks up with every request.
    modules = list(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    enter(stack.endpoint, "http://127.0.0.1:1")
    fill()
    sqs, bus = boto3.client("sqs"), boto3.client("events")
    queue = sqs.create_queue(QueueName=_COMPLETED)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    bus.put_rule(Name=_COMPLETED, EventPattern=json.dumps({"source": ["imgdiff"]}))
    bus.put_targets(Rule=_COMPLETED, Targets=[{"Id": "queue", "Arn": attributes["QueueArn"]}])
    try:
        yield queue
    finally:
        stack.stop()


def main() -> None:
    """Put the pairs, wait for their results, and account for them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inbox", description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--minutes", type=float, default=60, help="the longest to wait")
    asked = parser.parse_args()
    pairs: int = asked.pairs

    template = resources()
    function = template["WorkerFunction"]
    seconds = function["Timeout"]
    start = partial(Process, function["Handler"], seconds=seconds)
    workers = Workers(start, seconds=seconds, number=AT_ONCE)
    account = Account(workers)
    with emulated() as queue:
        poller = Poller(
            wire(template),
            account.invoke,
            most=function["Events"]["Inbox"]["Properties"]["BatchSize"],
        )
        told = Told(queue)
        poller.start(AT_ONCE)
        started = time.monotonic()
        deadline = started + 60 * asked.minutes
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as uploader:
            for wave in batched(range(pairs), _WAVE, strict=False):
                uploader.submit(upload, wave).result()
                # What waits in an emulated queue makes it slow, by its square.
                told.wait(wave[0], deadline)
        told.wait(pairs, deadline)
        took = time.monotonic() - started
        worked = processor_seconds()
        check(pairs, told.of)
        poller.stop()
        workers.stop()

    cost = worked / pairs * _GB * _USD_GB_SECOND + account.invocations / pairs * _USD_REQUEST
    print(
        f"{pairs:,} pairs of {_SIDE}x{_SIDE} in {took:.0f} s: {pairs / took:.1f} a second\n"
        f"{account.messages:,} messages in {account.invocations:,} invocations, "
        f"{account.failures} delivered again\n"
        f"{1000 * worked / pairs:.1f} ms of processor time a pair: "
        f"{math.ceil(1e6 * cost * 100) / 100:.2f} USD a million, if nothing had to be waited for"
    )


if __name__ == "__main__":
    main()
