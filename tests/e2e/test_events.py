"""Every event in ``events/``, answered by the functions as they were built."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from types_boto3_s3 import S3Client

from local import stack
from local.runtime import Function
from tests.e2e.conftest import Runtime, Start
from tests.integration.test_events import STATUSES

EVENTS = {path.stem: path for path in (Path(__file__).parents[2] / "events").glob("*.json")}
WAYS: dict[str, dict[str, Any]] = {"s3": {}, "eventbridge": {}, "sqs": {"batchItemFailures": []}}
TASKS = ("prepare", "compare", "summarise")
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def runtimes(declared: Callable[[str], Function], start: Start) -> Callable[[str], Runtime]:
    """The functions of the template, each started once."""
    running: dict[str, Runtime] = {}

    def of(name: str) -> Runtime:
        if name not in running:
            running[name] = start(declared(name))
        return running[name]

    return of


@pytest.fixture(scope="module", autouse=True)
def what_events_name(aws: dict[str, str]) -> None:
    """The state machine, the pair and the batch that events tell of."""
    del aws
    boto3.client("stepfunctions").create_state_machine(
        name=stack.MACHINE,
        definition=json.dumps({"StartAt": "Any", "States": {"Any": {"Type": "Pass", "End": True}}}),
        roleArn=f"arn:aws:iam::{stack.ACCOUNT}:role/any",
    )
    s3 = boto3.client("s3")
    for side in ("source", "target"):
        file = (SAMPLES / f"page-{side}.png").read_bytes()
        s3.put_object(Bucket=stack.INBOX, Key=f"{side}/page.png", Body=file)
    event = load("batch-compare")
    lines = [json.dumps(item) for item in event["items"] if "src" in item]
    s3.put_object(Bucket=stack.INBOX, Key="batches/example.jsonl", Body="\n".join([*lines, "{"]))
    current = json.dumps({"run": event["batch"]["run"], "modified": ""})
    s3.put_object(Bucket=stack.RESULTS, Key="batches/example/run.json", Body=current)


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(EVENTS[name].read_text())
    return event


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_a_request(runtimes: Callable[[str], Runtime], name: str, status: int) -> None:
    reply = runtimes("ApiFunction").invoke(load(name))

    assert reply["statusCode"] == status
    assert reply["headers"]["x-request-id"]


@pytest.mark.parametrize(("way", "answer"), WAYS.items())
def test_a_pair(
    runtimes: Callable[[str], Runtime], s3: S3Client, way: str, answer: dict[str, Any]
) -> None:
    result = {"Bucket": stack.RESULTS, "Key": "results/page.png.json"}
    s3.delete_object(**result)  # type: ignore[arg-type]

    assert runtimes("WorkerFunction").invoke(load(f"worker-{way}")) == answer
    told = json.loads(s3.get_object(**result)["Body"].read())  # type: ignore[arg-type]
    assert (told["status"], told["changed_pixels"]) == (200, 10_352)


def test_the_tasks_of_a_batch(runtimes: Callable[[str], Runtime]) -> None:
    prepared, compared, summed_up = (
        runtimes("BatchFunction").invoke(load(f"batch-{task}")) for task in TASKS
    )

    assert prepared["total"] == 3
    assert compared["items"] == []
    assert summed_up == {"total": 3, "done": 2, "failed": 1}


def test_every_event_is_known() -> None:
    assert EVENTS.keys() == {
        *STATUSES,
        *(f"worker-{way}" for way in WAYS),
        *(f"batch-{task}" for task in TASKS),
    }
