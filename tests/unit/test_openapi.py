"""The API's description tells what the code and the stack do, and nothing else."""

import re
from dataclasses import MISSING, Field, fields
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from docs.openapi import PAGE, document, text
from imgdiff.engine.options import HIGHLIGHT
from imgdiff.fields import FALSE, TRUE, ImageInput, Names, annotation
from imgdiff.operations import MAX_INLINE_BYTES, OPERATIONS, Operation
from imgdiff.replies import Findings
from imgdiff.settings import Settings
from local.stack import environment
from tests.stack import TEMPLATE, load

JSON, FORM, MULTIPART = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
)
DOCUMENT = document()
PATHS = DOCUMENT["paths"]
ROUTES = {f"{method.upper()} {path}" for path, item in PATHS.items() for method in item}
DECLARED = [
    pytest.param(operation, declared, id=f"{operation.name}-{declared.name}")
    for operation in OPERATIONS
    for declared in fields(operation.fields)
]
ERRORS = {"400", "401", "404", "413", "415", "429", "500", "502", "503", "504"}

EVERY_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
EVERY_FIELD = pytest.mark.parametrize(("operation", "declared"), DECLARED)


def body(operation: Operation, media_type: str) -> dict[str, Any]:
    content = PATHS[operation.path]["post"]["requestBody"]["content"]
    schema: dict[str, Any] = content[media_type]["schema"]
    return schema


def told(operation: Operation, name: str) -> list[dict[str, Any]]:
    """What every carrier but files says of a field."""
    get = PATHS[operation.path].get("get", {"parameters": []})
    return [
        *(each["schema"] for each in get["parameters"] if each["name"] == name),
        *(body(operation, media_type)["properties"][name] for media_type in (JSON, FORM)),
    ]


def either(schema: dict[str, Any]) -> dict[str, Any]:
    """The first of what a schema allows: the value as it is meant."""
    first: dict[str, Any] = schema.get("anyOf", [schema])[0]
    return first


def test_the_committed_file_is_what_the_generator_writes() -> None:
    assert PAGE.read_text() == text()


def test_it_is_valid() -> None:
    assert [*OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_routes_are_those_of_the_stack() -> None:
    events = load(TEMPLATE)["Resources"]["ApiFunction"]["Properties"]["Events"].values()
    properties = [event["Properties"] for event in events]
    assert {f"{each['Method']} {each['Path']}" for each in properties if "Path" in each} == ROUTES


@EVERY_OPERATION
def test_methods_are_those_of_the_operation(operation: Operation) -> None:
    assert {method.upper() for method in PATHS[operation.path]} == set(operation.methods)


@EVERY_OPERATION
def test_fields_are_those_of_the_operation(operation: Operation) -> None:
    names = {declared.name for declared in fields(operation.fields)}
    uploads = {annotation(declared)[1].upload for declared in fields(operation.fields)} - {""}
    get = PATHS[operation.path].get("get")
    if get:
        assert {each["name"] for each in get["parameters"]} == names
    assert body(operation, JSON)["properties"].keys() == names | {"key"}
    assert body(operation, FORM)["properties"].keys() == names | {"key"}
    assert body(operation, MULTIPART)["properties"].keys() == names | {"key"} | uploads


@EVERY_FIELD
def test_field(operation: Operation, declared: Field[Any]) -> None:
    kind, rule = annotation(declared)
    carriers = told(operation, declared.name)
    assert len(carriers) == 1 + len(operation.methods)
    for schema in carriers:
        assert schema["description"] == rule.about
        spelled: dict[object, object] = {None: MISSING, (): "", HIGHLIGHT: "f1001e"}
        default = spelled.get(declared.default, declared.default)
        assert schema.get("default", MISSING) == default
        value = either(schema)
        if kind in (int, float | None):
            assert (value["minimum"], value["maximum"]) == (rule.low, rule.high)
        elif kind is Names:
            assert all(re.search(value["pattern"], name) for name in rule.choices)
            assert re.search(value["pattern"], ",".join(rule.choices))
            assert not re.search(value["pattern"], ", ".join(rule.choices))
        elif kind is bool:
            assert value["$ref"] == "#/components/schemas/Boolean"
        elif kind is ImageInput:
            assert value["format"] == "uri"
        elif rule.choices:
            assert value["enum"] == list(rule.choices)
        else:
            assert value["maxLength"] == rule.longest


@EVERY_FIELD
def test_required(operation: Operation, declared: Field[Any]) -> None:
    required, name = declared.default is MISSING, declared.name
    for parameter in PATHS[operation.path].get("get", {"parameters": []})["parameters"]:
        assert parameter["name"] != name or parameter["required"] == required
    assert (name in body(operation, JSON)["required"]) == required
    assert (name in body(operation, FORM)["required"]) == required


@EVERY_FIELD
def test_file(operation: Operation, declared: Field[Any]) -> None:
    form, upload = body(operation, MULTIPART), annotation(declared)[1].upload
    if not upload:
        assert form["properties"][declared.name].get("format") != "binary"
        return
    assert form["properties"][upload]["format"] == "binary"
    if upload == declared.name:
        assert (upload in form["required"]) == (declared.default is MISSING)
    elif declared.default is MISSING:
        assert form["oneOf"] == [{"required": [declared.name]}, {"required": [upload]}]


def test_every_spelling_of_a_boolean() -> None:
    spellings = DOCUMENT["components"]["schemas"]["Boolean"]["enum"]
    assert {str(spelling).lower() for spelling in spellings} == {*TRUE, *FALSE, "", "none"}


@EVERY_OPERATION
def test_replies_are_those_of_the_operation(operation: Operation) -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for reply in operation.replies:
        names = [declared.name for declared in fields(reply) if declared.name != "findings"]
        findings = [*Findings.__annotations__] if len(names) < len(fields(reply)) else []
        assert schemas[reply.__name__]["required"] == names
        assert [*schemas[reply.__name__]["properties"]] == names + findings


@EVERY_OPERATION
def test_statuses(operation: Operation) -> None:
    declared = {each.name: annotation(each)[1] for each in fields(operation.fields)}
    blob = {"303"} if "blob" in declared else set()
    failed = set(declared["fail_status"].choices) if "fail_status" in declared else set()
    for described in PATHS[operation.path].values():
        assert described["responses"].keys() == {"200"} | blob | failed | ERRORS
        assert ("image/*" in described["responses"]["200"]["content"]) == bool(blob)


def test_the_limits() -> None:
    about = DOCUMENT["info"]["description"]
    settings = Settings.from_env(environment("any", "any"))
    assert f"{settings.max_image_bytes} bytes" in about
    assert f"{settings.max_image_pixels} pixels" in about
    assert f"{settings.fetch_timeout_seconds} seconds" in about
    assert f"{MAX_INLINE_BYTES} bytes" in about
