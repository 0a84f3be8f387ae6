"""The state machine of batches: moto runs the template's definition, workers its Lambda tasks."""

import json
import logging
from collections.abc import Callable
from typing import Any

import boto3

from local.stack import ACCOUNT, MACHINE, REGION
from local.workers import FunctionFailed

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/imgdiff-batches"


def run(definition: dict[str, Any], invoke: Callable[[dict[str, Any]], Any]) -> None:
    """Create the state machine, its tasks done by ``invoke``.

    It takes seconds, most of them moto's to learn the language.
    """
    from moto.awslambda_simple.models import lambda_simple_backends
    from moto.core.config import default_user_config

    def run_task(
        _name: str, _qualifier: Any, body: str, _headers: Any, told: dict[str, str]
    ) -> bytes:
        try:
            answer = invoke(json.loads(body))
        except FunctionFailed as failed:
            answer = failed.answer
        except TimeoutError:
            answer = {"errorType": "Sandbox.Timedout", "errorMessage": "the task timed out"}
        except (EOFError, OSError):
            answer = {"errorType": "Runtime.ExitError", "errorMessage": "the worker ended"}
        else:
            return json.dumps(answer).encode()
        told["x-amz-function-error"] = "Unhandled"
        return json.dumps(answer).encode()

    # A choice that finds nothing at a path is an error to it, and told at length.
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
    default_user_config["stepfunctions"] = {"execute_state_machine": True}
    # moto's Lambda that needs no Docker has no runtime either: this is one.
    default_user_config["lambda"] = {"use_docker": False}
    lambda_simple_backends[ACCOUNT][REGION].invoke = run_task  # type: ignore[method-assign,assignment]
    boto3.client("stepfunctions").create_state_machine(
        name=MACHINE, definition=json.dumps(runnable(definition)), roleArn=_ROLE
    )


def runnable(definition: dict[str, Any]) -> dict[str, Any]:
    """The definition as far as moto's interpreter knows it.

    It knows no ``ItemBatcher``: each item is made a batch of one. Where a ``ResultWriter`` writes,
    it reads in what the map's items came to, and not in what the map was given.
    """
    compare = dict(definition["States"]["Compare"])
    batcher, _ = compare.pop("ItemBatcher"), compare.pop("ResultWriter")
    compare["ItemSelector"] = {
        "BatchInput": batcher["BatchInput"],
        "Items.$": "States.Array($$.Map.Item.Value)",
    }
    return {**definition, "States": {**definition["States"], "Compare": compare}}
