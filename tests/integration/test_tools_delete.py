"""The command that deletes a stack and all that outlives it, and nothing else."""

import copy
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.stack import REGION, TEMPLATE, deploy, transform
from tools.delete import main

ROOT = Path(__file__).parents[2]
OTHERS_BUCKET, OTHERS_TABLE, OTHERS_LOGS = "theirs", "theirs", "/aws/lambda/theirs"

type Names = dict[str, str]

# moto leaves some of a stack out, and says so whenever it looks at the stack.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


@pytest.fixture(scope="module", autouse=True)
def aws() -> None:
    """Each test has an AWS of its own here."""


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    # Of what keeps a resource, moto knows this word alone.
    stack = copy.deepcopy(transform(TEMPLATE))
    for resource in stack["Resources"].values():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
    return stack


@pytest.fixture
def outputs(template: dict[str, Any]) -> Iterator[Names]:
    """A stack that was used, beside what is others'."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        names = deploy(template)
        s3 = boto3.client("s3")
        s3.create_bucket(
            Bucket=OTHERS_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        s3.put_object(Bucket=OTHERS_BUCKET, Key="kept", Body=b"kept")
        boto3.client("dynamodb").create_table(
            TableName=OTHERS_TABLE,
            AttributeDefinitions=[{"AttributeName": "any", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "any", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        boto3.client("logs").create_log_group(logGroupName=OTHERS_LOGS)
        yield names


def use(outputs: Names, *, images: int = 1) -> None:
    s3 = boto3.client("s3")
    inbox = outputs["InboxBucketName"]
    s3.put_bucket_versioning(Bucket=inbox, VersioningConfiguration={"Status": "Enabled"})
    for body in (b"old", b"new"):
        s3.put_object(Bucket=inbox, Key="source/page.png", Body=body)
    s3.delete_object(Bucket=inbox, Key="source/page.png")
    s3.put_object(Bucket=outputs["ResultsBucketName"], Key="results/page.png.json", Body=b"{}")
    for number in range(images):
        s3.put_object(Bucket=outputs["MediaBucketName"], Key=f"media/{number}.png", Body=b"png")


def left() -> set[str]:
    """All that there is in this AWS, but for what the code was deployed from."""
    s3, dynamodb, logs = (boto3.client(each) for each in ("s3", "dynamodb", "logs"))
    stacks = boto3.client("cloudformation").describe_stacks()["Stacks"]
    return {
        *(stack["StackName"] for stack in stacks),
        *(bucket["Name"] for bucket in s3.list_buckets()["Buckets"]),
        *dynamodb.list_tables()["TableNames"],
        *(group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]),
    } - {"artifacts"}


OTHERS = {OTHERS_BUCKET, OTHERS_TABLE, OTHERS_LOGS}


def test_nothing_is_left_of_a_stack_and_all_of_what_is_others(
    outputs: Names, capsys: pytest.CaptureFixture[str]
) -> None:
    use(outputs, images=1_100)

    main(["--confirm", "imgdiff"])

    told = capsys.readouterr().out.splitlines()
    assert left() == OTHERS
    assert boto3.client("s3").list_objects_v2(Bucket=OTHERS_BUCKET)["KeyCount"] == 1
    assert told[0] == "deleted stack imgdiff"
    assert told[-1].startswith("nothing is left of imgdiff")
    assert set(told[1:-1]) == {
        f"deleted table {outputs['KeysTableName']}",
        f"deleted bucket {outputs['MediaBucketName']} and the 1100 versions of objects in it",
        f"deleted bucket {outputs['InboxBucketName']} and the 3 versions of objects in it",
        f"deleted bucket {outputs['ResultsBucketName']} and the 1 versions of objects in it",
    }


@pytest.mark.parametrize("arguments", [[], ["--confirm", "imgdif"], ["--stack", "a"]])
def test_without_the_stacks_name_nothing_is_deleted(outputs: Names, arguments: list[str]) -> None:
    before = left()

    with pytest.raises(SystemExit, match="for good: to have it done, say CONFIRM="):
        main(arguments)

    assert {*outputs.values()} & before
    assert left() == before


def test_it_goes_on_where_it_was_interrupted(outputs: Names) -> None:
    use(outputs)
    boto3.client("cloudformation").delete_stack(StackName="imgdiff")
    assert outputs["InboxBucketName"] in left()

    main(["--confirm", "imgdiff"])

    assert not {*outputs.values()} & left()
    assert left() >= OTHERS


def test_once_more_finds_nothing_to_do(outputs: Names, capsys: pytest.CaptureFixture[str]) -> None:
    del outputs
    main(["--confirm", "imgdiff"])
    told = capsys.readouterr().out

    # moto makes what is deleted anew when it is asked for a deleted stack's resources.
    main(["--confirm", "imgdiff"])

    assert "deleted stack" in told
    assert "deleted stack" not in capsys.readouterr().out
    assert left() >= OTHERS


def test_of_two_of_a_name_the_one_that_there_is_goes(
    outputs: Names, template: dict[str, Any]
) -> None:
    use(outputs)
    boto3.client("cloudformation").delete_stack(StackName="imgdiff")
    boto3.client("s3").delete_object(Bucket="artifacts", Key="code.zip")
    boto3.client("s3").delete_bucket(Bucket="artifacts")
    again = deploy(template)

    main(["--confirm", "imgdiff"])

    assert left() == OTHERS | {
        outputs[name] for name in outputs if name.endswith(("BucketName", "TableName"))
    }
    assert outputs["MediaBucketName"] != again["MediaBucketName"]


@pytest.mark.parametrize(
    ("name", "said"), [("theirs", "not one of imgdiff"), ("nothing", "there is no stack nothing")]
)
def test_what_is_no_stack_of_imgdiff_is_left_alone(outputs: Names, name: str, said: str) -> None:
    del outputs
    boto3.client("cloudformation").create_stack(
        StackName="theirs",
        TemplateBody='{"Resources": {"Any": {"Type": "AWS::S3::Bucket", "Properties": {}}}}',
    )
    before = left()

    with pytest.raises(SystemExit, match=said):
        main(["--stack", name, "--confirm", name])

    assert left() == before


def test_make_passes_the_confirmation_on() -> None:
    # The variables of a `make test` around this are not for this one.
    environ = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    result = subprocess.run(
        ["make", "--dry-run", "delete", "STACK=other", "CONFIRM=$(touch made)"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.endswith("--stack='other' --confirm='$(touch made)'\n")
