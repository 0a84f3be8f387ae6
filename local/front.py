"""HTTP in front of the handler: what API Gateway's HTTP API and Lambda do, on one machine.

Each request becomes an event (payload 2.0) for the real handler in a worker process. As on
Lambda, a worker takes one event at a time, further workers start as they are needed, and bodies
over 6 MB, in base64 where they are binary, do not pass.
"""

import base64
import json
import signal
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response

PAYLOAD_BYTES = 6 * 1024 * 1024
TIMEOUT_SECONDS = 30
_WORKERS = 8
# All else, forms and bodies without a type included, comes in base64.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    aws_request_id: str
    deadline: float
    function_name: str = "imgdiff-local"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:imgdiff-local"
    memory_limit_in_mb: int = 1769

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before Lambda would end the invocation."""
        return int((self.deadline - time.time()) * 1000)


def event(request: Request) -> dict[str, Any]:
    """The event that API Gateway sends for a request (HTTP API, payload format 2.0)."""
    now = datetime.now(UTC)
    body = request.get_data()
    as_text = not body or request.mimetype.startswith(_TEXT)
    text = body.decode(errors="replace") if as_text else base64.b64encode(body).decode()
    query = {name: ",".join(values) for name, values in request.args.lists()}
    headers: dict[str, str] = {}
    for name, value in request.headers:
        folded = name.lower()
        headers[folded] = f"{headers[folded]},{value}" if folded in headers else value
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode("latin-1"),
        "headers": headers,
        **({"queryStringParameters": query} if query else {}),
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": request.host.partition(":")[0],
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.environ["SERVER_PROTOCOL"],
                "sourceIp": request.remote_addr or "",
                "userAgent": request.headers.get("user-agent", ""),
            },
            "requestId": uuid.uuid4().hex,
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        **({"body": text} if body else {}),
        "isBase64Encoded": not as_text,
    }


class Workers:
    """Processes that run the handler, one event at a time each."""

    def __init__(self) -> None:
        self._pool = self._start()
        self._broken: list[ProcessPoolExecutor] = []

    def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Run the handler on an event in a free worker and return what it answers."""
        pool = self._pool
        try:
            return pool.submit(_handle, event).result(TIMEOUT_SECONDS)
        except BrokenProcessPool:
            if self._pool is pool:
                # Python's own thread of a broken pool, should it be the one that collects the
                # pool, would wait for itself for ever.
                self._broken.append(pool)
                self._pool = self._start()
            raise

    def stop(self) -> None:
        """End the workers."""
        self._pool.shutdown(cancel_futures=True)

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(_WORKERS, get_context("spawn"), _ignore_interrupts)


def _ignore_interrupts() -> None:
    # An interrupt at the terminal reaches every process; the workers are ended by the front.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _handle(event: dict[str, Any]) -> dict[str, Any]:
    from imgdiff.api import lambda_handler

    context: Any = Context(uuid.uuid4().hex, time.time() + TIMEOUT_SECONDS)
    reply: dict[str, Any] = lambda_handler(event, context)
    return reply


def application(
    invoke: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """The WSGI application that answers requests through ``invoke``."""

    @Request.application
    def answer(request: Request) -> Response:
        started = time.perf_counter()
        response = _answer(request, invoke)
        milliseconds = 1000 * (time.perf_counter() - started)
        print(f"{request.method} {request.path} {response.status_code} {milliseconds:.0f} ms")
        return response

    return answer


def _answer(request: Request, invoke: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    if (request.content_length or 0) > PAYLOAD_BYTES:
        return _gateway_error(413, "Request Entity Too Large")
    sent = event(request)
    if len(json.dumps(sent)) > PAYLOAD_BYTES:
        return _gateway_error(413, "Request Entity Too Large")
    try:
        reply = invoke(sent)
    except TimeoutError:
        return _gateway_error(503, "Service Unavailable")
    except Exception as error:  # noqa: BLE001 - as API Gateway does, whatever the function did
        print(f"the function failed: {error!r}")
        return _gateway_error(500, "Internal Server Error")
    if len(json.dumps(reply)) > PAYLOAD_BYTES:
        return _gateway_error(500, "Internal Server Error")
    body = reply.get("body") or ""
    return Response(
        base64.b64decode(body) if reply.get("isBase64Encoded") else body,
        status=reply["statusCode"],
        headers=reply.get("headers"),
    )


def _gateway_error(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")
