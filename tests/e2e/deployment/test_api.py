"""The deployed HTTP API: every route, with what the functions reach behind it."""

import json
import re
from typing import Any

import pytest

from imgdiff.engine import compare
from imgdiff.engine.options import Options
from tests.e2e.deployment.deployed import Deployed, until
from tests.local.service import ROOT

SOURCE, TARGET = (
    (ROOT / "samples" / f"page-{half}.png").read_bytes() for half in ("source", "target")
)
FIGURES = ("diff", "mse", "changed_pixels", "bbox", "width", "height")


@pytest.fixture(scope="module")
def pair(stack: Deployed) -> dict[str, str]:
    return {"src": stack.store(SOURCE), "target": stack.store(TARGET)}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    comparison = compare(
        lambda: SOURCE,
        lambda: TARGET,
        mask=None,
        options=Options(),
        max_pixels=25_000_000,
        names=("src", "target"),
    )
    told: dict[str, Any] = json.loads(
        json.dumps({name: getattr(comparison, name) for name in FIGURES})
    )
    return told


def figures(reply: dict[str, Any]) -> dict[str, Any]:
    return {name: reply[name] for name in FIGURES}


ROUTES = {
    ("GET", "/imgdiff"): 401,
    ("POST", "/imgdiff"): 401,
    ("POST", "/store"): 401,
    ("GET", "/resize"): 401,
    ("POST", "/resize"): 401,
    ("GET", "/crop"): 401,
    ("POST", "/crop"): 401,
    ("POST", "/batches"): 400,
    ("GET", "/batches/{id}"): 401,
    ("GET", "/media/{id}"): 404,
    ("GET", "/health"): 200,
    ("GET", "/openapi.json"): 200,
    ("GET", "/"): 200,
}


def test_all_that_the_stack_tells_of_is_there(stack: Deployed) -> None:
    told, aws = {**stack.outputs}, stack.aws
    assert told.pop("ApiUrl").startswith(f"https://{stack.resources['Api']}.execute-api.")
    for function in ("ApiFunctionName", "WorkerFunctionArn"):
        assert aws.client("lambda").get_function(FunctionName=told.pop(function))
    for bucket in ("MediaBucketName", "InboxBucketName", "ResultsBucketName"):
        assert aws.client("s3").head_bucket(Bucket=told.pop(bucket))
    for queue in ("InboxQueueUrl", "InboxDeadLettersUrl"):
        assert aws.client("sqs").get_queue_attributes(QueueUrl=told.pop(queue))
    assert aws.client("dynamodb").describe_table(TableName=told.pop("KeysTableName"))
    machine = told.pop("BatchStateMachineArn")
    assert aws.client("stepfunctions").describe_state_machine(stateMachineArn=machine)
    dashboard = told.pop("DashboardUrl").partition("#dashboards:name=")[2]
    assert aws.client("cloudwatch").get_dashboard(DashboardName=dashboard)
    assert not told


def test_each_route_reaches_the_function_under_its_own_name(stack: Deployed) -> None:
    called = {}
    for (method, path), status in ROUTES.items():
        reply = stack.call(method, path.replace("{id}", "0" * 32 + ".png"), key="")
        assert reply.status_code == status, (method, path, reply.text)
        called[reply.headers["x-request-id"]] = f"{method} {path}"

    assert until(lambda: answered(stack, called.keys())) == called


def answered(stack: Deployed, requests: Any) -> dict[str, str] | None:
    """The route of each of these requests, as the function logged it, once all are there."""
    logs = stack.aws.client("logs")
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=stack.resources["ApiLogs"]
    )
    lines = [event["message"] for page in pages for event in page["events"]]
    told = [json.loads(line) for line in lines if re.match(r'\{.*"route"', line)]
    found = {each["correlation_id"]: each["route"] for each in told}
    return {each: found[each] for each in requests} if requests <= found.keys() else None


def test_what_has_no_route_is_answered_in_the_services_own_shape(stack: Deployed) -> None:
    nowhere = stack.call("GET", "/nothing")
    assert (nowhere.status_code, nowhere.json()["status"]) == (404, 404)
    assert stack.call("DELETE", "/imgdiff").status_code == 405


def test_uploads_are_compared_as_on_this_machine(stack: Deployed, expected: dict[str, Any]) -> None:
    reply = stack.call("POST", "/imgdiff", files={"src": SOURCE, "target": TARGET}).json()

    assert reply["status"] == 200
    assert figures(reply) == expected


def test_links_are_compared_and_the_picture_is_stored(
    stack: Deployed, pair: dict[str, str], expected: dict[str, Any]
) -> None:
    reply = stack.call("GET", "/imgdiff", params=pair).json()
    blob = stack.call("GET", "/imgdiff", params=pair | {"blob": "true"})

    assert figures(reply) == expected
    assert blob.headers["content-type"] == "image/png"
    assert float(blob.headers["x-imgdiff-diff"]) == reply["diff"]
    assert stack.aws.get(stack.presigned(reply["link"])).content == blob.content


def test_images_are_resized_and_cropped(stack: Deployed, pair: dict[str, str]) -> None:
    size = {"img": pair["src"], "width": "32", "height": "16"}
    for path, more in (("/resize", {}), ("/crop", {"x": "4", "y": "2"})):
        reply = stack.call("GET", path, params=size | more).json()
        assert (reply["status"], reply["width"], reply["height"]) == (200, 32, 16), reply


@pytest.mark.parametrize("key", ["", "imgdiff_unknown"])
def test_who_has_no_key_is_refused(stack: Deployed, key: str) -> None:
    assert stack.call("GET", "/imgdiff", key=key).status_code == 401


def test_a_key_is_good_for_as_many_requests_as_it_was_made_for(stack: Deployed) -> None:
    key = stack.create_key("twice", "--per-day", "2")
    statuses = [stack.call("GET", "/imgdiff", key=key).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]


def test_what_is_no_image_is_refused(stack: Deployed, pair: dict[str, str]) -> None:
    gone = re.sub("[0-9a-f]{32}", "0" * 32, pair["src"])
    text = stack.call("POST", "/store", files={"file": b"This is a text."})
    assert text.status_code == 415
    assert stack.call("GET", "/imgdiff", params=pair | {"src": gone}).status_code == 404


def test_an_address_of_the_functions_own_machine_is_not_fetched(stack: Deployed) -> None:
    address = {"src": "http://127.0.0.1/", "target": "http://127.0.0.1/"}
    assert stack.call("GET", "/imgdiff", params=address).status_code == 400
