"""What a caller sent: the fields of the query and the body, however the body is encoded."""

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from imgdiff.errors import InvalidField, TooLarge


@dataclass(frozen=True, slots=True)
class Submission:
    """The fields that a caller sent, each with every value given for it.

    Attributes
    ----------
    values : dict of str to list of str
        Fields of the query, a JSON object or a form.
    files : dict of str to list of bytes
        Files of a multipart form.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, list[bytes]] = field(default_factory=dict)


def read_submission(query: str, content_type: str, body: bytes, *, max_bytes: int) -> Submission:
    """Read a request's fields.

    Parameters
    ----------
    query : str
        The query string, as sent.
    content_type : str
        The request's content type; empty where none was sent.
    body : bytes
    max_bytes : int
        The largest body accepted.

    Raises
    ------
    InvalidField
        The body can't be read as what its content type says.
    TooLarge
        It is larger than ``max_bytes``.
    """
    if len(body) > max_bytes:
        raise TooLarge(
            f"the upload is over the limit of {max_bytes} bytes for a request: ask POST /store "
            "with presign=true and size for an address to upload it to"
        )
    submission = Submission()
    for name, value in parse_qsl(query, keep_blank_values=True):
        submission.values.setdefault(name, []).append(value)
    if not body:
        return submission
    match media_type(content_type):
        case "application/json":
            pairs = texts(json_object(body))
        case "application/x-www-form-urlencoded":
            pairs = iter(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
        case "multipart/form-data":
            pairs = _multipart(content_type, body, submission.files)
        case _:
            raise InvalidField(
                "the body must be application/json, application/x-www-form-urlencoded or "
                "multipart/form-data"
            )
    for name, value in pairs:
        submission.values.setdefault(name, []).append(value)
    return submission


def media_type(content_type: str) -> str:
    """A content type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is.

    Raises
    ------
    InvalidField
        It is none.
    """
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidField("the body is not valid JSON") from error
    if not isinstance(parsed, dict):
        raise InvalidField("the body must be a JSON object")
    return parsed


def texts(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The values of a JSON object as texts, as a form has them; null is none.

    Raises
    ------
    InvalidField
        A value is a list or an object.
    """
    for name, value in values.items():
        match value:
            case None:
                continue
            case bool():
                yield name, str(value).lower()
            case float() if value.is_integer():
                yield name, str(int(value))
            case str() | int() | float():
                yield name, str(value)
            case _:
                raise InvalidField("must be a single value", field=name[:40])


def _multipart(
    content_type: str, body: bytes, files: dict[str, list[bytes]]
) -> Iterator[tuple[str, str]]:
    from multipart import MultipartError, MultipartParser, parse_options_header

    boundary = parse_options_header(content_type)[1].get("boundary", "")
    parser = MultipartParser(io.BytesIO(body), boundary, spool_limit=len(body))
    try:
        for part in parser:
            if part.filename is None:
                yield part.name, part.raw.decode(errors="replace")
            else:
                files.setdefault(part.name, []).append(part.raw)
    except MultipartError as error:
        raise InvalidField("the body is not valid multipart/form-data") from error
