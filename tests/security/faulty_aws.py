"""AWS over TLS with one call at fault: an endpoint on loopback, in front of moto's."""

import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self
from urllib.parse import urlsplit

_LONGEST = 20.0  # seconds that a fault may last, so that no thread stays for ever


class Call(BaseHTTPRequestHandler):
    """A call of AWS, and what a fault may do to it.

    Attributes
    ----------
    name : str
        The operation; with what the item is for DynamoDB's, as in ``GetItem key``.
    content : bytes
        The body of the request.
    """

    protocol_version = "HTTP/1.1"
    server: "FaultyAws"

    def handle_one_request(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the other side may hang up at any time
            super().handle_one_request()

    def handle_expect_100(self) -> bool:
        if self.server.fault is deaf and self.server.times:
            self.server.next_fault("PutObject")
            self.wait()
            return False
        return super().handle_expect_100()

    def log_message(self, *_: object) -> None:
        pass

    def serve(self) -> None:
        self.content = self._content()
        self.name = self._name()
        fault = self.server.next_fault(self.name)
        if fault:
            self.close_connection = True
            fault(self)
        else:
            self.answer(*self.pass_on())

    do_GET = do_HEAD = do_PUT = do_POST = serve  # noqa: N815 - http.server's own

    def pass_on(self) -> tuple[HTTPResponse, bytes]:
        """Have moto do what is asked; its answer."""
        dropped = {"expect", "transfer-encoding"}
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in dropped
        }
        behind = HTTPConnection(self.server.behind, timeout=_LONGEST)
        behind.request(self.command, self.path, self.content, headers)
        response = behind.getresponse()
        content = response.read()
        behind.close()
        return response, content

    def answer(self, response: HTTPResponse, content: bytes) -> None:
        """Answer as moto did."""
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() != "connection":
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def refuse(self, status: int, code: str) -> None:
        """Answer with an error, as the service says it."""
        if "x-amz-target" in self.headers:
            body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"})
        else:
            body = f"<Error><Code>{code}</Code></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body.encode())

    def wait(self) -> None:
        """Say nothing until the other side hangs up."""
        self.connection.settimeout(_LONGEST)
        while self.connection.recv(1 << 16):
            pass

    def reset(self) -> None:
        """Hang up with a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())

    def _content(self) -> bytes:
        if self.headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        content = b""
        while size := int(self.rfile.readline() or b"0", 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _name(self) -> str:
        target = self.headers.get("x-amz-target")
        if not target:
            return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}[self.command]
        kind, _, handle = json.loads(self.content)["Key"]["key_sha256"]["S"].partition("#")
        return f"{target.partition('.')[2]} {kind if handle else 'key'}"


type Fault = Callable[[Call], None]


def error(status: int, code: str) -> Fault:
    """The call is answered with an error."""
    return lambda call: call.refuse(status, code)


def hang(call: Call) -> None:
    """The call is read and never answered."""
    call.wait()


def deaf(call: Call) -> None:
    """As `hang`; an upload's body is not even asked for."""
    call.wait()


def reset(call: Call) -> None:
    """The call is read, and its connection reset."""
    call.reset()


def hang_up(_: Call) -> None:
    """The connection ends as if all were said."""


def drip(call: Call) -> None:
    """Byte after byte comes, for long."""
    end = time.monotonic() + _LONGEST
    while time.monotonic() < end:
        call.wfile.write(b"\0")
        time.sleep(0.1)


def midway(end: Fault) -> Fault:
    """Half of the answer's body comes, and then this."""

    def fail(call: Call) -> None:
        response, content = call.pass_on()
        call.answer(response, content[: len(content) // 2])
        end(call)

    return fail


def garble(call: Call) -> None:
    """The answer's body comes with another last byte."""
    response, content = call.pass_on()
    call.answer(response, content[:-1] + b"?")


def forget(call: Call) -> None:
    """What is asked for is done, and never answered."""
    call.pass_on()
    call.wait()


class FaultyAws(ThreadingHTTPServer):
    """The endpoint: all passes but one call, each time or some times.

    Parameters
    ----------
    behind : str
        The endpoint that answers.
    tls : ssl.SSLContext
        With the certificate of 127.0.0.1.

    Attributes
    ----------
    connects : int
        Connections so far.
    calls : list of str
        Names of the calls so far.
    """

    daemon_threads = True

    def __init__(self, behind: str, tls: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.behind = urlsplit(behind).netloc
        self.endpoint = f"https://127.0.0.1:{self.server_port}"
        self.recover()

    def fail(self, name: str, fault: Fault, *, times: float = float("inf")) -> None:
        """Let a fault come over the calls of this name."""
        self.name, self.fault, self.times = name, fault, times

    def recover(self) -> None:
        """End all faults, and forget what was seen."""
        self.fail("", hang_up, times=0)
        self.connects = 0
        self.calls: list[str] = []

    def next_fault(self, name: str) -> Fault | None:
        """Note a call; what is to come over it."""
        self.calls.append(name)
        if name != self.name or not self.times:
            return None
        self.times -= 1
        return self.fault

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connects += 1
        super().process_request(request, client_address)

    def __enter__(self) -> Self:
        Thread(target=self.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
