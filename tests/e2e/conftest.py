"""The stack as it was built, under Lambda's own runtime, beside an embedded AWS."""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Protocol

import boto3
import pytest
import urllib3
from types_boto3_s3 import S3Client

from local import stack
from local.runtime import BUILT, Emulator, Function, built
from local.workers import Event
from tests.integration.conftest import BASE_URL, load

ROOT = Path(__file__).parents[2]
OURS = Path(__file__).parent / "functions"

type Json = dict[str, Any]


@dataclass(frozen=True)
class Runtime:
    """A running function, and what it and the emulator have logged."""

    emulator: Emulator
    file: IO[str]

    def invoke(self, event: Event) -> Json:
        return self.emulator.run(event)

    @property
    def log(self) -> str:
        self.file.seek(0)
        return self.file.read()


class Start(Protocol):
    def __call__(self, function: Function) -> Runtime: ...


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where the stack was built for this machine."""
    if sys.platform != "linux":
        pytest.skip("The emulator of Lambda's runtime runs on Linux alone.")
    if not (BUILT / "template.yaml").exists():
        pytest.fail("the stack is not built for this machine: run these tests by make e2e")
    return BUILT


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """An AWS that holds the key and the samples; the environment that leads to it."""
    running = stack.Stack("127.0.0.1", 0)
    environment = {**stack.environment(running.endpoint, BASE_URL)}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        stack.fill()
        yield environment
        urllib3.request("POST", f"{running.endpoint}/moto-api/reset")
    running.stop()


@pytest.fixture
def s3(aws: dict[str, str]) -> S3Client:
    del aws
    client: S3Client = boto3.client("s3")
    return client


@pytest.fixture(scope="module")
def declared(folder: Path, aws: dict[str, str]) -> Callable[[str], Function]:
    """A function of the template by its name."""
    return lambda name: built(name, folder, aws)


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Start a function in a runtime of its own."""
    with ExitStack() as running:

        def start(function: Function) -> Runtime:
            log = running.enter_context(tempfile.TemporaryFile("w+"))
            emulator = Emulator(function, log)
            running.callback(emulator.stop)
            return Runtime(emulator, log)

        yield start


@pytest.fixture
def ours(declared: Callable[[str], Function]) -> Callable[..., Function]:
    """A handler of the tests' own, with all else as the API's function has it."""

    def made(handler: str, **changes: Any) -> Function:
        function = replace(declared("ApiFunction"), code=OURS, handler=handler)
        return replace(function, **changes)

    return made


@pytest.fixture(scope="module")
def what_events_name(aws: dict[str, str]) -> None:
    """The state machine, the pair and the batch that events tell of."""
    del aws
    hold_what_events_name()


def hold_what_events_name() -> None:
    boto3.client("stepfunctions").create_state_machine(
        name=stack.MACHINE,
        definition=json.dumps({"StartAt": "Any", "States": {"Any": {"Type": "Pass", "End": True}}}),
        roleArn=f"arn:aws:iam::{stack.ACCOUNT}:role/any",
    )
    s3 = boto3.client("s3")
    for side in ("source", "target"):
        file = (ROOT / "samples" / f"page-{side}.png").read_bytes()
        s3.put_object(Bucket=stack.INBOX, Key=f"{side}/page.png", Body=file)
    event = load("batch-compare")
    lines = [json.dumps(item) for item in event["items"] if "src" in item]
    s3.put_object(Bucket=stack.INBOX, Key="batches/example.jsonl", Body="\n".join([*lines, "{"]))
    current = json.dumps({"run": event["batch"]["run"], "modified": ""})
    s3.put_object(Bucket=stack.RESULTS, Key="batches/example/run.json", Body=current)
