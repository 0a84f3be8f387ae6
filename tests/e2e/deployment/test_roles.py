"""What the deployed roles may do, and what they are denied: real calls with their credentials."""

from functools import cache
from typing import Any, NamedTuple, Protocol

import pytest
from botocore.exceptions import ClientError

from tests.e2e.deployment.deployed import STACK, Deployed
from tests.e2e.deployment.ministack import ACCOUNT, REGION

API, WORKER, BATCH, MACHINE = "ApiRole", "WorkerRole", "BatchRole", "BatchStateMachineRole"
DENIED = {"AccessDenied", "AccessDeniedException"}


class Call(NamedTuple):
    """A call that a role tries; what it names of the stack's is in braces."""

    service: str
    operation: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        told = (str(value) for value in self.arguments.values() if isinstance(value, str))
        return f"{self.operation}({','.join(told)})"


class Attempt(Protocol):
    def __call__(self, role: str, call: Call, *, plain: bool = False) -> str: ...


def read(bucket: str, key: str) -> Call:
    return Call("s3", "get_object", {"Bucket": f"{{{bucket}}}", "Key": key})


def write(bucket: str, key: str) -> Call:
    return Call("s3", "put_object", {"Bucket": f"{{{bucket}}}", "Key": key, "Body": b""})


def delete(bucket: str, key: str) -> Call:
    return Call("s3", "delete_object", {"Bucket": f"{{{bucket}}}", "Key": key})


def listing(bucket: str) -> Call:
    return Call("s3", "list_objects_v2", {"Bucket": f"{{{bucket}}}"})


def keys(operation: str) -> Call:
    table = {"TableName": "{KeysTable}"}
    key = {} if operation == "scan" else {"Key": {"key_sha256": {"S": "none"}}}
    return Call("dynamodb", operation, table | key)


def invoke(function: str, version: str = "") -> Call:
    return Call(
        "lambda", "invoke", {"FunctionName": f"{{{function}}}{version}", "InvocationType": "DryRun"}
    )


def queue(operation: str, **more: str) -> Call:
    return Call("sqs", operation, {"QueueUrl": "{InboxQueue}", **more})


# It fails at once, as its input is no batch; whoever starts it next is told that it is there.
START = Call(
    "stepfunctions",
    "start_execution",
    {"stateMachineArn": "{BatchStateMachine}", "name": "denied", "input": "none"},
)
TELL = Call(
    "events",
    "put_events",
    {"Entries": [{"Source": "imgdiff", "DetailType": "e2e", "Detail": "{}"}]},
)
FOLLOW = Call(
    "stepfunctions",
    "describe_execution",
    {"executionArn": f"arn:aws:states:{REGION}:{ACCOUNT}:execution:{STACK}-batches:none"},
)
SEND = queue("send_message", MessageBody="none")
RECEIVE = queue("receive_message")

ALLOWED = {
    API: [
        read("MediaBucket", "media/none"),
        write("MediaBucket", "media/e2e"),
        listing("MediaBucket"),
        read("ResultsBucket", "results/none"),
        read("ResultsBucket", "buckets/none"),
        read("ResultsBucket", "batches/none"),
        write("ResultsBucket", "batches/e2e"),
        listing("ResultsBucket"),
        keys("get_item"),
        keys("update_item"),
        START,
        FOLLOW,
    ],
    WORKER: [
        read("InboxBucket", "source/none"),
        listing("InboxBucket"),
        read("ResultsBucket", "results/none"),
        read("ResultsBucket", "buckets/none"),
        read("ResultsBucket", "batches/none"),
        write("ResultsBucket", "results/e2e"),
        write("ResultsBucket", "buckets/e2e"),
        write("ResultsBucket", "batches/e2e"),
        delete("ResultsBucket", "results/e2e"),
        delete("ResultsBucket", "buckets/e2e"),
        listing("ResultsBucket"),
        RECEIVE,
        queue("get_queue_attributes"),
        START,
        TELL,
    ],
    BATCH: [
        read("InboxBucket", "source/none"),
        listing("InboxBucket"),
        read("MediaBucket", "media/none"),
        listing("MediaBucket"),
        read("ResultsBucket", "buckets/none"),
        read("ResultsBucket", "batches/none"),
        read("ResultsBucket", "results/none"),
        write("ResultsBucket", "batches/e2e"),
        write("ResultsBucket", "results/e2e"),
        listing("ResultsBucket"),
        keys("get_item"),
    ],
    MACHINE: [
        invoke("BatchFunction", ":1"),
        read("ResultsBucket", "batches/e2e"),
        write("ResultsBucket", "batches/e2e"),
        START,
        FOLLOW,
    ],
}
FORBIDDEN = {
    API: [
        read("MediaBucket", "other/none"),
        write("MediaBucket", "other/e2e"),
        delete("MediaBucket", "media/e2e"),
        read("InboxBucket", "source/none"),
        write("InboxBucket", "source/e2e"),
        write("ResultsBucket", "results/e2e"),
        delete("ResultsBucket", "batches/e2e"),
        keys("delete_item"),
        keys("scan"),
        invoke("BatchFunction"),
        SEND,
        RECEIVE,
        TELL,
    ],
    WORKER: [
        write("InboxBucket", "source/e2e"),
        delete("InboxBucket", "source/e2e"),
        read("MediaBucket", "media/none"),
        write("MediaBucket", "media/e2e"),
        write("ResultsBucket", "other/e2e"),
        delete("ResultsBucket", "batches/e2e"),
        keys("get_item"),
        invoke("ApiFunction"),
        SEND,
        FOLLOW,
    ],
    BATCH: [
        write("InboxBucket", "source/e2e"),
        write("MediaBucket", "media/e2e"),
        write("ResultsBucket", "buckets/e2e"),
        delete("ResultsBucket", "results/e2e"),
        keys("update_item"),
        keys("scan"),
        invoke("BatchFunction"),
        START,
        RECEIVE,
        TELL,
    ],
    MACHINE: [
        invoke("ApiFunction", ":1"),
        invoke("WorkerFunction", ":1"),
        read("MediaBucket", "media/none"),
        read("InboxBucket", "source/none"),
        read("ResultsBucket", "results/none"),
        delete("ResultsBucket", "batches/e2e"),
        keys("get_item"),
        TELL,
    ],
}


def listed(table: dict[str, list[Call]]) -> list[Any]:
    return [
        pytest.param(role, call, id=f"{role}-{call}")
        for role, calls in table.items()
        for call in calls
    ]


@pytest.fixture(scope="module")
def attempt(stack: Deployed) -> Attempt:
    """Try a call as a role: the code of the error, nothing where there is none."""
    session = cache(stack.session)

    def attempt(role: str, call: Call, *, plain: bool = False) -> str:
        client = stack.aws.client(call.service, session(role), plain=plain)
        named = {
            name: value.format_map(stack.resources) if isinstance(value, str) else value
            for name, value in call.arguments.items()
        }
        try:
            getattr(client, call.operation)(**named)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return ""

    return attempt


@pytest.mark.parametrize(("role", "call"), listed(ALLOWED))
def test_a_role_may(attempt: Attempt, role: str, call: Call) -> None:
    assert attempt(role, call) in {
        "",
        "NoSuchKey",
        "ExecutionAlreadyExists",
        "ExecutionDoesNotExist",
    }


@pytest.mark.parametrize(("role", "call"), listed(FORBIDDEN))
def test_a_role_is_denied(attempt: Attempt, role: str, call: Call) -> None:
    assert attempt(role, call) in DENIED


@pytest.mark.parametrize(
    ("role", "call"),
    [
        (API, listing("MediaBucket")),
        (WORKER, listing("InboxBucket")),
        (API, listing("ResultsBucket")),
        (WORKER, RECEIVE),
    ],
    ids=["media", "inbox", "results", "queue"],
)
def test_what_a_role_may_it_may_over_tls_alone(attempt: Attempt, role: str, call: Call) -> None:
    assert attempt(role, call) == ""
    assert attempt(role, call, plain=True) in DENIED
