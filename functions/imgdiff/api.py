"""Lambda handler for API Gateway (HTTP API, payload 2.0): routes, replies, errors."""

import base64
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import Logger, correlation_paths
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from imgdiff import memory, snapshot, stages
from imgdiff.caller import Caller
from imgdiff.composition import deadline, prime, services
from imgdiff.errors import ImgdiffError, InternalError, MethodNotAllowed, NotFound, about
from imgdiff.fields import read_fields
from imgdiff.keys import Key, authorize, identify, spend
from imgdiff.media import Links
from imgdiff.operations import (
    MAX_INLINE_BYTES,
    OPERATIONS,
    Answer,
    Blob,
    Elsewhere,
    Operation,
)
from imgdiff.replies import BatchReply, Reply, body
from imgdiff.submission import Submission, read_submission
from imgdiff.telemetry import tell

type HttpReply = Response[str] | Response[bytes]

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY")
# What is left for the reply itself when Lambda would end the function.
_REPLY_SECONDS = 1
_KEY_HEADERS = ("www-authenticate", "x-amzn-remapped-www-authenticate", "x-api-key")
_EVERY_REPLY = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": (
        "retry-after, x-request-id, x-imgdiff-diff, x-imgdiff-changed-pixels, x-imgdiff-passed"
    ),
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, www-authenticate, x-api-key",
    "access-control-max-age": "86400",
}
_PAGES = Path(__file__).parent / "pages"

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver()

memory.bound()
snapshot.prepare(prime)


def _serve(operation: Operation) -> Callable[[], HttpReply]:
    def serve() -> HttpReply:
        event = app.current_event
        submission = read_submission(
            event.raw_query_string,
            event.headers.get("content-type") or "",
            _body(),
            max_bytes=MAX_INLINE_BYTES,
        )
        with stages.timed("Key"):
            key = authorize(_key(submission), services().keys, now=int(time.time()))
        fields = read_fields(operation.fields, submission)
        links = _links()
        answer = operation.run(fields, _caller(key, links), links)
        metrics.add_metric(operation.name.capitalize(), MetricUnit.Count, 1)
        return _reply(answer)

    return serve


def media(media_id: str) -> HttpReply:
    """Redirect to where the image can be read for the next minutes."""
    with about("id"):
        presigned = services().media.presigned(media_id)
    return Response(302, headers={"Location": presigned, "Cache-Control": "no-store"})


def start_batch() -> HttpReply:
    """Start a batch; it counts as many requests as it has pairs."""
    from imgdiff.batch_file import count
    from imgdiff.batch_submission import read_batch_submission

    event = app.current_event
    submission, content = read_batch_submission(
        event.raw_query_string,
        event.headers.get("content-type") or "",
        _body(),
        max_bytes=MAX_INLINE_BYTES,
    )
    key, now = _key(submission), int(time.time())
    record = identify(key, services().keys, now=now)
    total = count(content)
    spend(key, record, services().keys, now=now, requests=total)
    batch = services().batches.post(content, total)
    metrics.add_metric("Batches", MetricUnit.Count, 1)
    link = f"{_links().base}/batches/{batch.name}"
    return _told(BatchReply(id=batch.name, total=total, link=link))


def batch_progress(batch_id: str) -> HttpReply:
    """Tell how far a batch is."""
    submission = read_submission(
        app.current_event.raw_query_string, "", b"", max_bytes=MAX_INLINE_BYTES
    )
    authorize(_key(submission), services().keys, now=int(time.time()))
    return _told(services().batches.progress(batch_id))


def health() -> HttpReply:
    """Answer that the function is up and its settings are right."""
    services()
    return _json(200, {})


def index() -> HttpReply:
    """Tell a person what this is."""
    return Response(200, content_type="text/html", body=(_PAGES / "index.html").read_text())


def openapi() -> HttpReply:
    """Describe the API for programs."""
    document = (_PAGES / "openapi.json").read_text()
    return Response(200, content_type="application/json", body=document)


def _reply(answer: Answer) -> HttpReply:
    match answer:
        case Blob(content, content_type, headers, status):
            return Response(status, content_type=content_type, body=content, headers=dict(headers))
        case Elsewhere(link, headers):
            return Response(303, headers={**headers, "Location": link})
        case reply:
            return _told(reply)


def _told(reply: Reply) -> Response[str]:
    return _json(reply.status, body(reply))


def _body() -> bytes:
    event = app.current_event
    body = event.body or ""
    return base64.b64decode(body) if event.is_base64_encoded else body.encode()


def _key(submission: Submission) -> str:
    headers = app.current_event.headers
    candidates = [*submission.values.get("key", ()), *map(headers.get, _KEY_HEADERS)]
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        candidates.append(token.strip())
    return next(filter(None, candidates), "")


def _caller(key: Key, links: Links) -> Caller:
    settings = services().settings
    return Caller(
        read=services().reader(links),
        media=services().media,
        place=key.place,
        max_pixels=settings.max_image_pixels,
        max_bytes=settings.max_image_bytes,
        max_inline_bytes=MAX_INLINE_BYTES,
    )


def _links() -> Links:
    own = f"https://{app.current_event.request_context.domain_name}"
    base = services().settings.media_base_url
    return Links(base, aliases=(own,)) if base else Links(own)


def _json(status: int, told: dict[str, Any]) -> Response[str]:
    return Response(
        status, content_type="application/json", body=json.dumps({"status": status, **told})
    )


def failed(error: ImgdiffError) -> Response[str]:
    """Answer with the error's status and sentence."""
    if error.__cause__ is not None:
        logger.info("refused", status=error.status, cause=type(error.__cause__).__name__)
    metrics.add_metric("Errors", MetricUnit.Count, 1)
    reply = _json(error.status, {"error": str(error)})
    reply.headers.update(error.headers)
    return reply


def crashed(error: Exception) -> Response[str]:
    """Log what happened, and answer that it was our fault."""
    logger.error("internal error", exc_info=error)
    return failed(InternalError())


def no_such_route(_: NotFoundError) -> Response[str]:
    """Answer preflights, which browsers send to any path, and say what else is wrong."""
    event = app.current_event
    if event.http_method == "OPTIONS":
        return Response(204, headers=dict(_PREFLIGHT))
    return failed(NotFound(f"there is nothing at {event.path[:80]}"))


def _route(path: str, methods: Sequence[str], serve: Callable[..., HttpReply]) -> None:
    def refuse(**_: str) -> HttpReply:
        raise MethodNotAllowed(app.current_event.http_method, methods)

    app.route(path, method=list(methods))(serve)
    app.route(path, method=[method for method in _METHODS if method not in methods])(refuse)


for _operation in OPERATIONS:
    _route(_operation.path, _operation.methods, _serve(_operation))
_route("/batches", ("POST",), start_batch)
_route("/batches/<batch_id>", ("GET",), batch_progress)
_route("/media/<media_id>", ("GET",), media)
_route("/health", ("GET",), health)
_route("/openapi.json", ("GET",), openapi)
_route("/", ("GET",), index)
app.exception_handler(ImgdiffError)(failed)
app.exception_handler(Exception)(crashed)
app.not_found(no_such_route)


@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    deadline.start(context.get_remaining_time_in_millis() / 1000 - _REPLY_SECONDS)
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    reply = app.resolve(event, context)
    request_id = event["requestContext"]["requestId"]
    reply["headers"].update(_EVERY_REPLY, **{"x-request-id": request_id})
    logger.info("answered", status=reply["statusCode"], route=event["routeKey"])
    tell(metrics, context)
    return reply
