"""The front under excess, and with bodies that do not end."""

import base64
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Semaphore, Thread
from typing import Any

import pytest
from werkzeug.serving import BaseWSGIServer, make_server

from local.front import application

SLOTS = 32
CHUNKED = "Transfer-Encoding: chunked"


class Function:
    """In place of the workers: what it was sent, and an answer once it may."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.taken = Semaphore(0)
        self.may_answer = Event()
        self.may_answer.set()
        self.failure: Exception | None = None

    def __call__(self, sent: dict[str, Any]) -> dict[str, Any]:
        self.events.append(sent)
        self.taken.release()
        assert self.may_answer.wait(timeout=30)
        if self.failure:
            raise self.failure
        return {"statusCode": 200, "body": "done"}


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def port(function: Function) -> Iterator[int]:
    server: BaseWSGIServer = make_server("127.0.0.1", 0, application(function), threaded=True)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def begin(port: int, *head: str, body: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    lines = ["POST / HTTP/1.1", "Host: localhost", *head, "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    return connection


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with connection, connection.makefile("rb") as file:
        head, _, body = file.read().partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, body


def test_what_is_in_excess_is_refused_at_once(function: Function, port: int) -> None:
    function.may_answer.clear()
    with ThreadPoolExecutor(SLOTS) as clients:
        served = list(clients.map(lambda _: begin(port), range(SLOTS)))
    for _ in served:
        assert function.taken.acquire(timeout=30)
    for _ in range(3):
        status, headers, body = answer(begin(port))
        assert (status, body) == (503, b'{"message": "Service Unavailable"}')
        assert headers["content-type"] == "application/json"
        assert headers["retry-after"] == "1"
    function.may_answer.set()
    assert [answer(connection)[0] for connection in served] == [200] * SLOTS
    assert answer(begin(port))[0] == 200
    assert len(function.events) == SLOTS + 1


@pytest.mark.parametrize(("failure", "status"), [(TimeoutError(), 503), (EOFError(), 500)])
def test_a_request_that_failed_makes_room(
    function: Function, port: int, failure: Exception, status: int
) -> None:
    function.failure = failure
    for _ in range(SLOTS + 1):
        assert answer(begin(port))[0] == status
    function.failure = None
    assert answer(begin(port))[0] == 200


def test_who_still_sends_takes_no_room(function: Function, port: int) -> None:
    with ExitStack() as stack:
        slow = [begin(port, "Content-Length: 9", body=b"begun, ") for _ in range(SLOTS + 1)]
        for connection in slow:
            stack.enter_context(connection)
        assert answer(begin(port))[0] == 200
        slow[0].sendall(b"ok")
        assert answer(slow[0])[0] == 200
    assert function.events[-1]["body"] == "YmVndW4sIG9r"


@pytest.mark.parametrize("size", [0, 1, 65_536, 200_000])
def test_a_body_arrives_as_sent(function: Function, port: int, size: int) -> None:
    body = os.urandom(size)
    chunks = [body[:70_000], body[70_000:], b""]
    in_chunks = b"".join(chunk(each) for each in chunks if each) + chunk(b"")
    assert answer(begin(port, f"Content-Length: {size}", body=body))[0] == 200
    assert answer(begin(port, CHUNKED, body=in_chunks))[0] == 200
    for sent in function.events:
        assert base64.b64decode(sent.get("body", "")) == body


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"FFFFFFFFFFFF\r\ncut short", 400),
        (b"9\r\ncut", 400),
        (b"3\r\nabc\r\n", 400),
        (b"3\r\nabcd\r\n", 400),
        (b"no size\r\n", 400),
        (b"-1\r\n", 400),
        (b"", 400),
        (chunk(bytes(7_000_000)) + chunk(b""), 413),
        (chunk(bytes(1_000_000)) * 7 + chunk(b""), 413),
    ],
)
def test_a_body_in_chunks_is_whole_or_refused(
    function: Function, port: int, sent: bytes, status: int
) -> None:
    connection = begin(port, CHUNKED, body=sent)
    connection.shutdown(socket.SHUT_WR)
    assert answer(connection)[0] == status
    assert function.events == []
