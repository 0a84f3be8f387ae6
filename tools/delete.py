"""Delete a stack and all that would outlive it: ``python -m tools.delete --help``.

A stack keeps its buckets and its table when it is deleted. This deletes the stack and then those,
with every version of every object. What it deletes is what CloudFormation lists as the stack's,
also when the stack itself is gone already: it can be run again after it was interrupted.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

_OURS = "imgdiff:"
_GONE = "DELETE_COMPLETE"


class Refused(Exception):
    """What was asked for can't be done; the message says why."""


def delete(stack: str, confirmed: str) -> Iterator[str]:
    """Delete a stack and what it keeps, and tell of each once it is gone.

    Parameters
    ----------
    stack : str
        Its name: of a stack that there is, or of the last one there was.
    confirmed : str
        Its name once more.

    Raises
    ------
    Refused
        It is not confirmed, there was none in the last 90 days, or it is not one of imgdiff.
    """
    if confirmed != stack:
        raise Refused(
            f"this deletes the stack {stack} with every image, result and key of it, for good: "
            f"to have it done, say CONFIRM={stack}"
        )
    cloudformation = boto3.client("cloudformation")
    found = _find(cloudformation, stack)
    kept = _kept(cloudformation, found["StackId"])
    if found["StackStatus"] != _GONE:
        cloudformation.delete_stack(StackName=found["StackId"])
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=found["StackId"])
        yield f"deleted stack {stack}"
    for kind, name in kept:
        told = _DELETE[kind](name)
        if told:
            yield told
    yield f"nothing is left of {stack}, but its code in the bucket that sam keeps for every stack"


def _find(cloudformation: Any, name: str) -> dict[str, Any]:
    pages = cloudformation.get_paginator("list_stacks").paginate()
    named = [
        stack for page in pages for stack in page["StackSummaries"] if stack["StackName"] == name
    ]
    if not named:
        raise Refused(f"there is no stack {name}, and was none in the last 90 days")
    last = max(named, key=lambda stack: (stack["StackStatus"] != _GONE, stack["CreationTime"]))
    [found] = cloudformation.describe_stacks(StackName=last["StackId"])["Stacks"]
    if not found.get("Description", "").startswith(_OURS):
        raise Refused(f"the stack {name} is not one of imgdiff")
    stack: dict[str, Any] = found
    return stack


def _kept(cloudformation: Any, stack_id: str) -> list[tuple[str, str]]:
    """The type and the name of what may outlive the stack."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    return [
        (resource["ResourceType"], resource["PhysicalResourceId"])
        for page in pages
        for resource in page["StackResourceSummaries"]
        if resource["ResourceType"] in _DELETE
        # What was never made has no name.
        and "PhysicalResourceId" in resource
        and resource["ResourceStatus"] != _GONE
    ]


def _delete_bucket(name: str) -> str | None:
    s3 = boto3.client("s3")
    count = 0
    try:
        # What is listed is deleted: what comes first then is what came next.
        while versions := _versions(s3.list_object_versions(Bucket=name)):
            answer = s3.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
            for error in answer.get("Errors", ()):
                raise Refused(f"{error['Key']} in {name} is not deleted: {error['Message']}")
            count += len(versions)
        s3.delete_bucket(Bucket=name)
    except s3.exceptions.NoSuchBucket:
        return None
    return f"deleted bucket {name} and the {count} versions of objects in it"


def _versions(page: Any) -> list[Any]:
    return [
        {"Key": each["Key"], "VersionId": each["VersionId"]}
        for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
    ]


def _delete_table(name: str) -> str | None:
    dynamodb = boto3.client("dynamodb")
    try:
        dynamodb.delete_table(TableName=name)
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    return f"deleted table {name}"


def _delete_log_group(name: str) -> str | None:
    logs = boto3.client("logs")
    try:
        logs.delete_log_group(logGroupName=name)
    except logs.exceptions.ResourceNotFoundException:
        return None
    return f"deleted log group {name}"


_DELETE = {
    "AWS::DynamoDB::Table": _delete_table,
    # The stack deletes them, but what was on its way may have come after that.
    "AWS::Logs::LogGroup": _delete_log_group,
    "AWS::S3::Bucket": _delete_bucket,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what fails ends it with one sentence.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line, that of the process by default.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tools.delete", description="Delete a stack, its images, results and keys."
    )
    parser.add_argument("--stack", default="imgdiff", help="the stack on AWS (imgdiff)")
    parser.add_argument("--confirm", default="", metavar="STACK", help="its name once more")
    options = parser.parse_args(arguments)
    try:
        for told in delete(options.stack, options.confirm):
            sys.stdout.write(f"{told}\n")
    except ClientError as error:
        sys.exit(error.response["Error"].get("Message") or str(error))
    except (Refused, BotoCoreError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
