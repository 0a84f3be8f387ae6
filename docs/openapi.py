"""Write the API's description, ``openapi.json``, from what the code declares."""

import json
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    TypeAliasType,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from imgdiff.batch_file import LONGEST_ID
from imgdiff.batch_submission import FILE, PAIRS, TYPES
from imgdiff.engine.options import HIGHLIGHT
from imgdiff.errors import (
    ImgdiffError,
    InternalError,
    InvalidKey,
    MethodNotAllowed,
    NotFound,
    QuotaExceeded,
    StorageUnavailable,
)
from imgdiff.fields import FALSE, PATTERNS, TRUE, Declaration, ImageInput, Names, annotation
from imgdiff.operations import MAX_INLINE_BYTES, OPERATIONS, Operation
from imgdiff.replies import BatchReply, ProgressReply
from imgdiff.settings import Settings
from local.stack import environment

type Json = dict[str, Any]

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "functions" / "imgdiff" / "pages" / "openapi.json"

ABOUT = """Compare two images: the exact mean square error, and a picture of what changed.

An optional field that is empty is as if it was not sent. An image has at most {max_image_bytes} \
bytes and {max_image_pixels} pixels and takes at most {fetch_timeout_seconds} seconds to arrive, \
where the deployment sets no other limits; the body of a request has at most {max_body_bytes} \
bytes. Other methods than those described are answered with 405. Over limits of its own, API \
Gateway answers instead: in its own words, and without `x-request-id`."""
SECURITY = {
    "keyInQuery": {"type": "apiKey", "in": "query", "name": "key"},
    "keyInHeader": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "bareKeyInHeader": {"type": "apiKey", "in": "header", "name": "WWW-Authenticate"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
HEADERS = {
    "x-request-id": ("Names the request in the log.", "string"),
    "Retry-After": ("Seconds until another try may succeed.", "integer"),
    "Location": ("Where the image is.", "string"),
}
# What goes with an image that is answered itself, by the fields of the JSON that is not sent.
FIGURES = {
    "diff": "x-imgdiff-diff",
    "changed_pixels": "x-imgdiff-changed-pixels",
    "passed": "x-imgdiff-passed",
}
RETRIED = (QuotaExceeded.status, StorageUnavailable.status)

JSON_TYPES = {
    str: "string", bool: "boolean", int: "integer", float: "number", NoneType: "null"
}  # fmt: skip
# A value in JSON counts as the text that it is written as.
SCALARS = ["string", "number", "boolean", "null"]
BYTES: Json = {"type": "string", "format": "binary"}
NUMBER = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"
# As they are sent.
DEFAULTS: dict[object, str] = {(): "", HIGHLIGHT: bytes(HIGHLIGHT).hex()}
BATCH_PAIRS = (
    "Pairs: each an object with src, target, whatever else /imgdiff takes but blob, and id, which "
    f"names it in the results, of at most {LONGEST_ID} characters; its line's number where left "
    "out."
)
BATCH_FILE = f"Lines of JSON, or CSV with a header. {BATCH_PAIRS}"
KEY: Json = {"description": "Your key, unless it is in the query or a header."}
SPELLINGS = dict.fromkeys(
    spell(word) for word in TRUE + FALSE for spell in (str, str.title, str.upper)
)
BOOLEAN: Json = {
    "description": f"{', '.join(TRUE)}, or {', '.join(FALSE)}, in any case; empty is the default.",
    "enum": [True, False, 1, 0, "", None, *SPELLINGS],
}
ERROR: Json = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {
        "status": {"type": "integer", "description": "The HTTP status."},
        "error": {"type": "string", "description": "What is wrong, in one sentence."},
    },
}


def main() -> None:
    """Write ``openapi.json``."""
    PAGE.write_text(text())


def text() -> str:
    """What the file holds."""
    return json.dumps(document(), indent=1) + "\n"


def document() -> Json:
    """The whole description."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    settings = Settings.from_env(environment("any", "any"))
    limits = {setting.name: getattr(settings, setting.name) for setting in fields(settings)}
    replies: list[type] = [reply for operation in OPERATIONS for reply in operation.replies]
    replies += [BatchReply, ProgressReply]
    return {
        "openapi": "3.1.1",
        "info": {
            "title": project["name"],
            "version": project["version"],
            "description": ABOUT.format(**limits, max_body_bytes=MAX_INLINE_BYTES),
        },
        "servers": [{"url": "/"}],
        "security": [{name: []} for name in SECURITY],
        "paths": {operation.path: _declared(operation) for operation in OPERATIONS}
        | _batches()
        | _fixed(),
        "components": {
            "schemas": {
                "Boolean": BOOLEAN,
                "Error": ERROR,
                **{reply.__name__: _reply(reply) for reply in replies},
            },
            "responses": _errors(),
            "headers": {
                name: {"description": about, "required": True, "schema": {"type": kind}}
                for name, (about, kind) in HEADERS.items()
            },
            "securitySchemes": SECURITY,
        },
    }


def _declared(operation: Operation) -> Json:
    takes: dict[str, Json] = {
        "GET": {"parameters": _parameters(operation.fields)},
        "POST": {"requestBody": {"required": True, "content": _bodies(operation.fields)}},
    }
    refused = set(_tree(ImgdiffError)) - {MethodNotAllowed}
    return {
        method.lower(): {
            "operationId": method.lower() + operation.name.capitalize(),
            "summary": operation.summary,
            **takes[method],
            "responses": _answers(operation) | _failures(refused),
        }
        for method in operation.methods
    }


def _batches() -> Json:
    refused = set(_tree(ImgdiffError)) - {MethodNotAllowed}
    # A pair that is not as it should be fails alone.
    pairs = {"type": "array", "minItems": 1, "description": BATCH_PAIRS, "items": {}}
    in_json = {
        "type": "object",
        "required": [PAIRS],
        "properties": {PAIRS: pairs, "key": KEY | {"type": SCALARS}},
        "additionalProperties": {"type": SCALARS},
    }
    form = {
        "type": "object",
        "required": [FILE],
        "properties": {FILE: BYTES | {"description": BATCH_FILE}, "key": KEY | {"type": "string"}},
    }
    content: Json = {kind: {"schema": BYTES | {"description": BATCH_FILE}} for kind in TYPES}
    content |= {"application/json": {"schema": in_json}, "multipart/form-data": {"schema": form}}
    batch_id: Json = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}

    def answer(about: str, reply: type) -> Json:
        schema = {"$ref": f"#/components/schemas/{reply.__name__}"}
        return {"200": _response(about, {"application/json": schema})}

    return {
        "/batches": {
            "post": {
                "operationId": "postBatches",
                "summary": "Compare up to a million pairs; each counts as a request.",
                "requestBody": {"required": True, "content": content},
                "responses": answer("Started.", BatchReply) | _failures(refused),
            }
        },
        "/batches/{id}": {
            "get": {
                "operationId": "getBatches",
                "summary": "Tell how far a batch is, and where its results are.",
                "parameters": [batch_id],
                "responses": answer("Found.", ProgressReply)
                | _failures({InvalidKey, NotFound, QuotaExceeded, InternalError})
                | _failures({StorageUnavailable}),
            }
        },
    }


def _fixed() -> Json:
    def path(summary: str, responses: Json, *failures: type[ImgdiffError], **more: Any) -> Json:
        failed = _failures({InternalError, *failures})
        get = {"summary": summary, "security": [], **more, "responses": responses | failed}
        return {"get": get}

    def page(media_type: str, schema: Json) -> Json:
        return {"200": _response("Done.", {media_type: schema})}

    moved = {"302": _response("It can be read there for some minutes.", headers=["Location"])}
    media_id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    healthy: Json = {"type": "object", "properties": {"status": {"const": 200}}}
    return {
        "/media/{id}": path(
            "Go to a stored image.", moved, NotFound, StorageUnavailable, parameters=[media_id]
        ),
        "/health": path("Tell that the service is up.", page("application/json", healthy)),
        "/openapi.json": path("Describe the API.", page("application/json", {"type": "object"})),
        "/": path("Tell a person what this is.", page("text/html", {"type": "string"})),
    }


def _parameters(declaration: type[Declaration]) -> list[Json]:
    return [
        {
            "name": declared.name,
            "in": "query",
            "required": declared.default is MISSING,
            "schema": _value(declared),
        }
        for declared in fields(declaration)
    ]


def _bodies(declaration: type[Declaration]) -> Json:
    declarations = fields(declaration)
    required = [declared.name for declared in declarations if declared.default is MISSING]
    form = {declared.name: _value(declared) for declared in declarations}
    in_json = {declared.name: _value(declared, in_json=True) for declared in declarations}
    bodies = {
        "application/json": {
            "properties": in_json | {"key": KEY | {"type": SCALARS}},
            "required": required,
            "additionalProperties": {"type": SCALARS},
        },
        "application/x-www-form-urlencoded": {
            "properties": form | {"key": KEY | {"type": "string"}},
            "required": required,
        },
    }
    bodies["multipart/form-data"] = dict(bodies["application/x-www-form-urlencoded"])
    for declared in declarations:
        if upload := annotation(declared)[1].upload:
            _add_file(bodies["multipart/form-data"], declared.name, upload)
    return {kind: {"schema": {"type": "object", **body}} for kind, body in bodies.items()}


def _add_file(form: Json, name: str, upload: str) -> None:
    """An image may be a file: under its own name, or under another that takes its place."""
    other = "or its address" if upload == name else f"in place of `{name}`"
    file = BYTES | {"description": f"The image's file, {other}."}
    form["properties"] = form["properties"] | {upload: file}
    if upload != name and name in form["required"]:
        form["required"] = [other for other in form["required"] if other != name]
        form["oneOf"] = [{"required": [name]}, {"required": [upload]}]


def _value(declared: Field[Any], *, in_json: bool = False) -> Json:
    kind, rule = annotation(declared)
    about = {"description": rule.about}
    if kind is bool:
        return about | {"$ref": "#/components/schemas/Boolean", "default": declared.default}
    either: list[Json]
    if kind is int:
        either = [{"type": "integer", "minimum": rule.low, "maximum": rule.high}]
        either += [{"type": "string", "pattern": "^[0-9]{1,18}$"}] * in_json
    elif kind == float | None:
        either = [{"type": "number", "minimum": rule.low, "maximum": rule.high}]
        either += [{"type": "string", "pattern": NUMBER}] * in_json
    elif kind is Names:
        names = "|".join(rule.choices)
        either = [{"type": "string", "pattern": f"^({names})(,({names}))*$"}]
    elif kind in PATTERNS:
        pattern = f"^({PATTERNS[kind]})$"
        either = [{"type": "string", "pattern": pattern, "maxLength": rule.longest}]
    elif kind is ImageInput:
        either = [{"type": "string", "format": "uri"}]
    elif rule.choices:
        either = [{"enum": [*rule.choices]}]
    else:
        either = [{"type": SCALARS if in_json else "string", "maxLength": rule.longest}]
    if declared.default is MISSING:
        [schema] = either
        return about | schema
    either.append({"enum": ["", None] if in_json else [""]})
    default = DEFAULTS.get(declared.default, declared.default)
    return about | ({} if default is None else {"default": default}) | {"anyOf": either}


def _answers(operation: Operation) -> Json:
    replies = [{"$ref": f"#/components/schemas/{reply.__name__}"} for reply in operation.replies]
    content: Json = {"application/json": {"anyOf": replies} if replies[1:] else replies[0]}
    declared = {field.name: annotation(field)[1] for field in fields(operation.fields)}
    if "blob" not in declared:
        return {"200": _response("Done.", content)}
    content |= {"image/*": BYTES}
    answers = {
        "200": _response("Done; with `blob`, the image.", content),
        "303": _response("With `blob`, an image too large for a reply.", headers=["Location"]),
    }
    if "fail_status" in declared:
        for status in declared["fail_status"].choices[1:]:
            about = "With `fail_status`: as 200, of what has not `passed`."
            answers[status] = _response(about, content)
    hints = _told(operation.replies[0])
    for name in (name for name in FIGURES if name in hints):
        figure = {"description": f"`{name}` of the JSON.", "schema": _type(hints[name].__origin__)}
        for response in answers.values():
            response["headers"][FIGURES[name]] = figure
    return answers


def _told(reply: type) -> dict[str, Any]:
    """What a reply tells, by name, with what there isn't always."""
    hints = get_type_hints(reply, include_extras=True)
    findings = hints.pop("findings", None)
    return hints | (get_type_hints(findings, include_extras=True) if findings else {})


def _reply(reply: type) -> Json:
    hints = get_type_hints(reply, include_extras=True)
    hints.pop("findings", None)
    return _object(_told(reply)) | {"required": [*hints]}


def _object(hints: dict[str, Any]) -> Json:
    properties = {
        name: {"description": hint.__metadata__[0], **_type(hint.__origin__)}
        for name, hint in hints.items()
    }
    return {"type": "object", "required": [*hints], "properties": properties}


def _type(kind: Any) -> Json:
    """The schema of a reply's type."""
    if isinstance(kind, TypeAliasType):
        return _type(kind.__value__)
    if is_typeddict(kind):
        return _object(get_type_hints(kind, include_extras=True))
    origin, members = get_origin(kind), get_args(kind)
    if origin is None:
        return {"type": JSON_TYPES[kind]}
    if origin is Literal:
        return {"enum": [*members]}
    schemas = [_type(member) for member in members]
    composed: dict[object, Json] = {
        UnionType: schemas[0] | {"type": [schema.get("type") for schema in schemas]},
        tuple: {
            "type": "array",
            "items": schemas[0],
            "minItems": len(schemas),
            "maxItems": len(schemas),
        },
        list: {"type": "array", "items": schemas[0]},
        dict: {"type": "object", "additionalProperties": schemas[-1]},
    }
    return composed[origin]


def _tree(error: type[ImgdiffError]) -> Iterator[type[ImgdiffError]]:
    for below in error.__subclasses__():
        yield below
        yield from _tree(below)


def _failures(kinds: Iterable[type[ImgdiffError]]) -> Json:
    codes = sorted({str(kind.status) for kind in kinds})
    return {code: {"$ref": f"#/components/responses/{code}"} for code in codes}


def _errors() -> Json:
    meanings: dict[int, str] = {}
    for kind in _tree(ImgdiffError):
        if kind is not MethodNotAllowed:
            sentence = (kind.__doc__ or "").partition("\n")[0]
            meanings[kind.status] = f"{meanings.get(kind.status, '')} {sentence}".strip()
    content = {"application/json": {"$ref": "#/components/schemas/Error"}}
    return {
        str(status): _response(
            meaning, content, headers=["Retry-After"] if status in RETRIED else []
        )
        for status, meaning in sorted(meanings.items())
    }


def _response(about: str, content: Json | None = None, *, headers: Iterable[str] = ()) -> Json:
    bodies = {kind: {"schema": schema} for kind, schema in (content or {}).items()}
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in ("x-request-id", *headers)}
    return {"description": about, "headers": told, **({"content": bodies} if bodies else {})}


if __name__ == "__main__":
    main()
