"""What the stack is watched by: a dashboard, alarms of metrics that there are, and a runbook."""

import itertools
import json
import re
from typing import Any

import pytest

from imgdiff.telemetry import UNITS
from tests.stack import TEMPLATE
from tests.template.test_template import Stack, of_type, properties

RUNBOOK = (TEMPLATE.parent / "docs" / "operations.md").read_text()
STAGES = {"ReadMilliseconds", "CompareMilliseconds", "StoreMilliseconds"}
COMPARISON = {"ColdStarts", *STAGES, "BytesRead", "BytesWritten", "Diff"}
VERDICTS = {"Identical", "Different", "Error"}
# What each function emits; tests/e2e holds it against the functions as they run.
EMITTED = {
    "api": {
        *COMPARISON,
        *("KeyMilliseconds", "Requests", "Errors"),
        *("Imgdiff", "Store", "Resize", "Crop", "Batches"),
    },
    "worker": {*COMPARISON, *VERDICTS, "Events"},
    "batch": {*COMPARISON, *VERDICTS, "Tasks"},
}
# Those of AWS's own that are used here, by namespace: their names and dimensions.
OF_AWS = {
    "AWS/ApiGateway": (
        {"Count", "4xx", "5xx", "Latency", "IntegrationLatency", "DataProcessed"},
        ("ApiId",),
    ),
    "AWS/DynamoDB": ({"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"}, ("TableName",)),
    "AWS/Events": ({"InvocationsFailedToBeSentToDlq"}, ("RuleName",)),
    "AWS/Lambda": (
        {"ConcurrentExecutions", "Duration", "Errors", "Invocations", "Throttles"},
        ("FunctionName",),
    ),
    "AWS/Logs": ({"IncomingBytes"}, ("LogGroupName",)),
    "AWS/S3": ({"BucketSizeBytes"}, ("BucketName", "StorageType")),
    "AWS/SQS": (
        {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
        ("QueueName",),
    ),
    "AWS/States": (
        {
            *("ExecutionsStarted", "ExecutionsSucceeded"),
            *("ExecutionsFailed", "ExecutionsTimedOut"),
        },
        ("StateMachineArn",),
    ),
}
OWNERS = {
    "ApiId": {"Api"},
    "TableName": {"KeysTable"},
    "FunctionName": {"ApiFunction", "WorkerFunction", "BatchFunction"},
    "LogGroupName": {
        *("ApiLogs", "WorkerLogs", "BatchLogs", "AccessLogs", "BatchStateMachineLogs"),
    },
    "BucketName": {"MediaBucket", "InboxBucket", "ResultsBucket"},
    "QueueName": {"InboxQueue.QueueName", "InboxDeadLetters.QueueName"},
    "StateMachineArn": {"BatchStateMachine"},
}


@pytest.fixture(scope="module")
def widgets(stack: Stack) -> list[dict[str, Any]]:
    body = properties(stack, "Dashboard")["DashboardBody"]["Fn::Sub"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def rows(widgets: list[dict[str, Any]]) -> list[list[Any]]:
    return [row for widget in widgets for row in widget["properties"].get("metrics", ())]


def shown(widgets: list[dict[str, Any]]) -> list[tuple[str, str, dict[str, str]]]:
    """The metrics of a dashboard: namespace, name, dimensions."""
    found = []
    for row in rows(widgets):
        texts = [each for each in row if isinstance(each, str)]
        if texts:
            namespace, name, *dimensions = texts
            found.append(
                (namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
            )
    return found


def test_the_dashboard_has_a_place_for_every_widget(widgets: list[dict[str, Any]]) -> None:
    places = [
        {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        for widget in widgets
    ]

    assert max(x for place in places for x, _ in place) == 23
    assert not any(one & other for one, other in itertools.combinations(places, 2))
    assert len({widget["properties"]["title"] for widget in widgets}) == len(widgets)


def test_the_dashboard_shows_metrics_that_there_are(widgets: list[dict[str, Any]]) -> None:
    for namespace, name, dimensions in shown(widgets):
        if namespace == "imgdiff":
            [(dimension, service)] = dimensions.items()
            assert dimension == "service"
            assert name in EMITTED[service.removeprefix("${AWS::StackName}-")], service
            continue
        names, needed = OF_AWS[namespace]
        assert name in names
        assert tuple(dimensions) == needed
        assert dimensions[needed[0]].strip("${}") in OWNERS[needed[0]]


def test_the_dashboard_shows_every_stage_and_what_costs(widgets: list[dict[str, Any]]) -> None:
    own = {
        (name, dimensions["service"].rpartition("-")[2])
        for namespace, name, dimensions in shown(widgets)
        if namespace == "imgdiff"
    }
    told = {(name, service) for service, names in EMITTED.items() for name in names}

    # How often a function is called, Lambda's own metrics tell.
    assert told - own == {("Requests", "api"), ("Events", "worker"), ("Tasks", "batch")}
    assert {name for names, _ in OF_AWS.values() for name in names} == {
        *(name for namespace, name, _ in shown(widgets) if namespace != "imgdiff"),
        "InvocationsFailedToBeSentToDlq",
    }


def test_the_dashboard_shows_every_alarm(stack: Stack, widgets: list[dict[str, Any]]) -> None:
    [alarms] = [widget for widget in widgets if widget["type"] == "alarm"]

    assert set(alarms["properties"]["alarms"]) == {
        f"${{{name}.Arn}}" for name in of_type(stack, "AWS::CloudWatch::Alarm")
    }


def test_an_expression_is_of_metrics_beside_it(widgets: list[dict[str, Any]]) -> None:
    expressions = 0
    for widget in widgets:
        options = [row[-1] for row in rows([widget]) if isinstance(row[-1], dict)]
        ids = {option["id"] for option in options if "id" in option}
        for option in options:
            if "expression" in option:
                expressions += 1
                assert option["expression"].split()[0] in ids
    assert expressions == 3


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("api", "ApiFunction"),
        ("worker", "WorkerFunction"),
        ("batch", "BatchFunction"),
    ],
)
def test_a_function_tells_its_metrics_from_those_of_others(
    stack: Stack, name: str, function: str
) -> None:
    variables = properties(stack, function)["Environment"]["Variables"]

    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "imgdiff"
    assert variables["POWERTOOLS_SERVICE_NAME"] == {"Fn::Sub": f"${{AWS::StackName}}-{name}"}


def test_an_alarm_is_of_a_metric_that_there_is(stack: Stack) -> None:
    for alarm in of_type(stack, "AWS::CloudWatch::Alarm").values():
        watched = alarm["Properties"]
        names, needed = OF_AWS[watched["Namespace"]]
        assert watched["MetricName"] in names
        assert tuple(each["Name"] for each in watched["Dimensions"]) == needed


# The runbook


def test_the_runbook_knows_every_alarm_and_no_other(stack: Stack) -> None:
    told = set(re.findall(r"^### `(\w+)`$", RUNBOOK, re.MULTILINE))

    assert told == of_type(stack, "AWS::CloudWatch::Alarm").keys()


@pytest.mark.parametrize("name", sorted(set().union(*EMITTED.values())))
def test_the_runbook_explains_every_metric(name: str) -> None:
    assert f"`{name}`" in RUNBOOK


def test_every_figure_that_stages_note_has_a_unit() -> None:
    noted = COMPARISON | {"KeyMilliseconds"}

    assert UNITS.keys() == noted
