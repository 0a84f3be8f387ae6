"""Reading a batch's file: every line is an item, whatever is wrong with the others."""

import csv
import io
import itertools
import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.batch_file import LONGEST_ID, MAX_LINE_BYTES, count, items
from imgdiff.errors import InvalidField, TooLarge

type Item = dict[str, Any]

# All that UTF-8 can tell.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
FIELDS = st.fixed_dictionaries({"src": TEXTS, "target": TEXTS}, optional={"id": TEXTS})


def read(content: bytes | str, extension: str = "", *, size: int = 1 << 20) -> list[Item]:
    """The items of a file that comes in chunks of so many bytes."""
    whole = content.encode() if isinstance(content, str) else content
    chunks = (whole[first : first + size] for first in range(0, len(whole), size))
    return [json.loads(item) for item in items(chunks, extension)]


def expected(line: int, fields: dict[str, str]) -> Item:
    return {"line": line, **fields, "id": fields.get("id", str(line))}


# What is written is read.


@given(st.lists(FIELDS, min_size=1), st.integers(1, 60), st.sampled_from(["jsonl", ""]))
def test_json_lines(pairs: list[dict[str, str]], size: int, extension: str) -> None:
    content = "\n".join(map(json.dumps, pairs))
    assert read(content, extension, size=size) == [
        expected(line, pair) for line, pair in enumerate(pairs, 1)
    ]


# A CSV value has no lone carriage return here: the writer leaves it bare.
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), min_size=1)
ROWS = st.fixed_dictionaries({"src": VALUES, "note": VALUES, "target": VALUES, "id": VALUES})


@given(st.lists(ROWS, min_size=1), st.integers(1, 60), st.booleans(), st.sampled_from(["csv", ""]))
def test_csv(rows: list[dict[str, str]], size: int, bom: bool, extension: str) -> None:  # noqa: FBT001
    file = io.StringIO()
    writer = csv.DictWriter(file, ["src", "note", "target", "id"])
    writer.writeheader()
    starts = []
    for row in rows:
        starts.append(file.getvalue().count("\n") + 1)
        writer.writerow(row)
    content = file.getvalue().encode("utf-8-sig" if bom else "utf-8")
    assert read(content, extension, size=size) == [
        expected(line, {name: row[name] for name in ("src", "target", "id")})
        for line, row in zip(starts, rows, strict=True)
    ]


@given(st.binary(), st.integers(1, 9), st.sampled_from(["jsonl", "csv", ""]))
def test_anything(content: bytes, size: int, extension: str) -> None:
    """Whatever it is, it is items or refused, however it is cut."""
    found: list[list[Item]] = []
    for length in (size, 1 << 20):
        try:
            found.append(read(content, extension, size=length))
        except InvalidField as error:
            found.append([{"refused": str(error)}])
    assert found[0] == found[1]
    assert all({"line", "id"} <= item.keys() or "refused" in item for item in found[0])


# Lines.


@pytest.mark.parametrize(
    ("line", "item"),
    [
        ('{"src": "a", "target": "b"}', {"src": "a", "target": "b", "id": "2"}),
        ('{"src": "a", "blob": true, "key": "k", "line": 9}', {"src": "a", "id": "2"}),
        ('{"id": 7, "src": 1.0, "style": null}', {"id": "7", "src": "1"}),
        ('{"id": "", "other": [1]}', {"id": "2"}),
        ("{}\r", {"id": "2"}),
        ("{", {"id": "2", "error": "the line is not valid JSON"}),
        ("[" * 5000, {"id": "2", "error": "the line is not valid JSON"}),
        (f'{{"id": {"9" * 5000}}}', {"id": "2", "error": "the line is not valid JSON"}),
        ("[1]", {"id": "2", "error": "the line is not a JSON object"}),
        ('{"id": "a", "src": {}}', {"id": "2", "error": "src must be a single value"}),
        ('{"id": "\\ud800"}', {"id": "2", "error": "the line is not valid Unicode"}),
        (
            json.dumps({"id": "i" * (LONGEST_ID + 1)}),
            {"id": "2", "error": "id is longer than 256 characters"},
        ),
        (
            json.dumps({"src": "s" * MAX_LINE_BYTES}),
            {"id": "2", "error": "the line is over the limit of 64000 bytes"},
        ),
    ],
)
def test_json_line(line: str, item: Item) -> None:
    found = read(f"{{}}\n{line}\n\n{{}}", size=1000)
    assert found[1] == {"line": 2, **item}
    assert [each["line"] for each in found] == [1, 2, 4]


@pytest.mark.parametrize(
    ("line", "items_"),
    [
        ("a,b,", [{"src": "a", "target": "b", "id": "2", "style": ""}]),
        ('"a,""",b,none', [{"src": 'a,"', "target": "b", "id": "2", "style": "none"}]),
        ('a"b,c,', [{"src": 'a"b', "target": "c", "id": "2", "style": ""}]),
        ("a,b", [{"id": "2", "error": "the line has 2 values, the header 3"}]),
        ("a,b,c,d", [{"id": "2", "error": "the line has 4 values, the header 3"}]),
        (
            '"a"b,c,',
            [{"id": "2", "error": "the line is not valid CSV: ',' expected after '\"'"}],
        ),
        ('"a,b,', [{"id": "2", "error": "the line is not valid CSV: unexpected end of data"}]),
        (
            "\1" * 20_000 + ",,",
            [{"id": "2", "error": "the line is over the limit of 64000 bytes"}],
        ),
    ],
)
def test_csv_line(line: str, items_: list[Item]) -> None:
    found = read(f"src,target,style\n{line}\n\nx,y,", size=1000)
    assert found[:-1] == [{"line": 2, **item} for item in items_]
    assert found[-1] == {"line": 4, "src": "x", "target": "y", "style": "", "id": "4"}


def test_a_csv_line_that_is_too_long() -> None:
    found = read(f"src,target\n{'a' * MAX_LINE_BYTES},b\nx,y", size=1000)
    assert found[0]["error"] == (
        "the line is not valid CSV: the line is over the limit of 64000 bytes"
    )
    assert found[1]["src"] == "x"


# Files.


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", "the batch is empty"),
        (b"\xef\xbb\xbf\r\n \n", "the batch is empty"),
        (b"src,target\n", "the batch is empty"),
        (b"a,b\n1,2", "the batch is CSV without a header that names src and target"),
        (b"src\n1", "the batch is CSV without a header that names src and target"),
        (b"src,target,src\n1,2,3", "the batch is CSV without a header that names src and target"),
        (b'"src,target', "the batch is CSV without a header that names src and target"),
        (b'{"src": "\xfc"}', "the batch is not UTF-8"),
        (b"src,target\n\xfc,b", "the batch is not UTF-8"),
        ("src,target\na,b".encode("utf-16"), "the batch is not UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "the batch is not UTF-8"),
    ],
)
def test_no_batch(content: bytes, error: str) -> None:
    with pytest.raises(InvalidField) as raised:
        count(content)
    assert str(raised.value) == error


def test_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imgdiff.batch_file.MAX_LINES", 3)
    assert count(b"{}\n" * 3) == 3
    with pytest.raises(TooLarge, match=r"^the batch has more than 3 lines$"):
        count(b"{}\n" * 4)


@pytest.mark.parametrize("extension", ["jsonl", "csv"])
def test_a_line_without_an_end_takes_no_memory(extension: str) -> None:
    chunks = itertools.chain([b"src,target\n"], itertools.repeat(b"x" * 1_000_000, 40))
    tracemalloc.start()
    try:
        found = [*items(chunks, extension)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert b"over the limit of 64000 bytes" in found[-1]
    assert peak < 8_000_000


def test_the_extension_goes_before_the_content() -> None:
    assert read("garbage\n{}", "jsonl")[0]["error"] == "the line is not valid JSON"


@pytest.mark.parametrize("line", [b'a","b', b'"', b'"a', b'""",', b'"a"b', b",", b"[", b"{"])
def test_hostile_files_take_linear_time(line: bytes) -> None:
    content = b"src,target\n" + b"\n".join([line] * (300_000 // (len(line) + 1)))
    started = time.process_time()
    count(content)
    assert time.process_time() - started < 10
