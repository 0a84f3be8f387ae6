"""What the local AWS takes from the template is what CloudFormation would get."""

import json
from pathlib import Path
from typing import Any

import pytest

from local import template
from local.batches import runnable
from local.stack import environment
from tests.stack import TEMPLATE, transform

SETTINGS = (
    "INBOX_BUCKET",
    "RESULTS_BUCKET",
    "BATCH_STATE_MACHINE",
    "MEDIA_BUCKET",
    "KEYS_TABLE",
    "MEDIA_BASE_URL",
    "AWS_ENDPOINT_URL",
)


def resolved(node: Any) -> Any:
    """With what the local AWS calls its resources in place of references."""
    match node:
        case {"Ref": str(name)} if name.startswith("BatchFunctionVersion"):
            return template._VALUES["BatchFunction.Version"]
        case {"Ref": name} | {"Fn::Sub": name}:
            return reference(name)
        case {"Fn::GetAtt": [name, attribute]}:
            return template._VALUES[f"{name}.{attribute}"]
        case dict():
            return {key: resolved(value) for key, value in node.items()}
        case list():
            return [resolved(item) for item in node]
    return node


def reference(text: str) -> str:
    for name, value in template._VALUES.items():
        text = text.replace(f"${{{name}}}", value)
    return template._VALUES.get(text, text)


@pytest.fixture(scope="module")
def expanded() -> dict[str, Any]:
    percentage, concurrency = "BatchToleratedFailurePercentage", "BatchConcurrency"
    given = {name: template._VALUES[name] for name in (percentage, concurrency)}
    found: dict[str, Any] = transform(TEMPLATE, **given)["Resources"]
    return found


@pytest.mark.parametrize("name", ["InboxQueue", "InboxDeadLetters", "InboxRule"])
def test_queues_and_rule_are_the_templates(expanded: dict[str, Any], name: str) -> None:
    assert template.resources()[name] == resolved(expanded[name]["Properties"])


def test_the_state_machine_is_the_templates(expanded: dict[str, Any]) -> None:
    machine = expanded["BatchStateMachine"]["Properties"]
    text = machine["DefinitionString"]
    for name, value in machine["DefinitionSubstitutions"].items():
        text = text.replace(f"${{{name}}}", resolved(value))

    assert template.resources()["BatchStateMachine"]["Definition"] == json.loads(text)


def test_moto_runs_it_but_for_what_it_can_not() -> None:
    definition = template.resources()["BatchStateMachine"]["Definition"]
    run = runnable(definition)
    compare, given = (each["States"].pop("Compare") for each in (run, definition))

    assert run == definition
    assert compare.pop("ItemSelector") == {
        "BatchInput": given["ItemBatcher"]["BatchInput"],
        "Items.$": "States.Array($$.Map.Item.Value)",
    }
    assert {**compare, **{name: given[name] for name in ("ItemBatcher", "ResultWriter")}} == given


def test_functions_that_sam_invokes_meet_the_local_service() -> None:
    told = json.loads((Path(template.__file__).parent / "env.json").read_text())["Parameters"]
    local = environment("http://172.17.0.1:3001", "http://127.0.0.1:3000")

    assert told == {name: local[name] for name in SETTINGS}
