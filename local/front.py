"""HTTP in front of a function: what API Gateway's HTTP API does, on one machine.

Each request becomes an event (payload 2.0). Bodies over 6 MB, in base64 where they are binary, do
not pass, as they don't pass Lambda. What is over the number of requests taken at once is refused.
"""

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from threading import Semaphore
from typing import IO, Any
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import get_input_stream

PAYLOAD_BYTES = 6 * 1024 * 1024
TIMEOUT_SECONDS = 30
WORKERS = 8
# Three wait for each that runs: a burst passes, and who is let in is served within seconds.
_REQUESTS = 4 * WORKERS
_PIECE_BYTES = 64 * 1024
# All else, forms and bodies without a type included, comes in base64.
_TEXT = ("text/", "application/json", "application/javascript", "application/xml")


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


def application(
    invoke: Callable[[dict[str, Any]], dict[str, Any]],
) -> Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]:
    """The WSGI application that answers requests through ``invoke``."""
    slots = Semaphore(_REQUESTS)

    @Request.application
    def answer(request: Request) -> Response:
        started = time.perf_counter()
        # On disk: memory is for requests that have a slot, whoever is slow or refused.
        with SpooledTemporaryFile(_PIECE_BYTES) as body:
            response = _receive(request.environ, body) or _admit(request, invoke, slots)
        milliseconds = 1000 * (time.perf_counter() - started)
        print(f"{request.method} {request.path} {response.status_code} {milliseconds:.0f} ms")
        return response

    return answer


def _receive(environ: WSGIEnvironment, body: IO[bytes]) -> Response | None:
    stream: Any = get_input_stream(environ)
    # Of a fixed size: into another, werkzeug reads from a chunk that is cut short what never came.
    piece = memoryview(bytearray(_PIECE_BYTES))
    size = 0
    try:
        while count := stream.readinto(piece):
            size += count
            # The rest is read too, or the client would see a reset in place of the refusal.
            if size <= PAYLOAD_BYTES:
                body.write(piece[:count])
    except (OSError, ValueError):
        return _gateway_error(400, "Bad Request")
    if size > PAYLOAD_BYTES:
        return _gateway_error(413, "Request Entity Too Large")
    body.seek(0)
    environ["wsgi.input"] = body
    environ["wsgi.input_terminated"] = True
    return None


def _admit(
    request: Request, invoke: Callable[[dict[str, Any]], dict[str, Any]], slots: Semaphore
) -> Response:
    if not slots.acquire(blocking=False):
        return _unavailable()
    try:
        return _answer(request, invoke)
    finally:
        slots.release()


def _answer(request: Request, invoke: Callable[[dict[str, Any]], dict[str, Any]]) -> Response:
    sent = event(request)
    if len(json.dumps(sent)) > PAYLOAD_BYTES:
        return _gateway_error(413, "Request Entity Too Large")
    try:
        reply = invoke(sent)
    except TimeoutError:
        return _unavailable()
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


def _unavailable() -> Response:
    response = _gateway_error(503, "Service Unavailable")
    response.headers["Retry-After"] = "1"
    return response


def _gateway_error(status: int, message: str) -> Response:
    return Response(json.dumps({"message": message}), status, content_type="application/json")
