"""Versions of the functions, what moves callers from one to the next, and what moves them back."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack import TEMPLATE, transform
from tests.template.test_template import (
    EVERY_FUNCTION,
    FUNCTIONS,
    Stack,
    make,
    of_type,
    properties,
    target,
)

GRADUAL = (
    "Canary10Percent5Minutes",
    "Canary10Percent15Minutes",
    "Linear10PercentEvery1Minute",
    "Linear10PercentEvery3Minutes",
)
MOVED = pytest.mark.parametrize("name", ["ApiFunction", "WorkerFunction"])


@pytest.fixture(scope="module")
def gradual() -> Stack:
    return transform(TEMPLATE, DeploymentType="Canary10Percent5Minutes")


def versions(stack: Stack) -> dict[str, str]:
    """The version of every function, by the name that a new one changes."""
    found = of_type(stack, "AWS::Lambda::Version").items()
    return {version["Properties"]["FunctionName"]["Ref"]: name for name, version in found}


def references(node: Any) -> Iterator[str]:
    """The names that a resource, its update policy included, refers to."""
    match node:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::GetAtt": [name, _]}:
            yield name
        case {"Fn::Sub": given}:
            text, values = given if isinstance(given, list) else (given, {})
            yield from (part.partition("}")[0].partition(".")[0] for part in text.split("${")[1:])
            yield from references(values)
        case dict():
            for value in node.values():
                yield from references(value)
        case list():
            for item in node:
                yield from references(item)


# Versions


@EVERY_FUNCTION
def test_new_code_is_published_and_former_versions_stay(stack: Stack, name: str) -> None:
    version = versions(stack)[name]

    assert versions(transform(TEMPLATE, code="other.zip"))[name] != version
    assert stack["Resources"][version]["DeletionPolicy"] == "Retain"
    assert properties(stack, f"{name}Aliaslive") == {
        "Name": "live",
        "FunctionName": {"Ref": name},
        "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"layer": "other.zip"},
        {"MaxImageBytes": "1234"},
        {"MemorySize": "3008"},
        {"SnapStart": "PublishedVersions"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_nothing_else_is_published_by_itself(stack: Stack, changed: dict[str, str]) -> None:
    # Why `make deploy` changes the code; where sam comes to see these, it no longer needs to.
    assert versions(transform(TEMPLATE, **changed)) == versions(stack)


def test_every_deployment_changes_the_code_of_every_function(tmp_path: Path) -> None:
    recipe = make(".", "--dry-run", "deploy")
    [stamp] = [line for line in recipe.splitlines() if line.startswith("stamp=")]
    folders = [tmp_path / ".aws-sam" / "build" / name / "imgdiff" for name in FUNCTIONS]
    for folder in folders:
        folder.mkdir(parents=True)
    stamps = set()
    for moment in ("2027-01-01T00:00:00Z", "2027-01-01T00:00:01Z"):
        clock = f"date() {{ echo {moment}; }}; git() {{ echo 1a2b3c4; }}; "
        subprocess.run(["bash", "-c", clock + stamp], cwd=tmp_path, check=True)
        [said] = {(folder / "deployed").read_text() for folder in folders}
        stamps.add(said)

    assert stamps == {"1a2b3c4 2027-01-01T00:00:00Z\n", "1a2b3c4 2027-01-01T00:00:01Z\n"}
    build, change, deploy = (recipe.index(each) for each in ("sam build", stamp, "sam deploy"))
    assert build < change < deploy


def test_callers_meet_the_alias_and_never_what_is_not_published(stack: Stack) -> None:
    called = {
        *(
            target(each["Properties"]["FunctionName"])
            for kind in ("AWS::Lambda::Permission", "AWS::Lambda::EventSourceMapping")
            for each in of_type(stack, kind).values()
        ),
        target(stack["Outputs"]["WorkerFunctionArn"]["Value"]),
    }

    assert called == {"${ApiFunctionAliaslive}", "${WorkerFunctionAliaslive}"}
    assert "ApiFunction" not in references(properties(stack, "Api"))


# Deployments


def test_every_kind_of_deployment_is_known_to_be_gradual_or_not(source: Stack) -> None:
    told = {kind: rule["Gradual"] for kind, rule in source["Mappings"]["DeploymentTypes"].items()}

    assert told == {"AllAtOnce": "false", **dict.fromkeys(GRADUAL, "true")}
    assert source["Parameters"]["DeploymentType"]["AllowedValues"] == list(told)


def test_all_at_once_takes_nothing_of_codedeploy(stack: Stack) -> None:
    kinds = {resource["Type"] for resource in stack["Resources"].values()}

    assert not any(kind.startswith("AWS::CodeDeploy::") for kind in kinds)
    assert not any("UpdatePolicy" in resource for resource in stack["Resources"].values())


@pytest.mark.parametrize("kind", GRADUAL)
@MOVED
def test_a_gradual_deployment_goes_back_on_alarm(name: str, kind: str) -> None:
    stack = transform(TEMPLATE, DeploymentType=kind)
    policy = stack["Resources"][f"{name}Aliaslive"]["UpdatePolicy"]
    group = properties(stack, f"{name}DeploymentGroup")

    assert policy["CodeDeployLambdaAliasUpdate"] == {
        "ApplicationName": {"Ref": "ServerlessDeploymentApplication"},
        "DeploymentGroupName": {"Ref": f"{name}DeploymentGroup"},
    }
    assert group["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": kind}
    assert group["AlarmConfiguration"]["Enabled"] is True
    assert group["AutoRollbackConfiguration"]["Enabled"] is True
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]


def test_what_moves_callers_back(gradual: Stack) -> None:
    named = {
        target(alarm["Properties"]["AlarmName"]): f"${{{name}}}"
        for name, alarm in of_type(gradual, "AWS::CloudWatch::Alarm").items()
        if "AlarmName" in alarm["Properties"]
    }
    watched = {
        name: {
            named.get(alarm, alarm)
            for alarm in (target(each["Name"]) for each in group["AlarmConfiguration"]["Alarms"])
        }
        for name, group in (
            (name, properties(gradual, f"{name}DeploymentGroup"))
            for name in ("ApiFunction", "WorkerFunction")
        )
    }

    assert watched == {
        "ApiFunction": {"${FunctionErrorAlarm}", "${ServerErrorAlarm}"},
        "WorkerFunction": {"${WorkerErrorAlarm}"},
    }


def test_batches_are_not_moved_while_they_run(gradual: Stack) -> None:
    assert "UpdatePolicy" not in gradual["Resources"]["BatchFunctionAliaslive"]
    assert "BatchFunctionDeploymentGroup" not in gradual["Resources"]


def test_codedeploy_has_awss_own_role_for_it(gradual: Stack) -> None:
    role = properties(gradual, "CodeDeployServiceRole")
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": ["codedeploy.amazonaws.com"]}
    assert [arn.partition(":aws:policy/")[2] for arn in role["ManagedPolicyArns"]] == [
        "service-role/AWSCodeDeployRoleForLambda"
    ]
    assert "Policies" not in role


def test_no_resource_waits_for_itself(gradual: Stack) -> None:
    resources = gradual["Resources"]
    waiting = {
        name: {each for each in references(resource) if each in resources}
        for name, resource in resources.items()
    }
    while ready := [name for name, others in waiting.items() if not others]:
        for name in ready:
            del waiting[name]
        waiting = {name: others - {*ready} for name, others in waiting.items()}

    assert not waiting
