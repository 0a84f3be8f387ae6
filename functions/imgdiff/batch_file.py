"""Reading a batch's file: JSON lines, or CSV with a header, into one item a pair.

An item is the JSON of a pair's fields, or of what is wrong with its line: one bad line never
stops the rest.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import chain

from imgdiff.errors import InvalidField, TooLarge
from imgdiff.fields import ImgdiffFields
from imgdiff.results import NOT_OF_RESULTS
from imgdiff.submission import texts

MAX_LINES = 1_000_000
MAX_LINE_BYTES = 64_000
LONGEST_ID = 256

_NAMES = {declared.name for declared in fields(ImgdiffFields)} - {*NOT_OF_RESULTS}
_TOO_LONG = f"the line is over the limit of {MAX_LINE_BYTES} bytes"
_BOM = b"\xef\xbb\xbf"

type _Line = tuple[int, bytes]
type _Record = tuple[int, dict[str, object] | str]
"""The number of a line, and its fields or what is wrong with it."""


def items(chunks: Iterable[bytes], extension: str = "") -> Iterator[bytes]:
    """The items of a file, as JSON.

    Parameters
    ----------
    chunks : iterable of bytes
        The file.
    extension : str
        ``jsonl`` or ``csv``; told by the content where empty.

    Raises
    ------
    InvalidField
        It is no batch at all: not UTF-8, empty, or CSV without a header.
    TooLarge
        It has too many lines.
    """
    total = 0
    for number, found in _records(_lines(chunks), extension):
        total += 1
        if total > MAX_LINES:
            raise TooLarge(f"the batch has more than {MAX_LINES} lines")
        yield _item(number, found)
    if not total:
        raise InvalidField("the batch is empty")


def count(content: bytes) -> int:
    """How many items a file has.

    Raises
    ------
    InvalidField, TooLarge
        It is no batch.
    """
    return sum(1 for _ in items([content]))


def split(chunks: Iterable[bytes], longest: int) -> Iterator[bytes]:
    """Lines without their ends; of one that is longer, enough to see that it is."""
    held = b""
    for chunk in chunks:
        *whole, rest = (held + chunk).split(b"\n")
        yield from whole
        held = rest[: longest + 1]
    yield held


def _lines(chunks: Iterable[bytes]) -> Iterator[_Line]:
    for number, line in enumerate(split(chunks, MAX_LINE_BYTES), 1):
        yield number, line.removeprefix(_BOM) if number == 1 else line


def _records(lines: Iterator[_Line], extension: str) -> Iterator[_Record]:
    first = next((line for line in lines if line[1].strip()), (1, b""))
    if not extension:
        extension = "jsonl" if first[1].lstrip().startswith((b"{", b"[")) else "csv"
    return {"jsonl": _json_lines, "csv": _csv}[extension](chain([first], lines))


def _json_lines(lines: Iterable[_Line]) -> Iterator[_Record]:
    for number, line in lines:
        if not line.strip():
            continue
        if len(line) > MAX_LINE_BYTES:
            yield number, _TOO_LONG
            continue
        text = _decode(line)
        try:
            parsed = json.loads(text)
        except (ValueError, RecursionError):
            yield number, "the line is not valid JSON"
            continue
        yield number, parsed if isinstance(parsed, dict) else "the line is not a JSON object"


def _csv(lines: Iterable[_Line]) -> Iterator[_Record]:
    header: list[str] | None = None
    for number, found in _csv_records(lines):
        if found == []:  # a blank line
            continue
        if header is None:
            header = found if isinstance(found, list) else []
            if header.count("src") != 1 or header.count("target") != 1:
                raise InvalidField("the batch is CSV without a header that names src and target")
        elif isinstance(found, str):
            yield number, found
        elif len(found) != len(header):
            yield number, f"the line has {len(found)} values, the header {len(header)}"
        else:
            yield number, dict(zip(header, found, strict=True))


def _csv_records(lines: Iterable[_Line]) -> Iterator[tuple[int, list[str] | str]]:
    taken: list[_Line] = []

    def take() -> Iterator[_Line]:
        for line in lines:
            taken.append(line)
            yield line

    while (found := _csv_record(take())) is not None:
        yield taken[0][0], found
        if isinstance(found, str):
            # A quote that is never closed takes the lines behind it along.
            for line in taken[1:]:
                yield line[0], _csv_record([line]) or []
        taken.clear()


def _csv_record(lines: Iterable[_Line]) -> list[str] | str | None:
    """The values of a record, which may have several lines, or what is wrong with it."""

    def decoded() -> Iterator[str]:
        size = 0
        for _, line in lines:
            size += len(line)
            if size > MAX_LINE_BYTES:
                raise csv.Error(_TOO_LONG)
            yield _decode(line) + "\n"

    try:
        return next(csv.reader(decoded(), strict=True), None)
    except csv.Error as error:
        return f"the line is not valid CSV: {error}"


def _item(number: int, found: dict[str, object] | str) -> bytes:
    if isinstance(found, str):
        return _bad(number, found)
    try:
        given = dict(texts({name: found[name] for name in ("id", *_NAMES) if name in found}))
        item = _encode({"line": number, **given, "id": given.get("id") or str(number)})
    except InvalidField as error:
        return _bad(number, str(error))
    except UnicodeEncodeError:
        return _bad(number, "the line is not valid Unicode")
    if len(given.get("id", "")) > LONGEST_ID:
        return _bad(number, f"id is longer than {LONGEST_ID} characters")
    # Characters that JSON escapes make it longer than the line was.
    return _bad(number, _TOO_LONG) if len(item) > MAX_LINE_BYTES else item


def _bad(number: int, error: str) -> bytes:
    return _encode({"line": number, "id": str(number), "error": error})


def _encode(item: dict[str, object]) -> bytes:
    return json.dumps(item, ensure_ascii=False).encode()


def _decode(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidField("the batch is not UTF-8") from error
