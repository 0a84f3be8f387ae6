"""Every event in ``events/``, answered by the functions as they were built."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from types_boto3_s3 import S3Client

from local import stack
from local.runtime import Function
from tests.e2e.conftest import Runtime, Start
from tests.integration.conftest import EVENTS, load
from tests.integration.test_events import STATUSES

WAYS: dict[str, dict[str, Any]] = {"s3": {}, "eventbridge": {}, "sqs": {"batchItemFailures": []}}
TASKS = ("prepare", "compare", "summarise")

pytestmark = pytest.mark.usefixtures("what_events_name")


@pytest.fixture(scope="module")
def runtimes(declared: Callable[[str], Function], start: Start) -> Callable[[str], Runtime]:
    """The functions of the template, each started once."""
    running: dict[str, Runtime] = {}

    def of(name: str) -> Runtime:
        if name not in running:
            running[name] = start(declared(name))
        return running[name]

    return of


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
    assert {path.stem for path in EVENTS.glob("*.json")} == {
        *STATUSES,
        *(f"worker-{way}" for way in WAYS),
        *(f"batch-{task}" for task in TASKS),
    }
