"""The template's state machine, run by moto, with a function of the test's own."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
import requests
from moto.core.config import default_user_config

from local import batches
from local.stack import ACCOUNT, MACHINE, REGION, RESULTS, Stack, environment, fill
from local.template import resources
from local.workers import FunctionFailed

BATCH = {"name": "night", "run": "0123456789abcdef"}
STORAGE = FunctionFailed({"errorType": "StorageUnavailable", "errorMessage": "try again"})

type Json = dict[str, Any]


class Function:
    """In place of the batch function: what was asked of it, and answers as told."""

    def __init__(self) -> None:
        self.compared: list[list[int]] = []
        self.summarised = 0
        self.items: list[Json] = []
        self.refused: str | None = None
        # What happens to a line, each time that it is compared.
        self.fate: dict[int, Callable[[], list[Json]]] = {}

    def __call__(self, event: Json) -> Json:
        assert event["batch"] == BATCH
        match event["task"]:
            case "prepare":
                return self._prepare()
            case "compare":
                lines = [item["line"] for item in event["items"]]
                self.compared.append(lines)
                rest = self.fate[lines[0]]() if lines[0] in self.fate else []
                return {"batch": event["batch"], "items": rest}
            case "summarise":
                self.summarised += 1
                return {"total": len(self.items)}
        raise AssertionError(event)

    def _prepare(self) -> Json:
        if self.refused:
            return {"refused": self.refused}
        key = "batches/night/0123456789abcdef/items.json"
        boto3.client("s3").put_object(Bucket=RESULTS, Key=key, Body=json.dumps(self.items))
        return {"items": {"bucket": RESULTS, "key": key}, "total": len(self.items)}

    def times(self) -> Counter[int]:
        """How often each line was compared."""
        return Counter(line for lines in self.compared for line in lines)


def fails(error: Exception, times: int) -> Callable[[], list[Json]]:
    left = [error] * times

    def fail() -> list[Json]:
        if left:
            raise left.pop()
        return []

    return fail


@pytest.fixture(scope="module")
def machine() -> Iterator[list[Function]]:
    """The state machine, and the function that answers it: the last of the list."""
    functions: list[Function] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_PORT", "set by the stack")
        stack = Stack("127.0.0.1", 0)
        for name in ("lambda", "stepfunctions"):
            patch.setitem(default_user_config, name, default_user_config[name])
        for name, value in environment(stack.endpoint, "http://127.0.0.1:9").items():
            patch.setenv(name, value)
        boto3.setup_default_session()
        fill()
        definition = json.dumps(resources()["BatchStateMachine"]["Definition"])
        # Attempts need not be as far from each other here.
        hasty = json.loads(definition.replace('"IntervalSeconds": 2', '"IntervalSeconds": 1'))

        def invoke(event: Json) -> Json:
            return functions[-1](event)

        batches.run(hasty, invoke)
        yield functions
        requests.post(f"{stack.endpoint}/moto-api/reset", timeout=30).raise_for_status()
        boto3.DEFAULT_SESSION = None
        stack.stop()


@pytest.fixture
def function(machine: list[Function]) -> Function:
    machine.append(Function())
    machine[-1].items = [{"line": line, "id": str(line)} for line in range(1, 6)]
    return machine[-1]


def execute(name: str, machine: str = MACHINE, given: Json | None = None) -> Json:
    """What became of an execution."""
    states = boto3.client("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{machine}",
        name=name,
        input=json.dumps(given or {"batch": BATCH}),
    )["executionArn"]
    by = time.monotonic() + 60
    while (told := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < by
        time.sleep(0.05)
    return dict(told)


def test_every_line_is_compared_once_and_summed_up(function: Function) -> None:
    told = execute("whole")

    assert told["status"] == "SUCCEEDED"
    assert json.loads(told["output"]) == {"answer": {"total": 5}}
    assert function.times() == dict.fromkeys(range(1, 6), 1)
    assert function.summarised == 1


def test_what_time_did_not_allow_is_compared_then(function: Function) -> None:
    rest = [{"line": 31}, {"line": 32}]
    function.fate[3] = lambda: rest
    function.fate[31] = lambda: rest[1:]

    assert execute("rest")["status"] == "SUCCEEDED"
    of_the_third = [lines for lines in function.compared if lines[-1] in {3, 32}]
    assert of_the_third == [[3], [31, 32], [32]]
    assert function.summarised == 1


def test_what_is_no_batch_is_refused_and_says_why(function: Function) -> None:
    function.refused = "the batch is empty"

    told = execute("refused")

    assert (told["status"], told["error"]) == ("FAILED", "Refused")
    assert told["cause"] == "the batch is empty"
    assert not function.compared
    assert not function.summarised


def test_trouble_of_storage_is_tried_again(function: Function) -> None:
    # A line that fails twice is lost, unless it is for that.
    function.fate[2] = fails(STORAGE, 2)

    assert execute("storage")["status"] == "SUCCEEDED"
    assert function.times() == {1: 1, 2: 3, 3: 1, 4: 1, 5: 1}


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        EOFError(),
        FunctionFailed({"errorType": "MemoryError", "errorMessage": "of the handler"}),
    ],
)
def test_a_line_that_ends_the_function_is_tried_by_itself_and_takes_no_other_along(
    function: Function, error: Exception
) -> None:
    function.fate[4] = fails(error, 9)

    assert execute(f"crash-{type(error).__name__}")["status"] == "SUCCEEDED"
    assert function.times() == {1: 1, 2: 1, 3: 1, 4: 2, 5: 1}
    assert function.summarised == 1


# What moto can not run of the map: the pieces that ItemBatcher makes, each an execution of the
# map's own states. "The interpreter groups items until a piece has MaxItemsPerBatch of them, or
# its JSON MaxInputBytesPerBatch; each piece is given as BatchInput and Items."

COMPARE = resources()["BatchStateMachine"]["Definition"]["States"]["Compare"]


def pieces(items: list[Json]) -> list[Json]:
    batcher = COMPARE["ItemBatcher"]
    assert batcher["BatchInput"] == {"batch.$": "$.batch"}
    made: list[Json] = []
    for item in items:
        if made:
            longer = {**made[-1], "Items": [*made[-1]["Items"], item]}
            small = len(json.dumps(longer).encode()) <= batcher["MaxInputBytesPerBatch"]
            if small and len(longer["Items"]) <= batcher["MaxItemsPerBatch"]:
                made[-1] = longer
                continue
        made.append({"BatchInput": {"batch": BATCH}, "Items": [item]})
    return made


@pytest.fixture(scope="module")
def piece(machine: list[Function]) -> str:
    """A state machine of the states that compare a piece."""
    del machine
    states = {name: COMPARE["ItemProcessor"][name] for name in ("StartAt", "States")}
    boto3.client("stepfunctions").create_state_machine(
        name="piece",
        definition=json.dumps(states),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
    )
    return "piece"


def test_no_piece_is_more_than_a_state_may_be_given() -> None:
    lines = [{"line": line, "id": "x" * (64_000 if line % 7 == 0 else 90)} for line in range(500)]
    made = pieces(lines)

    assert [item for one in made for item in one["Items"]] == lines
    assert max(len(one["Items"]) for one in made) <= 50
    assert max(len(json.dumps(one)) for one in made) < 256 * 1024


def test_the_lines_of_a_piece_are_compared_at_once(function: Function, piece: str) -> None:
    [given] = pieces(function.items)

    assert execute("whole", piece, given)["status"] == "SUCCEEDED"
    assert function.compared == [[1, 2, 3, 4, 5]]


def test_what_time_did_not_allow_of_a_piece_is_compared_then(
    function: Function, piece: str
) -> None:
    [given] = pieces(function.items)
    function.fate[1] = lambda: function.items[3:]

    assert execute("rest", piece, given)["status"] == "SUCCEEDED"
    assert function.compared == [[1, 2, 3, 4, 5], [4, 5]]


def test_a_line_that_ends_the_function_takes_no_other_of_its_piece_along(
    function: Function, piece: str
) -> None:
    [given] = pieces(function.items)
    function.fate[1] = fails(EOFError(), 1)
    function.fate[4] = fails(EOFError(), 9)

    told = execute("crash", piece, given)

    # As one of those failures of which some are tolerated.
    assert (told["status"], told["error"]) == ("FAILED", "LinesLost")
    assert function.compared == [[1, 2, 3, 4, 5], [1], [2], [3], [4], [5]]


def test_a_piece_whose_lines_end_nothing_by_themselves_is_whole(
    function: Function, piece: str
) -> None:
    [given] = pieces(function.items)
    function.fate[1] = fails(TimeoutError(), 1)

    assert execute("again", piece, given)["status"] == "SUCCEEDED"
    assert function.compared == [[1, 2, 3, 4, 5], [1], [2], [3], [4], [5]]
