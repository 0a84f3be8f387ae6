"""The stack as CloudFormation gets it: the SAM template expanded, its parameters applied."""

import io
import json
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import boto3
from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
REGION = "eu-central-1"

_NAME = "imgdiff"
_BUCKET = "artifacts"
_ARCHIVE = "code.zip"
_NOTHING = object()


def load(path: Path) -> dict[str, Any]:
    """Read a template as it is written."""
    template: dict[str, Any] = yaml_parse(path.read_text())
    return template


def transform(
    path: Path, *, code: str = _ARCHIVE, layer: str = _ARCHIVE, **parameters: str
) -> dict[str, Any]:
    """Expand a SAM template and resolve its parameters and conditions.

    As in CloudFormation, a parameter's value is a string whatever its type, or a list of them.
    References to resources and pseudo parameters stay. ``code`` and ``layer`` are the archives that
    the functions' code and the layer's content were uploaded as.
    """
    template = load(path)
    unknown = parameters.keys() - template["Parameters"].keys()
    if unknown:
        raise ValueError(f"no such parameters: {sorted(unknown)}")
    values: dict[str, Any] = {
        name: parameters.get(name, str(parameter["Default"]))
        for name, parameter in template["Parameters"].items()
    }
    for resource in template["Resources"].values():
        for name, archive in (("CodeUri", code), ("ContentUri", layer)):
            if name in resource["Properties"]:
                resource["Properties"][name] = f"s3://{_BUCKET}/{archive}"
    session = boto3.Session(region_name=REGION)
    expanded = Translator({}, Parser(), boto_session=session).translate(template, dict(values))

    for name, parameter in template["Parameters"].items():
        if parameter["Type"] == "CommaDelimitedList":
            values[name] = values[name].split(",")
    conditions = {
        name: _holds(condition, values) for name, condition in expanded.pop("Conditions").items()
    }
    del expanded["Parameters"]
    expanded["Resources"] = {
        name: resource
        for name, resource in expanded["Resources"].items()
        if "Condition" not in resource or conditions[resource.pop("Condition")]
    }
    resolved: dict[str, Any] = _resolve(expanded, values, conditions)
    return resolved


def deploy(template: dict[str, Any]) -> dict[str, str]:
    """Create the stack in moto's AWS, its code an empty archive, and answer its outputs."""
    archive = io.BytesIO()
    zipfile.ZipFile(archive, "w").close()
    s3 = boto3.client("s3", region_name=REGION)
    s3.create_bucket(Bucket=_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=_BUCKET, Key=_ARCHIVE, Body=archive.getvalue())

    cloudformation = boto3.client("cloudformation", region_name=REGION)
    with warnings.catch_warnings():
        # moto leaves HTTP APIs, alarms and bucket policies out of a stack.
        warnings.filterwarnings("ignore", r"Tried to parse AWS::\w+::\w+ but", UserWarning)
        body = json.dumps(_without_dashboard(_without_aliases(template)))
        cloudformation.create_stack(StackName=_NAME, TemplateBody=body)
        [stack] = cloudformation.describe_stacks(StackName=_NAME)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"the stack is {stack['StackStatus']}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def _without_aliases(template: dict[str, Any]) -> dict[str, Any]:
    """The template with functions in place of their aliases, which moto has in no stack."""
    resources = template["Resources"]
    functions = {
        name: resource["Properties"]["FunctionName"]["Ref"]
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Alias"
    }
    kept = {name: resource for name, resource in resources.items() if name not in functions}

    def follow(node: Any) -> Any:
        match node:
            case {"Ref": str(name)} if name in functions:
                return {"Fn::GetAtt": [functions[name], "Arn"]}
            case dict():
                return {key: follow(value) for key, value in node.items()}
            case list():
                return [follow(item) for item in node]
        return node

    followed: dict[str, Any] = follow({**template, "Resources": kept})
    return followed


def _without_dashboard(template: dict[str, Any]) -> dict[str, Any]:
    """The template without what refers to alarms, which moto has in no stack."""
    parts = {"Resources": "Dashboard", "Outputs": "DashboardUrl"}
    return template | {
        part: {name: each for name, each in template[part].items() if name != left_out}
        for part, left_out in parts.items()
    }


def _holds(condition: dict[str, Any], values: dict[str, Any]) -> bool:
    match condition:
        case {"Fn::Equals": [left, right]}:
            return bool(_resolve(left, values, {}) == _resolve(right, values, {}))
        case {"Fn::Not": [negated]}:
            return not _holds(negated, values)
    raise ValueError(f"not a condition: {condition}")


def _resolve(node: Any, values: dict[str, Any], conditions: dict[str, bool]) -> Any:  # noqa: PLR0911
    match node:
        case {"Ref": "AWS::NoValue"}:
            return _NOTHING
        case {"Ref": name} if name in values:
            return values[name]
        case {"Fn::Join": [str(separator), items]}:
            joined = _resolve(items, values, conditions)
            if all(isinstance(item, str) for item in joined):
                return separator.join(joined)
            return {"Fn::Join": [separator, joined]}
        case {"Fn::Sub": str(text)}:
            given = re.sub(r"\$\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)
            return {"Fn::Sub": given} if "${" in given else given
        case {"Fn::If": [condition, then, otherwise]}:
            return _resolve(then if conditions[condition] else otherwise, values, conditions)
        case dict():
            members = {key: _resolve(value, values, conditions) for key, value in node.items()}
            return {key: value for key, value in members.items() if value is not _NOTHING}
        case list():
            items = [_resolve(item, values, conditions) for item in node]
            return [item for item in items if item is not _NOTHING]
    return node
