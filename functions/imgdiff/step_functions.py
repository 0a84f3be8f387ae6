"""Executions of a state machine of Step Functions."""

import json
from typing import TYPE_CHECKING, Any

from imgdiff.aws import storage_errors

if TYPE_CHECKING:
    from types_boto3_stepfunctions import SFNClient


class StepFunctions:
    """Executions of one state machine.

    Parameters
    ----------
    client : SFNClient
    state_machine : str
        Its ARN.
    """

    def __init__(self, client: "SFNClient", state_machine: str) -> None:
        self._client = client
        self._state_machine = state_machine

    def start(self, name: str, given: dict[str, Any]) -> None:
        """Start an execution, unless one of that name was started before."""
        try:
            with storage_errors():
                self._client.start_execution(
                    stateMachineArn=self._state_machine, name=name, input=json.dumps(given)
                )
        except self._client.exceptions.ExecutionAlreadyExists:
            pass

    def status(self, name: str) -> str | None:
        """The status of an execution, such as ``RUNNING``; None where there is none."""
        arn = self._state_machine.replace(":stateMachine:", ":execution:")
        try:
            with storage_errors():
                return self._client.describe_execution(executionArn=f"{arn}:{name}")["status"]
        except self._client.exceptions.ExecutionDoesNotExist:
            return None
