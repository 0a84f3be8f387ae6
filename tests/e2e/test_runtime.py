"""What Lambda does when a function fails it, seen at its runtime."""

import base64
import json
import os
import random
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from PIL import Image
from types_boto3_s3 import S3Client
from werkzeug.test import Client, EnvironBuilder, TestResponse
from werkzeug.wrappers import Request

from local import front, stack
from local.runtime import Emulator, Function
from local.workers import FunctionFailed, Workers
from tests.e2e.conftest import Start

API = "ApiFunction"
SAMPLES = Path(__file__).parents[2] / "samples"
PAYLOAD_BYTES = 6 * 1024 * 1024


def request(path: str, **what: Any) -> dict[str, Any]:
    return front.event(Request(EnvironBuilder(path, **what).get_environ()))


def failed(invoke: Callable[[], Any]) -> dict[str, Any]:
    with pytest.raises(FunctionFailed) as raised:
        invoke()
    return raised.value.answer


@contextmanager
def over_http(function: Function) -> Iterator[Client]:
    """A client of the HTTP front, behind which one runtime answers."""
    workers = Workers(partial(Emulator, function), seconds=60, number=1)
    try:
        yield Client(front.application(workers.invoke))
    finally:
        workers.stop()


def runtimes(parent: int) -> list[int]:
    """The processes that a process has started."""
    return [
        int(child)
        for task in Path(f"/proc/{parent}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


# The environment


@pytest.mark.parametrize("name", [API, "WorkerFunction", "BatchFunction"])
def test_a_function_has_what_the_template_gives_it_and_no_more(
    declared: Callable[[str], Function], start: Start, ours: Callable[..., Function], name: str
) -> None:
    function = declared(name)
    told = start(ours("handlers.told", timeout=function.timeout, variables=function.variables))
    answer = told.invoke({})

    assert function.variables.items() <= answer["variables"].items()
    assert not {"HOME", "VIRTUAL_ENV", "PYTEST_CURRENT_TEST"} & answer["variables"].keys()
    assert answer["memory"] == function.memory == 1769
    assert function.timeout - 5 < answer["seconds"] <= function.timeout


def test_a_setting_that_the_template_forgets_is_missed(
    declared: Callable[[str], Function], start: Start
) -> None:
    whole = declared(API)
    variables = {name: value for name, value in whole.variables.items() if name != "MEDIA_BUCKET"}
    function = start(replace(whole, variables=variables))

    assert function.invoke(request("/health"))["statusCode"] == 500
    assert "MEDIA_BUCKET is not set" in function.log


# Time


def test_a_handler_that_overruns_is_ended_and_the_next_call_answered(
    start: Start, ours: Callable[..., Function]
) -> None:
    function = start(ours("handlers.sleeps", timeout=1))

    assert failed(lambda: function.invoke({"seconds": 30})) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "Task timed out after 1.00 seconds",
    }
    assert function.invoke({"seconds": 0}) == {}


def test_the_function_answers_before_its_time_is_up(
    declared: Callable[[str], Function], start: Start
) -> None:
    whole = declared(API)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        variables = {**whole.variables, "AWS_ENDPOINT_URL": endpoint}
        function = start(replace(whole, timeout=9, variables=variables))
        reply = function.invoke(request("/imgdiff", query_string={"key": stack.KEY}))

    assert reply["statusCode"] == 503
    assert "Task timed out" not in function.log


# Images of others


class Images(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[tuple[str, int]]:
    """Where the samples are served by an address that is not of Lambda's own inside."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address besides its loopback")
        host: str = probe.getsockname()[0]
    handler = partial(Images, directory=SAMPLES)
    with ThreadingHTTPServer((host, 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield host, server.server_port
        server.shutdown()
        thread.join()


def test_images_of_a_network_that_is_allowed_are_fetched(
    declared: Callable[[str], Function], start: Start, origin: tuple[str, int]
) -> None:
    host, port = origin
    whole = declared(API)
    allowed = {"FETCH_ALLOWED_NETWORKS": f"{host}/32", "FETCH_ALLOWED_PORTS": str(port)}
    query = {
        "src": f"http://{host}:{port}/page-source.png",
        "key": stack.KEY,
        "target": f"http://{host}:{port}/page-target.png",
    }
    event = request("/imgdiff", query_string=query)
    fetched = start(replace(whole, variables={**whole.variables, **allowed})).invoke(event)
    refused = start(whole).invoke(event)

    assert json.loads(fetched["body"])["changed_pixels"] == 10_352
    assert refused["statusCode"] == 400


# Size


def test_a_reply_over_6_mb_never_leaves(start: Start, ours: Callable[..., Function]) -> None:
    function = start(ours("handlers.large"))
    fits = PAYLOAD_BYTES - 100

    assert len(function.invoke({"size": fits})["body"]) == fits
    assert failed(lambda: function.invoke({"size": PAYLOAD_BYTES + 1000}))["errorType"] == (
        "Function.ResponseSizeTooLarge"
    )


def noise(side: int, seed: int) -> bytes:
    file = BytesIO()
    pixels = random.Random(seed).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


@pytest.mark.parametrize(("side", "status"), [(1000, 200), (2000, 303)])
def test_a_picture_that_would_be_too_large_for_a_reply_is_stored_instead(
    declared: Callable[[str], Function], start: Start, s3: S3Client, side: int, status: int
) -> None:
    ids = [f"{number:032x}.png" for number in (side, side + 1)]
    for media_id in ids:
        s3.put_object(
            Bucket="imgdiff-media",
            Key=f"media/{media_id}",
            Body=noise(side, int(media_id[:32], 16)),
        )
    links = [f"http://127.0.0.1:3000/media/{media_id}" for media_id in ids]
    query = {"src": links[0], "target": links[1], "key": stack.KEY}
    query |= {"blob": "true", "style": "absolute"}
    reply = start(declared(API)).invoke(request("/imgdiff", query_string=query))

    assert reply["statusCode"] == status
    if status == 200:
        picture = Image.open(BytesIO(base64.b64decode(reply["body"])))
        assert picture.size == (side, side)
    else:
        [media_id] = re.findall(r"/media/(\S+)$", reply["headers"]["Location"])
        stored = s3.get_object(Bucket="imgdiff-media", Key=f"media/{media_id}")["Body"].read()
        assert len(stored) > PAYLOAD_BYTES * 3 / 4


# Start


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"handler": "imgdiff.api.renamed"}, "Runtime.HandlerNotFound"),
        ({"handler": "imgdiff.renamed.lambda_handler"}, "Runtime.ImportModuleError"),
        ({"packages": ()}, "Runtime.ImportModuleError"),
    ],
)
def test_a_function_that_can_not_start_says_why(
    declared: Callable[[str], Function], start: Start, changes: dict[str, Any], error: str
) -> None:
    function = start(replace(declared(API), **changes))

    assert failed(lambda: function.invoke(request("/health")))["errorType"] == error


def test_an_error_of_init_is_500_to_a_client_and_init_is_tried_anew(
    ours: Callable[..., Function], tmp_path: Path
) -> None:
    mended = tmp_path / "mended"
    with over_http(ours("broken.handler", variables={"MENDED": str(mended)})) as client:
        first = client.get("/")
        assert (first.status_code, first.json) == (500, {"message": "Internal Server Error"})
        mended.touch()
        assert client.get("/").data == b"answered"


# Ends


@pytest.mark.parametrize("end", ["/exit", "/crash", "/kill"])
def test_a_runtime_that_ends_fails_its_own_request_only(
    ours: Callable[..., Function], end: str
) -> None:
    with over_http(ours("handlers.ends")) as client:
        statuses = [client.get(path).status_code for path in ("/", end, "/")]

    assert statuses == [200, 500, 200]


@pytest.mark.skipif(sys.platform != "linux", reason="finds the runtime in /proc")
def test_a_runtime_that_is_killed_while_idle_is_replaced(
    declared: Callable[[str], Function], start: Start
) -> None:
    function = start(declared(API))
    assert function.invoke(request("/health"))["statusCode"] == 200
    [runtime] = runtimes(function.emulator.pid)
    os.kill(runtime, signal.SIGKILL)

    statuses = [answered(function.invoke) for _ in range(2)]
    assert statuses[-1] == 200


def answered(invoke: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    try:
        return int(invoke(request("/health"))["statusCode"])
    except FunctionFailed:
        return 500


def test_an_emulator_that_is_killed_is_replaced(declared: Callable[[str], Function]) -> None:
    workers = Workers(partial(Emulator, declared(API)), seconds=60, number=1)
    client = Client(front.application(workers.invoke))
    assert client.get("/health").status_code == 200
    [emulator] = workers._started
    assert isinstance(emulator, Emulator)
    os.kill(emulator.pid, signal.SIGKILL)
    assert health(client) in (200, 500)
    assert health(client) == 200
    workers.stop()


def health(client: Client) -> int:
    reply: TestResponse = client.get("/health")
    return reply.status_code


# More at once than runtimes


def test_calls_wait_for_a_runtime(declared: Callable[[str], Function]) -> None:
    workers = Workers(partial(Emulator, declared(API)), seconds=60, number=2)
    with ThreadPoolExecutor(6) as clients:
        replies = list(clients.map(lambda _: workers.invoke(request("/health")), range(12)))
    started = len(workers._started)
    workers.stop()

    assert [reply["statusCode"] for reply in replies] == [200] * 12
    assert started == 2
    assert json.loads(replies[0]["body"]) == {"status": 200}


def test_nothing_of_it_is_left_when_it_is_stopped(ours: Callable[..., Function]) -> None:
    emulator = Emulator(ours("handlers.ends"))
    emulator.run({"rawPath": "/"})
    [runtime] = runtimes(emulator.pid)
    emulator.stop()

    assert not Path(f"/proc/{runtime}").exists()
