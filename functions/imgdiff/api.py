"""Lambda handler for API Gateway (HTTP API, payload 2.0): routes, replies, errors."""

import json
from typing import Any
from urllib.parse import parse_qsl

from aws_lambda_powertools.event_handler.api_gateway import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.logging import Logger, correlation_paths
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from imgdiff.composition import services
from imgdiff.difference import Difference, difference
from imgdiff.errors import ImgdiffError, InternalError, MethodNotAllowed, NotFound, about
from imgdiff.fields import ImgdiffFields, read_fields
from imgdiff.keys import authenticate
from imgdiff.media import Links

# A reply has 6 MB after base64, which makes three bytes four; the rest is for headers.
MAX_BLOB_BYTES = 4_500_000

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_KEY_HEADERS = ("www-authenticate", "x-amzn-remapped-www-authenticate", "x-api-key")
_EVERY_REPLY = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "x-request-id, x-imgdiff-diff, x-imgdiff-changed-pixels",
}
_PREFLIGHT = {
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": "authorization, content-type, www-authenticate, x-api-key",
    "access-control-max-age": "86400",
}

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver()


@app.get("/health")
def health() -> Response[str]:
    """Answer that the function is up and its settings are right."""
    services()
    return _json(200, {})


@app.get("/imgdiff")
def imgdiff() -> Response[str] | Response[bytes]:
    """Compare two images."""
    query = _query()
    authenticate(_key(query), services().keys)
    fields = read_fields(ImgdiffFields, query)
    links = _links()
    found = difference(
        fields,
        read=services().reader(links),
        media=services().media,
        max_pixels=services().settings.max_image_pixels,
        max_inline_bytes=MAX_BLOB_BYTES,
    )
    metrics.add_metric("Comparisons", MetricUnit.Count, 1)
    metrics.add_metric("Diff", MetricUnit.NoUnit, found.comparison.diff)
    return _blob(found, links) if fields.blob else _figures(found, links)


@app.get("/media/<media_id>")
def media(media_id: str) -> Response[str]:
    """Redirect to where the image can be read for the next minutes."""
    with about("id"):
        presigned = services().media.presigned(media_id)
    return Response(302, headers={"Location": presigned, "Cache-Control": "no-store"})


def _figures(found: Difference, links: Links) -> Response[str]:
    comparison = found.comparison
    body: dict[str, object] = {}
    if found.media_id:
        link = links.link(found.media_id)
        body = {"link": link, "ssl_link": link, "id": found.media_id}
    for name in (
        *("diff", "width", "height", "mse", "rmse", "mae", "psnr"),
        *("max_error", "changed_pixels", "changed_ratio", "bbox"),
    ):
        body[name] = getattr(comparison, name)
    return _json(200, body)


def _blob(found: Difference, links: Links) -> Response[bytes]:
    headers = {
        "x-imgdiff-diff": repr(found.comparison.diff),
        "x-imgdiff-changed-pixels": str(found.comparison.changed_pixels),
    }
    if found.media_id:
        return Response(303, headers={**headers, "Location": links.link(found.media_id)})
    return Response(200, content_type="image/png", body=found.comparison.image, headers=headers)


def _query() -> dict[str, list[str]]:
    # The event's parsed parameters join repeated fields with commas, which addresses may contain.
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(app.current_event.raw_query_string, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    return query


def _key(query: dict[str, list[str]]) -> str:
    headers = app.current_event.headers
    candidates = [*query.get("key", ()), *(headers.get(name) or "" for name in _KEY_HEADERS)]
    scheme, _, token = (headers.get("authorization") or "").partition(" ")
    if scheme.lower() == "bearer":
        candidates.append(token.strip())
    return next(filter(None, candidates), "")


def _links() -> Links:
    own = f"https://{app.current_event.request_context.domain_name}"
    base = services().settings.media_base_url
    return Links(base, aliases=(own,)) if base else Links(own)


def _json(status: int, body: dict[str, object]) -> Response[str]:
    return Response(
        status, content_type="application/json", body=json.dumps({"status": status, **body})
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
    if app.current_event.http_method == "OPTIONS":
        return Response(204, headers=_PREFLIGHT)
    return failed(NotFound(f"there is nothing at {app.current_event.path[:80]}"))


app.exception_handler(ImgdiffError)(failed)
app.exception_handler(Exception)(crashed)
app.not_found(no_such_route)


def _only_get(path: str) -> None:
    @app.route(path, method=[method for method in _METHODS if method != "GET"])
    def refuse(**_: str) -> None:
        raise MethodNotAllowed(app.current_event.http_method, ["GET"])


for route in ("/health", "/imgdiff", "/media/<media_id>"):
    _only_get(route)


@metrics.log_metrics
@logger.inject_lambda_context(correlation_id_path=correlation_paths.API_GATEWAY_HTTP)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    reply = app.resolve(event, context)
    request_id = event["requestContext"]["requestId"]
    reply["headers"].update(_EVERY_REPLY, **{"x-request-id": request_id})
    logger.info("answered", status=reply["statusCode"], route=event["routeKey"])
    return reply
