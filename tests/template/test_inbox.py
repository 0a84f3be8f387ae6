"""The way of a pair through the stack, and the guard against a loop."""

import json
from typing import Any

import pytest

from tests.stack import TEMPLATE, transform
from tests.template.test_template import (
    ALLOWED,
    Stack,
    as_list,
    of_type,
    properties,
    statements,
    target,
)


def definition(stack: Stack) -> dict[str, Any]:
    """The state machine, with the names of resources in place of their ARNs."""
    machine = properties(stack, "BatchStateMachine")
    text = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        text = text.replace(f"${{{name}}}", target(value))
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def states(node: Any) -> list[dict[str, Any]]:
    """Every state of a machine, those of its maps included."""
    found = []
    for state in node["States"].values():
        found.append(state)
        if "ItemProcessor" in state:
            found += states(state["ItemProcessor"])
    return found


# Nothing that is written here is ever taken for something that came in


def test_the_inbox_alone_tells_of_what_is_put_into_it(stack: Stack) -> None:
    telling = {
        name: bucket["Properties"]["NotificationConfiguration"]
        for name, bucket in of_type(stack, "AWS::S3::Bucket").items()
        if "NotificationConfiguration" in bucket["Properties"]
    }

    assert telling == {"InboxBucket": {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}}


def test_one_rule_takes_what_is_told_and_of_the_inbox_alone(stack: Stack) -> None:
    [rule] = of_type(stack, "AWS::Events::Rule").values()

    assert rule["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": {"name": [{"Ref": "InboxBucket"}]},
            "object": {
                "key": [{"prefix": "source/"}, {"prefix": "target/"}, {"prefix": "batches/"}]
            },
        },
    }


@pytest.mark.parametrize("role", ALLOWED)
def test_no_role_may_write_the_inbox(stack: Stack, role: str) -> None:
    for statement in statements(stack, role):
        into = [target(resource) for resource in as_list(statement["Resource"])]
        if any(resource.startswith("${InboxBucket") or resource == "*" for resource in into):
            reading = {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}
            actions = {each for each in as_list(statement["Action"]) if each.startswith("s3:")}
            assert actions <= reading


# The queue


def test_what_comes_in_is_queued_and_what_fails_is_kept(stack: Stack) -> None:
    [rule] = of_type(stack, "AWS::Events::Rule").values()
    [to] = rule["Properties"]["Targets"]
    queue = properties(stack, "InboxQueue")
    dead = properties(stack, "InboxDeadLetters")

    assert target(to["Arn"]) == "${InboxQueue.Arn}"
    assert target(to["DeadLetterConfig"]["Arn"]) == "${InboxDeadLetters.Arn}"
    assert target(queue["RedrivePolicy"]["deadLetterTargetArn"]) == "${InboxDeadLetters.Arn}"
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    assert queue["SqsManagedSseEnabled"]
    assert dead["SqsManagedSseEnabled"]
    # A dead letter's age counts from when it was queued first.
    assert queue["MessageRetentionPeriod"] == 4 * 24 * 60 * 60
    assert dead["MessageRetentionPeriod"] == 14 * 24 * 60 * 60


def test_a_message_stays_hidden_for_six_times_the_functions_time(stack: Stack) -> None:
    timeout = properties(stack, "WorkerFunction")["Timeout"]

    assert properties(stack, "InboxQueue")["VisibilityTimeout"] == 6 * timeout


def test_the_rule_alone_may_send_and_over_tls_alone(stack: Stack) -> None:
    policy = properties(stack, "InboxQueuePolicy")
    [allow, deny] = policy["PolicyDocument"]["Statement"]
    queues = {"${InboxQueue.Arn}", "${InboxDeadLetters.Arn}"}

    assert policy["Queues"] == [{"Ref": "InboxQueue"}, {"Ref": "InboxDeadLetters"}]
    assert (allow["Effect"], allow["Action"]) == ("Allow", "sqs:SendMessage")
    assert allow["Principal"] == {"Service": "events.amazonaws.com"}
    assert target(allow["Condition"]["ArnEquals"]["aws:SourceArn"]) == "${InboxRule.Arn}"
    assert (deny["Effect"], deny["Action"], deny["Principal"]) == ("Deny", "sqs:*", "*")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": False}}
    for statement in (allow, deny):
        assert {target(resource) for resource in statement["Resource"]} == queues


def test_the_worker_takes_messages_as_told_and_returns_those_that_fail() -> None:
    stack = transform(TEMPLATE, WorkerConcurrency="7")
    [mapping] = of_type(stack, "AWS::Lambda::EventSourceMapping").values()

    assert mapping["Properties"] == {
        "BatchSize": 10,
        "EventSourceArn": {"Fn::GetAtt": ["InboxQueue", "Arn"]},
        "FunctionName": {"Ref": "WorkerFunctionAliaslive"},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": "7"},
    }


# Batches


def test_the_state_machine_has_the_name_that_its_arn_is_made_of(stack: Stack) -> None:
    machine = properties(stack, "BatchStateMachine")
    name = machine["StateMachineName"]["Fn::Sub"]

    for function in ("ApiFunction", "WorkerFunction", "BatchFunction"):
        variables = properties(stack, function)["Environment"]["Variables"]
        assert target(variables["BATCH_STATE_MACHINE"]).endswith(f":stateMachine:{name}")


def test_a_batch_is_compared_in_pieces_as_many_at_once_as_told() -> None:
    stack = transform(TEMPLATE, BatchConcurrency="12", BatchToleratedFailurePercentage="34")
    machine = definition(stack)
    limits, compare = machine["States"]["Limits"], machine["States"]["Compare"]

    assert limits["Parameters"] == {
        "concurrency.$": "States.StringToJson('12')",
        "tolerated.$": "States.StringToJson('34')",
    }
    assert compare["MaxConcurrencyPath"] == "$.limits.concurrency"
    assert compare["ToleratedFailurePercentagePath"] == "$.limits.tolerated"
    assert compare["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
    # A state's input is 256 KiB at most, of which the batch and its item's frame take some.
    assert compare["ItemBatcher"]["MaxInputBytesPerBatch"] <= 200_000
    assert compare["ItemBatcher"]["MaxItemsPerBatch"] == 50
    assert compare["ResultWriter"]["Parameters"]["Bucket"] == "${ResultsBucket}"


def test_a_task_and_its_repetitions_end_before_the_batch_does(stack: Stack) -> None:
    timeout = properties(stack, "BatchFunction")["Timeout"]
    machine = definition(stack)
    attempts = max(
        1 + retry["MaxAttempts"] for state in states(machine) for retry in state.get("Retry", ())
    )

    assert attempts * timeout < machine["TimeoutSeconds"]


def test_a_batch_is_summed_up_whatever_became_of_its_pieces(stack: Stack) -> None:
    compare = definition(stack)["States"]["Compare"]

    assert compare["Next"] == "Summarise"
    assert compare["Catch"] == [
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "Summarise"}
    ]


def test_every_task_is_the_batch_functions_and_tried_again_when_lambda_fails(
    stack: Stack,
) -> None:
    tasks = [state for state in states(definition(stack)) if state["Type"] == "Task"]

    assert {task["Parameters"]["Payload"]["task"] for task in tasks} == {
        "prepare",
        "compare",
        "summarise",
    }
    for task in tasks:
        # A batch ends with the version that it began with, whatever is deployed meanwhile.
        assert task["Parameters"]["FunctionName"].startswith("${BatchFunctionVersion")
        [retry] = task["Retry"]
        assert set(retry["ErrorEquals"]) == {
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.ServiceException",
            "Lambda.TooManyRequestsException",
            "StorageUnavailable",
        }
        assert (retry["JitterStrategy"], retry["MaxAttempts"]) == ("FULL", 6)
