"""What a caller sent to start a batch: a file, in a form, as the body itself or as JSON."""

import json

from imgdiff.errors import InvalidField, TooLarge
from imgdiff.submission import Submission, json_object, media_type, read_submission, texts

FILE, PAIRS = "file", "pairs"
TYPES = ("application/jsonl", "application/x-ndjson", "application/json-lines", "text/csv")


def read_batch_submission(
    query: str, content_type: str, body: bytes, *, max_bytes: int
) -> tuple[Submission, bytes]:
    """Read a request's fields, and the batch's file.

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
        The body can't be read as what its content type says, or has no file.
    TooLarge
        It is larger than ``max_bytes``.
    """
    if len(body) > max_bytes:
        raise TooLarge(
            f"the batch is over the limit of {max_bytes} bytes for a request: put its file into "
            "the inbox bucket, under batches/"
        )
    kind = media_type(content_type)
    if kind in TYPES:
        return _read("", b"", query), body
    if kind != "application/json":
        submission = _read(content_type, body, query)
        files = submission.files.get(FILE, [])
        given = [file for file in files if file]
        if len(given) != 1:
            raise InvalidField("is given more than once" if given else "is required", field=FILE)
        return submission, given[0]
    fields = json_object(body)
    pairs = fields.pop(PAIRS, None)
    if not isinstance(pairs, list):
        raise InvalidField("must be a list", field=PAIRS)
    submission = _read("", b"", query)
    for name, text in texts(fields):
        submission.values.setdefault(name, []).append(text)
    return submission, "\n".join(map(json.dumps, pairs)).encode()


def _read(content_type: str, body: bytes, query: str) -> Submission:
    return read_submission(query, content_type, body, max_bytes=len(body))
