"""The running service against its own description: what it says it takes, answers and refuses."""

import json
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import assume
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import ignored_auth
from schemathesis.transport.serialization import serialize_binary

from imgdiff.addresses import Guard, is_ip
from imgdiff.errors import ImgdiffError
from imgdiff.submission import read_submission
from local.stack import KEY, SAMPLES, sample_id
from tests.local.service import ROOT, Service

PAGE = ROOT / "functions" / "imgdiff" / "pages" / "openapi.json"
CONFIG = {
    "seed": 1,
    "request-timeout": 30,
    # Texts found in the sources would make the cases change with them.
    "analysis": {"constants": {"enabled": False}},
    "generation": {"max-examples": 25, "deterministic": True, "with-security-parameters": False},
    "auth": {"openapi": {"keyInQuery": {"api_key": KEY}}},
    "checks": {
        # What fits the description may still name no image, or two of different sizes.
        "positive_data_acceptance": {"enabled": False},
        # Once for each operation will do: it sends each request twice more.
        "ignored_auth": {"enabled": False},
    },
}
# The media's addresses as the function knows them, whatever the port of this machine.
LINKS = [f"https://127.0.0.1/media/{sample_id(name)}" for name in reversed(SAMPLES)]
FILES = [(ROOT / "samples" / name).read_bytes() for name in reversed(SAMPLES)]
GONE = f"https://127.0.0.1/media/{'0' * 32}.png"
SOME = "http://127.0.0.1/imgdiff"
# What API Gateway takes of a request's line and headers; longer ones never reach the service.
MOST_URL = 10_240
REFUSED = ["http://10.0.0.1/", "http://127.0.0.1:3000/", "https://[::1]/", "ftp://a.invalid/", "x:"]

# In place of these defaults, with which most requests would lack a size or an image.
DEFAULTS = {0: 64, "": LINKS[0]}


def with_useful_default(schema: dict[str, Any]) -> dict[str, Any]:
    if "anyOf" in schema and schema.get("default") in DEFAULTS:
        schema["default"] = DEFAULTS[schema["default"]]
    return schema


@schemathesis.serializer("application/jsonl", "application/x-ndjson", "application/json-lines")
def lines(_context: Any, value: Any) -> Any:
    return serialize_binary(value)


schemathesis.openapi.format("uri", st.sampled_from(LINKS) | st.sampled_from([GONE, *REFUSED]))
description = schemathesis.openapi.from_dict(
    json.loads(PAGE.read_text(), object_hook=with_useful_default),
    config=SchemathesisConfig.from_dict(CONFIG),
)


def leaves(request: requests.PreparedRequest) -> bool:
    """Whether the service, reading the request as it does, might reach for another host."""
    query = str(request.url).partition("?")[2]
    content_type = str(request.headers.get("content-type", ""))
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    try:
        submission = read_submission(query, content_type, body, max_bytes=len(body))
    except ImgdiffError:
        return False
    return any(is_elsewhere(text) for texts in submission.values.values() for text in texts)


def is_elsewhere(text: str) -> bool:
    try:
        host = Guard().locate(text).host
    except ImgdiffError:
        return False
    return not is_ip(host) or Guard().allows(host)


@description.parametrize()
def test_operation(case: schemathesis.Case[Any], service: Service) -> None:
    sent = requests.Request(**case.as_transport_kwargs(base_url=service.url)).prepare()
    assume(len(str(sent.url)) < MOST_URL and not leaves(sent))
    case.call_and_validate(base_url=service.url)


@pytest.mark.parametrize("blob", ["true", "false"])
@pytest.mark.parametrize(
    ("path", "media_type", "fields"),
    [
        ("/imgdiff", "application/json", {"src": LINKS[0], "target": LINKS[1]}),
        ("/imgdiff", "multipart/form-data", {"src": FILES[2], "target": FILES[3]}),
        ("/store", "application/x-www-form-urlencoded", {"url": LINKS[2]}),
        ("/store", "multipart/form-data", {"file": FILES[2]}),
        ("/store", "application/json", {"presign": True, "size": 20_000_000}),
        ("/resize", "application/json", {"img": LINKS[0], "width": "64", "height": 48.0}),
        ("/resize", "multipart/form-data", {"file": FILES[2], "height": 48}),
        ("/crop", "application/x-www-form-urlencoded", {"img": LINKS[2], "x": 9, "width": 64}),
        ("/crop", "multipart/form-data", {"file": FILES[0], "y": 9, "width": 64}),
    ],
)
def test_success(
    service: Service, path: str, media_type: str, fields: dict[str, Any], blob: str
) -> None:
    case = description[path]["POST"].Case(
        headers={"x-api-key": KEY}, body=fields | {"blob": blob}, media_type=media_type
    )
    reply = case.call_and_validate(base_url=service.url, additional_checks=[ignored_auth])
    assert reply.status_code == 200


def test_link(service: Service) -> None:
    case = description["/media/{id}"]["GET"].Case(path_parameters={"id": sample_id(SAMPLES[0])})
    assert case.call_and_validate(base_url=service.url).status_code == 302


def test_the_service_tells_the_same(service: Service) -> None:
    told = requests.get(f"{service.url}/openapi.json", timeout=10)
    assert told.content == PAGE.read_bytes()


@pytest.mark.parametrize(
    "request_",
    [
        requests.Request("GET", SOME, params={"src": "http://example.com/a.png"}),
        requests.Request("POST", SOME, data={"a": "1", "b": "https://93.184.215.14/"}),
        requests.Request("POST", SOME, json={"a": "http://localhost.example/"}),
        requests.Request("POST", SOME, files={"src": (None, "http://example.com")}),
    ],
)
def test_what_might_leave_is_noticed(request_: requests.Request) -> None:
    assert leaves(request_.prepare())


@pytest.mark.parametrize("text", [*LINKS, GONE, *REFUSED])
def test_what_is_drawn_stays(text: str) -> None:
    assert not leaves(requests.Request("GET", SOME, params={"src": text}).prepare())
