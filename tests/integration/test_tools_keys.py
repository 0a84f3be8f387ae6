"""The command for keys, and what the service makes of the keys that it writes."""

import io
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from PIL import Image
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from imgdiff.keys import Key, hash_key
from imgdiff.media import Place
from local import front
from local.stack import Stack
from tests.integration.conftest import BASE_URL, Get, Invoke, Reply, sample
from tools.keys import KeysTable, Refused, main, open_table

ROOT = Path(__file__).parents[2]
TABLE = "imgdiff-keys"
PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png")}
BUCKET = "mine"


@pytest.fixture(scope="module", autouse=True)
def stack(aws: None) -> None:
    """The stack on AWS, as far as the command looks at it, and one that is not ours."""
    del aws
    resources = {"Any": {"Type": "AWS::S3::Bucket", "Properties": {}}}
    table = {"KeysTableName": {"Value": TABLE}}
    cloudformation = boto3.client("cloudformation")
    for name, outputs in (("imgdiff", table), ("another", {})):
        template = json.dumps({"Resources": resources, "Outputs": outputs})
        cloudformation.create_stack(StackName=name, TemplateBody=template)
    boto3.client("s3").create_bucket(Bucket=BUCKET)


@pytest.fixture(autouse=True)
def _empty() -> None:
    dynamodb = boto3.client("dynamodb")
    for item in items():
        key = {"key_sha256": item["key_sha256"]}
        dynamodb.delete_item(TableName=TABLE, Key=key)


def items() -> list[dict[str, Any]]:
    """All that is in the table."""
    return [dict(item) for item in boto3.client("dynamodb").scan(TableName=TABLE)["Items"]]


def item_of(secret: str) -> dict[str, Any]:
    [item] = [item for item in items() if item["key_sha256"]["S"] == hash_key(secret)]
    return item


type Tool = Callable[..., str]


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Tool:
    """Run the command and return what it writes to the standard output."""

    def run(*arguments: str) -> str:
        main(arguments)
        return capsys.readouterr().out.removesuffix("\n")

    return run


def rows(listed: str) -> list[list[str]]:
    return [re.split("  +", line) for line in listed.splitlines()[1:]]


# What it writes.


def test_create(tool: Tool) -> None:
    secret = tool("create", "--name=ci")
    assert re.fullmatch("imgdiff_[0-9a-f]{32}", secret)
    assert item_of(secret) == {"key_sha256": {"S": hash_key(secret)}, "name": {"S": "ci"}}
    assert secret != tool("create", "--name=another")


def test_create_with_all_that_a_key_may_carry(tool: Tool) -> None:
    secret = tool(
        *("create", "--name=ci", "--per-minute=60", "--per-day=1000", "--expires=2100-01-01"),
        *("--bucket", BUCKET, "--prefix=/results/ci"),
    )
    item = item_of(secret)
    handle = item["handle"]["S"]
    assert re.fullmatch("[0-9a-f]{12}", handle)
    at = {"bucket": {"S": BUCKET}, "prefix": {"S": "results/ci/"}}
    assert item == {
        "key_sha256": {"S": hash_key(secret)},
        "name": {"S": "ci"},
        "per_minute": {"N": "60"},
        "per_day": {"N": "1000"},
        "valid_until": {"N": "4102444800"},
        "handle": {"S": handle},
        **at,
    }
    assert {"key_sha256": {"S": f"place#{handle}"}, **at} in items()


@pytest.mark.parametrize(
    ("given", "expected"),
    [("", ""), ("/", ""), ("a", "a/"), ("a/", "a/"), ("/a/b//", "a/b/"), ("a b", "a b/")],
)
def test_prefix_ends_in_a_slash(tool: Tool, given: str, expected: str) -> None:
    secret = tool("create", "--name=ci", "--bucket", BUCKET, "--prefix", given)
    assert item_of(secret)["prefix"] == {"S": expected}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2100-01-01", "2100-01-01T00:00Z"),
        ("2100-01-01T12:30", "2100-01-01T12:30Z"),
        ("2100-01-01 12:30:05", "2100-01-01T12:30:05Z"),
        ("2100-01-01T12:30Z", "2100-01-01T12:30Z"),
        ("2100-01-01T12:30+02:00", "2100-01-01T10:30Z"),
    ],
)
def test_expiry_is_in_utc(tool: Tool, given: str, expected: str) -> None:
    secret = tool("create", "--name=ci", "--expires", given)
    seconds = datetime.fromisoformat(expected).timestamp()
    assert item_of(secret)["valid_until"] == {"N": f"{seconds:.0f}"}


def test_nothing_tells_the_key_again(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    created = [tool("create", "--name=ci"), tool("rotate", "--name=ci")]
    main(["list"])
    main(["disable", "--name=ci"])
    main(["enable", f"--name={hash_key(created[0])[:8]}"])
    told = "".join(capsys.readouterr()) + json.dumps(items())
    for secret in created:
        assert secret.removeprefix("imgdiff_")[:8] not in told
        assert hash_key(secret)[:8] in told


def test_list(tool: Tool) -> None:
    assert rows(tool("list")) == []
    full = tool(
        *("create", "--name=full", "--per-minute=60", "--per-day=1000", "--expires=2100-01-01"),
        *("--bucket", BUCKET, "--prefix=ci"),
    )
    bare, old = tool("create", "--name=bare"), tool("create", "--name=old")
    tool("disable", "--name=old")
    until = "2100-01-01 00:00"
    assert rows(tool("list")) == [
        ["bare", hash_key(bare)[:8], "enabled", "-", "-", "-", "-"],
        ["full", hash_key(full)[:8], "enabled", "60", "1000", until, f"s3://{BUCKET}/ci/"],
        ["old", hash_key(old)[:8], "disabled", "-", "-", "-", "-"],
    ]


def test_list_tells_what_has_expired() -> None:
    table = open_table("imgdiff", None, now=1000)
    table.create(Key("early", expires_at=1000))
    table.create(Key("late", expires_at=1001))
    states = {stored.key.name: stored.state(1000) for stored in table.list_keys()}
    assert states == {"early": "expired", "late": "enabled"}


# What it refuses.


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command; the sentence it ends with."""
    before = items()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code not in {0, None}
    assert items() == before
    said = capsys.readouterr().err.strip() or str(ended.value)
    assert "Traceback" not in said
    return said.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("create", "the following arguments are required: --name"),
        ("create --name=", "must have 1 to 64 printable characters"),
        ("create --name=a\tb", "must have 1 to 64 printable characters"),
        (f"create --name={'x' * 65}", "must have 1 to 64 printable characters"),
        ("create --name=ci --per-minute=0", "must be a whole number from 1, not '0'"),
        ("create --name=ci --per-day=-1", "must be a whole number from 1, not '-1'"),
        ("create --name=ci --per-day=many", "must be a whole number from 1, not 'many'"),
        ("create --name=ci --expires=soon", "not 'soon'"),
        ("create --name=ci --expires=2020-01-01", "must be in the future, not '2020-01-01'"),
        ("create --name=ci --bucket=s3://mine", "must be the name of an S3 bucket"),
        ("create --name=ci --prefix=results", "a prefix needs a bucket"),
        ("disable --name=nobody", "there is no key named nobody"),
        ("enable --name=nobody", "there is no key named nobody"),
        ("rotate --name=nobody", "there is no key named nobody"),
        ("list --stack=nowhere", "Stack with id nowhere does not exist"),
        ("list --stack=another", "the stack another has no output KeysTableName"),
    ],
)
def test_refused(capsys: pytest.CaptureFixture[str], arguments: str, sentence: str) -> None:
    assert sentence in fails(capsys, *arguments.split(" "))


def test_an_enabled_name_is_taken(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    tool("create", "--name=ci")
    taken = "a key named ci is enabled: disable it first, or rotate it"
    assert fails(capsys, "create", "--name=ci") == taken
    tool("disable", "--name=ci")
    tool("create", "--name=ci")
    assert fails(capsys, "enable", "--name=ci") == taken


def test_a_state_that_it_is_in(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    tool("create", "--name=ci")
    assert fails(capsys, "enable", "--name=ci") == "the key ci is enabled"
    tool("disable", "--name=ci")
    assert fails(capsys, "disable", "--name=ci") == "the key ci is disabled"
    assert fails(capsys, "rotate", "--name=ci") == "the key ci is disabled"


def test_one_of_several_by_its_hash(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    secrets_made = []
    for _ in range(2):
        secrets_made.append(tool("create", "--name=ci"))
        tool("disable", "--name=ci")
    hashes = sorted(hash_key(secret)[:8] for secret in secrets_made)
    assert fails(capsys, "enable", "--name=ci") == (
        f"2 disabled keys are named ci, name one of them: {', '.join(hashes)}"
    )
    tool("enable", f"--name={hashes[1]}")
    assert [row[1] for row in rows(tool("list")) if row[2] == "enabled"] == [hashes[1]]


def test_without_credentials(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.delenv("AWS_SECRET_ACCESS_KEY")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        with pytest.raises(SystemExit) as ended:
            main(["list"])
    assert (ended.value.code, capsys.readouterr().err) == ("Unable to locate credentials", "")


def test_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        patch.delenv("AWS_DEFAULT_REGION")
        with pytest.raises(SystemExit) as ended:
            main(["list"])
    assert ended.value.code == "You must specify a region."


def test_nothing_is_overwritten(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    tool("create", "--name=other")
    monkeypatch.setattr(secrets, "token_hex", lambda size: "0" * 2 * size)
    tool("create", "--name=first", "--bucket", BUCKET)
    before = items()
    table = open_table("imgdiff", None, now=0)
    with pytest.raises(Refused, match="changed by someone else"):
        table.create(Key("second"))
    with pytest.raises(Refused, match="changed by someone else"):
        table.rotate("other")
    monkeypatch.setattr("tools.keys._new_key", lambda: "another key, whose place is taken")
    with pytest.raises(Refused, match="changed by someone else"):
        table.create(Key("third", place=Place("0" * 12, BUCKET, "")))
    assert items() == before


def test_one_of_two_rotations_at_once_is_refused(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool("create", "--name=ci")
    table = open_table("imgdiff", None, now=0)
    seen = table.list_keys()
    table.rotate("ci")
    before = items()
    monkeypatch.setattr(KeysTable, "list_keys", lambda _: seen)
    for change in (table.rotate, table.disable):
        with pytest.raises(Refused, match="changed by someone else"):
            change("ci")
    assert items() == before


# Which keys work.


@pytest.fixture
def status(get: Get) -> Callable[[str], int]:
    """What a request with a key is answered with."""

    def call(secret: str) -> int:
        reply = get("/imgdiff", {**PAGE, "key": secret, "blob": "true"})
        if reply.status == 401:
            assert reply.json() == {"status": 401, "error": "the key is not valid"}
        return reply.status

    return call


def test_a_disabled_key_works_no_more_until_it_is_enabled(
    tool: Tool, status: Callable[[str], int]
) -> None:
    secret = tool("create", "--name=ci")
    assert status(secret) == 200
    tool("disable", "--name=ci")
    assert status(secret) == 401
    tool("enable", "--name=ci")
    assert status(secret) == 200


@pytest.mark.parametrize("value", [{"S": "true"}, {"S": "yes"}, {"N": "1"}, {"BOOL": True}])
def test_an_item_disabled_by_hand(
    tool: Tool, status: Callable[[str], int], value: dict[str, Any]
) -> None:
    secret = tool("create", "--name=ci")
    item = {**item_of(secret), "disabled": value}
    boto3.client("dynamodb").put_item(TableName=TABLE, Item=item)
    assert status(secret) == 401
    assert "disabled" in tool("list")
    tool("enable", "--name=ci")
    assert status(secret) == 200


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 401), (0, 401), (60, 200)])
def test_an_expired_key(status: Callable[[str], int], seconds: int, expected: int) -> None:
    now = int(time.time())
    secret = open_table("imgdiff", None, now).create(Key("ci", expires_at=now + seconds))
    assert status(secret) == expected


def test_rotate(tool: Tool, status: Callable[[str], int]) -> None:
    limits = ("--per-minute=60", "--per-day=1000", "--expires=2100-01-01", "--bucket", BUCKET)
    old = tool("create", "--name=ci", *limits)
    record = item_of(old)
    new = tool("rotate", "--name=ci")
    assert (status(old), status(new)) == (401, 200)
    assert item_of(new) == {**record, "key_sha256": {"S": hash_key(new)}}
    assert item_of(old) == {**record, "disabled": {"BOOL": True}}


def test_rotate_with_grace(tool: Tool, status: Callable[[str], int]) -> None:
    old = tool("create", "--name=ci")
    new = tool("rotate", "--name=ci", "--grace=2")
    assert (status(old), status(new)) == (200, 200)
    until = int(item_of(old)["valid_until"]["N"])
    assert until == pytest.approx(time.time() + 7200, abs=60)
    assert "valid_until" not in item_of(new)
    tool("disable", "--name=ci")
    assert (status(old), status(new)) == (401, 401)


def test_grace_ends_with_the_key(tool: Tool) -> None:
    end = int(time.time()) + 600
    old = tool("create", "--name=ci", f"--expires={datetime.fromtimestamp(end, UTC).isoformat()}")
    tool("rotate", "--name=ci", "--grace=2")
    assert item_of(old)["valid_until"] == {"N": str(end)}


# A bucket of the caller's own.


class Own:
    """A caller whose results go to a bucket of their own."""

    def __init__(self, secret: str, invoke: Invoke) -> None:
        self.secret = secret
        self.handle = item_of(secret)["handle"]["S"]
        self._invoke = invoke

    def call(self, path: str, **fields: Any) -> Reply:
        form = {"key": self.secret, **fields} if fields else None
        method = "POST" if fields else "GET"
        sent = EnvironBuilder(path, method=method, data=form).get_environ()
        return self._invoke(front.event(Request(sent)))

    def stored(self) -> set[str]:
        listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET)
        return {found["Key"] for found in listed.get("Contents", [])}


@pytest.fixture
def own(tool: Tool, invoke: Invoke) -> Own:
    return Own(tool("create", "--name=ci", "--bucket", BUCKET, "--prefix=a/b"), invoke)


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (1280, 800), "teal").save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/imgdiff", PAGE),
        ("/resize", {"img": PAGE["src"], "width": "20"}),
        ("/crop", {"img": PAGE["src"], "width": "20"}),
        ("/store", {"url": PAGE["src"]}),
        ("/store", {"file": (io.BytesIO(png()), "a.png")}),
    ],
)
def test_results_lie_there(own: Own, path: str, fields: dict[str, Any]) -> None:
    shared = boto3.client("s3").list_objects_v2(Bucket="imgdiff-media")["KeyCount"]
    before = own.stored()
    body = own.call(path, **fields).json()
    assert re.fullmatch(rf"[0-9a-f]{{32}}-{own.handle}\.png", body["id"])
    assert body["link"] == f"{BASE_URL}/media/{body['id']}"
    assert own.stored() - before == {f"a/b/{body['id']}"}
    assert boto3.client("s3").list_objects_v2(Bucket="imgdiff-media")["KeyCount"] == shared


def test_its_link_works(own: Own, get: Get, tool: Tool) -> None:
    body = own.call("/imgdiff", **PAGE).json()
    tool("disable", "--name=ci")
    redirect = get(f"/media/{body['id']}")
    assert redirect.status == 302
    assert redirect.headers["location"].startswith(
        f"https://{BUCKET}.s3.amazonaws.com/a/b/{body['id']}?"
    )
    found = boto3.client("s3").get_object(Bucket=BUCKET, Key=f"a/b/{body['id']}")["Body"].read()
    assert requests.get(redirect.headers["location"], timeout=5).content == found


def test_its_link_is_an_image_to_compare(own: Own) -> None:
    link = own.call("/store", file=(io.BytesIO(png()), "a.png")).json()["link"]
    assert own.call("/imgdiff", src=link, target=link).json()["diff"] == 0
    assert own.call("/imgdiff", src=link, target=PAGE["src"]).json()["diff"] > 0


def test_its_link_outlives_a_rotation(own: Own, tool: Tool, get: Get) -> None:
    media_id = own.call("/imgdiff", **PAGE).json()["id"]
    own.secret = tool("rotate", "--name=ci")
    assert get(f"/media/{media_id}").status == 302
    assert own.call("/imgdiff", **PAGE).json()["id"].endswith(f"-{own.handle}.png")


@pytest.mark.parametrize("handle", ["000000000000", "ffffffffffff"])
def test_unknown_handle(own: Own, get: Get, handle: str) -> None:
    media_id = own.call("/imgdiff", **PAGE).json()["id"].replace(own.handle, handle)
    sentence = "names no media, or media that has expired"
    assert get(f"/media/{media_id}").json() == {"status": 404, "error": f"id {sentence}"}
    reply = own.call("/imgdiff", **{**PAGE, "src": f"{BASE_URL}/media/{media_id}"})
    assert reply.json() == {"status": 404, "error": f"src {sentence}"}


def test_a_handle_that_is_taken_off_leads_nowhere(own: Own, get: Get) -> None:
    media_id = own.call("/imgdiff", **PAGE).json()["id"].replace(f"-{own.handle}", "")
    assert get(f"/media/{media_id}").status == 404


def test_an_upload_goes_there_directly(own: Own, get: Get) -> None:
    body = own.call("/store", presign="true", size="100000", type="image/png").json()
    assert body["url"].startswith(f"https://{BUCKET}.s3.amazonaws.com/")
    assert body["fields"]["key"] == f"a/b/{body['id']}"
    assert get(f"/media/{body['id']}").status == 404

    requests.post(body["url"], body["fields"], files={"file": png()}, timeout=5)
    assert f"a/b/{body['id']}" in own.stored()
    assert get(f"/media/{body['id']}").status == 302
    assert own.call("/imgdiff", src=body["link"], target=body["link"]).json()["diff"] == 0


# From the command line.


@pytest.fixture(scope="module")
def port(aws: None) -> Iterator[int]:
    """The port of a service whose AWS endpoint, the next one, is that of this test."""
    del aws
    running = Stack("127.0.0.1", 0)
    yield int(running.endpoint.rpartition(":")[2]) - 1
    running.stop()


def make(*words: str) -> subprocess.CompletedProcess[str]:
    # What is installed is what runs the test, so there is nothing to make first.
    command = ["make", "--silent", "--old-file=.venv/ready", f"PYTHON={sys.executable}", *words]
    # The variables of a `make test` around this are not for this one.
    environ = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


@needs_make
def test_make_hands_every_value_over_as_it_is(port: int) -> None:
    name = """it's "$(echo a)" `echo b` $$x; echo c #$(shell echo d) \\ 'e' &"""
    given = ["PER_MINUTE=60", "PER_DAY=1000", "EXPIRES=2100-01-01", "BUCKET=mine", "PREFIX=a b"]
    made = make("key-create", f"NAME={name}", *given, f"LOCAL={port}")
    assert made.stderr == "This key is not shown again; the table has only its hash:\n"
    item = item_of(made.stdout.strip())
    assert item["name"] == {"S": name}
    values = [item[field].popitem()[1] for field in ("per_minute", "per_day", "valid_until")]
    assert values == ["60", "1000", "4102444800"]
    assert (item["bucket"], item["prefix"]) == ({"S": "mine"}, {"S": "a b/"})


@needs_make
def test_a_key_under_make(port: int, tool: Tool) -> None:
    old = tool("create", "--name=ci")
    local = f"LOCAL={port}"
    new = make("key-rotate", "NAME=ci", "GRACE=1", local).stdout.strip()
    assert "valid_until" in item_of(old)
    disabled = make("key-disable", f"NAME={hash_key(new)[:8]}", local)
    assert disabled.stdout == f"disabled ci {hash_key(new)[:8]}\n"
    states = [(row[1], row[2]) for row in rows(make("key-list", local).stdout)]
    assert states == [(hash_key(old)[:8], "enabled"), (hash_key(new)[:8], "disabled")]


@needs_make
def test_without_the_service() -> None:
    # Bound and not listening: nothing else takes the port, and whoever connects is refused.
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1] - 1
        failed = make("key-list", f"LOCAL={port}")
    assert failed.returncode != 0
    assert failed.stderr.splitlines()[0] == (
        f'Could not connect to the endpoint URL: "http://127.0.0.1:{port + 1}/". '
        f"Start the service: make run PORT={port}"
    )
