"""What the local AWS takes from the template as it is written."""

import re
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
    "InboxBucket": INBOX,
    "InboxQueue.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{QUEUE}",
    "InboxDeadLetters.Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{DEAD_LETTERS}",
    "ResultsBucket": RESULTS,
    "BatchFunction.Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:imgdiff-batch",
    "BatchConcurrency": str(AT_ONCE),
    "BatchToleratedFailurePercentage": "10",
}


class _Loader(yaml.CSafeLoader):
    pass


def _resolve(loader: _Loader, function: str, node: yaml.Node) -> str | None:
    """What a reference comes to; nothing where it is none to what is used here."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    text = str(loader.construct_scalar(node))
    if function == "Sub":
        return re.sub(r"\$\{([\w.:]+)\}", lambda found: _VALUES.get(found[1], found[0]), text)
    return _VALUES.get(text)


_Loader.add_multi_constructor("!", _resolve)


def resources() -> dict[str, Any]:
    """The properties of the template's resources, by their names."""
    # A loader of plain data, but for the references.
    template = yaml.load(_TEMPLATE.read_bytes(), _Loader)  # noqa: S506
    return {name: resource["Properties"] for name, resource in template["Resources"].items()}
