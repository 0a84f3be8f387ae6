"""What the local AWS takes from the template as it is written."""

import re
from collections.abc import Mapping
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any

import yaml

from local.stack import ACCOUNT, INBOX, REGION, RESULTS

QUEUE, DEAD_LETTERS = "imgdiff-inbox", "imgdiff-inbox-dead-letters"
# As many of the worker and of the batch function run at once: a machine has few processors.
AT_ONCE = 2

_TEMPLATE = Path(__file__).parent.parent / "template.yaml"
_VALUES = {
    "AWS::Partition": "aws",
    "AWS::StackName": "imgdiff",
    "InboxBucket": INBOX,
    "InboxQueue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
    "InboxDeadLetters.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTERS}",
    "ResultsBucket": RESULTS,
    "BatchFunction.Version": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:imgdiff-batch",
    "BatchConcurrency": str(AT_ONCE),
    "BatchToleratedFailurePercentage": "10",
}


def resources() -> dict[str, Any]:
    """The properties of the template's resources, by their names, with parameters' defaults."""
    given = {name: str(parameter["Default"]) for name, parameter in _load({})["Parameters"].items()}
    template = _load({**given, **_VALUES})
    shared = template["Globals"]["Function"]
    return {
        name: _complete(resource["Properties"], shared)
        if resource["Type"] == "AWS::Serverless::Function"
        else resource["Properties"]
        for name, resource in template["Resources"].items()
    }


def _complete(function: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    variables = (each["Environment"]["Variables"] for each in (shared, function))
    return {**shared, **function, "Environment": {"Variables": reduce(or_, variables)}}


def _load(values: Mapping[str, str]) -> Any:
    class Loader(yaml.CSafeLoader):
        """A loader of plain data, but for references."""

    Loader.add_multi_constructor("!", partial(_resolve, values))
    return yaml.load(_TEMPLATE.read_bytes(), Loader)  # noqa: S506


def _resolve(
    values: Mapping[str, str], loader: yaml.CSafeLoader, function: str, node: yaml.Node
) -> str | None:
    """What a reference comes to; nothing where it is none to what is used here."""
    match node:
        case yaml.ScalarNode():
            text = str(loader.construct_scalar(node))
            if function == "Sub":
                return re.sub(
                    r"\$\{([\w.:]+)\}", lambda found: values.get(found[1], found[0]), text
                )
            return values.get(text)
        case yaml.SequenceNode(value=[_, items]) if function == "Join":
            # A parameter that is a list has them joined already.
            joined: str | None = loader.construct_object(items)
            return joined
    return None
