"""What the functions tell CloudWatch, as their log has it at Lambda's runtime."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from local import stack
from local.runtime import Function
from tests.e2e.conftest import Json, Start
from tests.integration.conftest import load
from tests.integration.test_events import STATUSES
from tests.template.test_operations import COMPARISON, EMITTED

FUNCTIONS = {"api": "ApiFunction", "worker": "WorkerFunction", "batch": "BatchFunction"}
# What EMF takes of one metric's values.
MOST_VALUES = 100

pytestmark = pytest.mark.usefixtures("what_events_name")


def requests() -> list[Json]:
    return [load(name) for name in sorted(STATUSES)]


def pairs() -> list[Json]:
    """A pair that differs, one that does not, and one of no images."""
    page = boto3.client("s3").get_object(Bucket=stack.INBOX, Key="source/page.png")["Body"].read()
    events = [load("worker-s3")]
    for name, content in (("same.png", page), ("none.png", b"none")):
        for side in ("source", "target"):
            boto3.client("s3").put_object(Bucket=stack.INBOX, Key=f"{side}/{name}", Body=content)
        event = load("worker-s3")
        event["Records"][0]["s3"]["object"]["key"] = f"target/{name}"
        events.append(event)
    return events


def lines() -> list[Json]:
    """The same three of a batch, and as many more as a piece of one has."""
    compare = load("batch-compare")
    page = compare["items"][0]
    same = {**page, "line": 4, "target": page["src"]}
    more = [{**same, "line": line, "style": "none"} for line in range(5, 51)]
    return [{**compare, "items": [*compare["items"], same, *more]}]


def told(log: str) -> Iterator[Json]:
    """The records of metrics in a log."""
    return (json.loads(line) for line in log.splitlines() if line.startswith('{"_aws"'))


def declared_in(record: Json) -> dict[str, Any]:
    [declared] = record["_aws"]["CloudWatchMetrics"]
    assert (declared["Namespace"], declared["Dimensions"]) == ("imgdiff", [["service"]])
    return {metric["Name"]: record[metric["Name"]] for metric in declared["Metrics"]}


@pytest.mark.parametrize(
    ("service", "events"), [("api", requests), ("worker", pairs), ("batch", lines)]
)
def test_a_function_emits_what_is_said_of_it_and_no_more(
    declared: Callable[[str], Function],
    start: Start,
    service: str,
    events: Callable[[], list[Json]],
) -> None:
    function = start(declared(FUNCTIONS[service]))
    for event in events():
        function.invoke(event)
    records = list(told(function.log))
    found = [declared_in(record) for record in records]

    assert {record["service"] for record in records} == {f"imgdiff-{service}"}
    assert {name for metrics in found for name in metrics} == EMITTED[service]
    assert [metrics["ColdStarts"] for metrics in found if "ColdStarts" in metrics] == [[1]]
    for metrics in found:
        assert all(len(values) <= MOST_VALUES for values in metrics.values())
        assert all(value >= 0 for values in metrics.values() for value in values)


def test_the_stages_of_a_comparison(declared: Callable[[str], Function], start: Start) -> None:
    function = start(declared("ApiFunction"))
    reply = json.loads(function.invoke(load("imgdiff"))["body"])
    [record] = told(function.log)
    values = declared_in(record)
    assert f'"function_request_id":"{record["function_request_id"]}"' in function.log
    counts = {name: len(values[name]) for name in COMPARISON}

    assert counts == dict.fromkeys(COMPARISON, 1) | {"ReadMilliseconds": 2, "BytesRead": 2}
    assert values["Diff"] == [reply["diff"]]
    assert min(values["BytesRead"]) > 10_000
    assert 0 < values["CompareMilliseconds"][0] < 60_000


def test_nothing_of_a_caller_is_told(declared: Callable[[str], Function], start: Start) -> None:
    function = start(declared("ApiFunction"))
    for event in requests():
        function.invoke(event)

    assert stack.KEY not in function.log
    assert "000000000000001.png" not in function.log
