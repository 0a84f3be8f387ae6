"""The built stack, deployed to MiniStack by ``sam deploy``."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from local.batches import runnable
from local.runtime import ARCHITECTURE
from tests.e2e.deployment.ministack import MiniStack
from tests.local.service import ROOT

STACK = "imgdiff"
_INTEGRATION = re.compile(r"/functions/\$\{(\w+)(?:\.Arn)?\}/invocations$")


def until[Found](find: Callable[[], Found | None]) -> Found:
    """Wait for something to be found."""
    by = time.monotonic() + 60
    while time.monotonic() < by:
        if found := find():
            return found
        time.sleep(0.2)
    raise TimeoutError


@dataclass(frozen=True)
class Deployed:
    """A deployed stack.

    Attributes
    ----------
    aws : MiniStack
        Where it is.
    name : str
    """

    aws: MiniStack
    name: str = STACK

    @cached_property
    def outputs(self) -> dict[str, str]:
        """What the stack tells of itself."""
        cloudformation = self.aws.client("cloudformation")
        [stack] = cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    @cached_property
    def resources(self) -> dict[str, str]:
        """Names or ARNs of its resources, by what the template calls them."""
        cloudformation = self.aws.client("cloudformation")
        found = cloudformation.describe_stack_resources(StackName=self.name)["StackResources"]
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found}

    @cached_property
    def key(self) -> str:
        """A key without a quota."""
        return self.create_key("e2e")

    def create_key(self, name: str, *options: str) -> str:
        """Make a key, as ``make key-create`` does."""
        return self.run("tools.keys", "create", "--name", name, *options).strip()

    def run(self, module: str, *arguments: str) -> str:
        """Run a tool on the stack and answer what it says."""
        return subprocess.check_output(
            [sys.executable, "-m", module, *arguments, "--stack", self.name],
            cwd=ROOT,
            env=self.aws.environment | {"PYTHONPATH": "functions"},
            text=True,
        )

    def call(
        self, method: str, path: str, *, key: str | None = None, **given: Any
    ) -> requests.Response:
        """Call the HTTP API, with the key unless another is given, and follow no redirect."""
        return requests.request(
            method,
            f"{self.aws.url}/_aws/execute-api/{self.resources['Api']}/$default{path}",
            headers={"x-api-key": self.key if key is None else key},
            verify=str(self.aws.certificate),
            allow_redirects=False,
            timeout=60,
            **given,
        )

    def store(self, content: bytes) -> str:
        """Store an image and answer the link to it."""
        reply = self.call("POST", "/store", files={"file": content})
        assert reply.status_code == 200, reply.text
        link: str = reply.json()["link"]
        return link

    def presigned(self, link: str) -> str:
        """The address that a link redirects to.

        Asked of the deployed function itself: MiniStack's API has no way to pass an answer without
        a body on.
        """
        event = json.loads((ROOT / "events/media.json").read_text())
        media_id = link.rpartition("/")[2]
        event["rawPath"] = event["requestContext"]["http"]["path"] = f"/media/{media_id}"
        event["pathParameters"] = {"id": media_id}
        invoked = self.aws.client("lambda").invoke(
            FunctionName=self.resources["ApiFunction"], Qualifier="live", Payload=json.dumps(event)
        )
        answer = json.load(invoked["Payload"])
        assert answer["statusCode"] == 302, answer
        location: str = answer["headers"]["Location"]
        return location

    def object(self, bucket: str, key: str) -> bytes | None:
        """The content of an object, None where there is none."""
        s3 = self.aws.client("s3")
        try:
            content: bytes = s3.get_object(Bucket=self.outputs[bucket], Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            return None
        return content

    def session(self, role: str) -> dict[str, Any]:
        """Credentials of a role.

        Whom the role trusts is changed for it; what it may do is not.
        """
        iam, name = self.aws.client("iam"), self.resources[role]
        statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
        trust = {"Version": "2012-10-17", "Statement": [statement]}
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        assumed = self.aws.client("sts").assume_role(RoleArn=arn, RoleSessionName="e2e")
        credentials: dict[str, Any] = assumed["Credentials"]
        return credentials


def deploy(aws: MiniStack, build: Path) -> Deployed:
    """Deploy what was built, as ``make deploy`` does, and make up for what MiniStack lacks."""
    run = subprocess.run(
        [
            ROOT / ".tools/sam/bin/sam",
            "deploy",
            *("--config-file", ROOT / "samconfig.toml"),
            *("--template-file", build / "template.yaml"),
            *("--parameter-overrides", f"Architecture={ARCHITECTURE}"),
            f"AwsEndpointUrl={aws.url}",
        ],
        env=aws.environment | {"SAM_CLI_TELEMETRY": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"sam deploy failed:\n{run.stdout}")
    stack = Deployed(aws)
    _add_routes(stack)
    _number_concurrency(stack)
    _give_items(stack)
    _send_events(stack)
    return stack


def _add_routes(stack: Deployed) -> None:
    # MiniStack passes over the body of an HTTP API, which is where SAM puts its routes.
    processed = stack.aws.client("cloudformation").get_template(
        StackName=STACK, TemplateStage="Processed"
    )
    body = processed["TemplateBody"]["Resources"]["Api"]["Properties"]["Body"]
    gateway, functions = stack.aws.client("apigatewayv2"), stack.aws.client("lambda")
    for path, operations in body["paths"].items():
        for method, operation in operations.items():
            told = operation["x-amazon-apigateway-integration"]
            named = _INTEGRATION.search(told["uri"]["Fn::Sub"])
            assert named, told
            function = functions.get_function(FunctionName=stack.resources[named[1]])
            integration = gateway.create_integration(
                ApiId=stack.resources["Api"],
                IntegrationType=told["type"].upper(),
                IntegrationMethod=told["httpMethod"],
                PayloadFormatVersion=told["payloadFormatVersion"],
                IntegrationUri=function["Configuration"]["FunctionArn"],
            )
            default = operation.get("isDefaultRoute")
            gateway.create_route(
                ApiId=stack.resources["Api"],
                RouteKey="$default" if default else f"{method.upper()} {path}",
                Target=f"integrations/{integration['IntegrationId']}",
            )


def _number_concurrency(stack: Deployed) -> None:
    # A parameter is a text; CloudFormation makes a number of it where one belongs.
    functions = stack.aws.client("lambda")
    [mapping] = functions.list_event_source_mappings()["EventSourceMappings"]
    bound = int(mapping["ScalingConfig"]["MaximumConcurrency"])
    functions.update_event_source_mapping(
        UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": bound}
    )


def _give_items(stack: Deployed) -> None:
    # MiniStack knows no ItemBatcher: each line of a batch is a piece of its own.
    states, machine = stack.aws.client("stepfunctions"), stack.resources["BatchStateMachine"]
    definition = json.loads(states.describe_state_machine(stateMachineArn=machine)["definition"])
    states.update_state_machine(
        stateMachineArn=machine, definition=json.dumps(runnable(definition))
    )


def _send_events(stack: Deployed) -> None:
    # MiniStack knows no condition on an event's source, and would never let it be sent.
    iam, role = stack.aws.client("iam"), stack.resources["WorkerRole"]
    policy = iam.get_role_policy(RoleName=role, PolicyName="results")["PolicyDocument"]
    [sending] = [each for each in policy["Statement"] if each["Action"] == "events:PutEvents"]
    assert sending.pop("Condition") == {"StringEquals": {"events:source": "imgdiff"}}
    iam.put_role_policy(RoleName=role, PolicyName="results", PolicyDocument=json.dumps(policy))
