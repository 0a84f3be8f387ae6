"""Reading what a caller sent: query, JSON, forms and files."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imgdiff.errors import InvalidField, TooLarge
from imgdiff.submission import Submission, read_submission

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XyZ"
LIMIT = 1_000_000
FIELD = b'Content-Disposition: form-data; name="a"'
FILE = b'Content-Disposition: form-data; name="file"; filename="a.png"'
END = b"--XyZ--\r\n"


def read(content_type: str = "", body: bytes = b"", query: str = "") -> Submission:
    return read_submission(query, content_type, body, max_bytes=LIMIT)


def refusal(content_type: str, body: bytes) -> str:
    with pytest.raises(InvalidField) as raised:
        read(content_type, body)
    return str(raised.value)


def part(headers: bytes, content: bytes = b"1") -> bytes:
    return b"--XyZ\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


def test_nothing_was_sent() -> None:
    assert read() == Submission({}, {})


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("a=1&b=2", {"a": ["1"], "b": ["2"]}),
        ("a=1&a=2&a=1", {"a": ["1", "2", "1"]}),
        ("a=&b", {"a": [""], "b": [""]}),
        ("a=x+y%20z%2B", {"a": ["x y z+"]}),
        ("%C3%BC=%E2%82%AC", {"ü": ["€"]}),
        ("a=%ff", {"a": ["\ufffd"]}),
        ("a=%00&a%00=", {"a": ["\0"], "a\0": [""]}),
        ("a=b=c", {"a": ["b=c"]}),
        ("a=1;b=2", {"a": ["1;b=2"]}),
        ("&&a=1&", {"a": ["1"]}),
    ],
)
def test_queries_and_forms(query: str, values: dict[str, list[str]]) -> None:
    assert read(query=query) == Submission(values, {})
    assert read(FORM, query.encode()) == Submission(values, {})


def test_query_and_body_are_one() -> None:
    assert read(FORM, b"a=2", "a=1").values == {"a": ["1", "2"]}
    assert read(JSON, b'{"a": 2}', "a=1").values == {"a": ["1", "2"]}
    assert read(MULTIPART, part(FIELD, b"2") + END, "a=1").values == {"a": ["1", "2"]}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON ; x=y",
    ],
)
def test_json_by_any_spelling_of_its_type(content_type: str) -> None:
    assert read(content_type, b'{"a": "1"}').values == {"a": ["1"]}


@pytest.mark.parametrize(
    "content_type",
    [FORM, f"{FORM}; charset=utf-8", f"{FORM};charset=UTF-8", FORM.title()],
)
def test_form_by_any_spelling_of_its_type(content_type: str) -> None:
    assert read(content_type, b"a=1").values == {"a": ["1"]}


@pytest.mark.parametrize(
    "content_type",
    [
        MULTIPART,
        'multipart/form-data; boundary="XyZ"',
        "Multipart/Form-Data; BOUNDARY=XyZ",
        "multipart/form-data; charset=utf-8; boundary=XyZ",
        "multipart/form-data;boundary=XyZ;charset=utf-8",
    ],
)
def test_multipart_by_any_spelling_of_its_type(content_type: str) -> None:
    body = part(FIELD) + part(FILE, b"\0\xff\r\n--Xy\n") + END
    assert read(content_type, body) == Submission({"a": ["1"]}, {"file": [b"\0\xff\r\n--Xy\n"]})


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/octet-stream", "application/jsonp", "json", ";"]
)
def test_other_types_are_refused(content_type: str) -> None:
    for name in (JSON, FORM, "multipart/form-data"):
        assert name in refusal(content_type, b"a=1")


@pytest.mark.parametrize("content_type", ["", "text/plain", JSON, FORM, MULTIPART])
def test_an_empty_body_is_of_any_type(content_type: str) -> None:
    assert read(content_type, b"", "a=1").values == {"a": ["1"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        ("ü\0\n", "ü\0\n"),
        (0, "0"),
        (-7, "-7"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
    ],
)
def test_json_values(value: Any, text: str) -> None:
    assert read(JSON, json.dumps({"a": value}).encode()).values == {"a": [text]}


def test_json_null_is_nothing() -> None:
    assert read(JSON, b'{"a": null, "b": 1}').values == {"b": ["1"]}


@pytest.mark.parametrize("value", [[], {}, ["1"], {"b": 1}, [None]])
def test_json_nested(value: Any) -> None:
    assert refusal(JSON, json.dumps({"img": value}).encode()) == "img must be a single value"


@pytest.mark.parametrize("body", [b"[]", b"1", b'"a"', b"null", b"true", b'[{"a": 1}]'])
def test_json_that_is_no_object(body: bytes) -> None:
    assert refusal(JSON, body) == "the body must be a JSON object"


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"a=1", b" ", b"{'a': 1}", b'{"a": 1,}', b'{"a": "\xff"}', b'{"a": 1} {}', b"\0"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="endless number"),
        pytest.param(b"[" * 100_000, id="endless lists"),
        pytest.param(b'{"a":' * 100_000, id="endless objects"),
    ],
)
def test_json_that_is_none(body: bytes) -> None:
    assert refusal(JSON, body) == "the body is not valid JSON"


def test_a_refusal_is_short_however_long_the_name() -> None:
    assert len(refusal(JSON, json.dumps({"n" * 100_000: []}).encode())) < 200


def test_multipart_keeps_every_value_in_order() -> None:
    body = part(FIELD, b"1") + part(FILE, b"x") + part(FIELD, b"") + part(FILE, b"y") + END

    assert read(MULTIPART, body) == Submission({"a": ["1", ""]}, {"file": [b"x", b"y"]})


def test_multipart_text_is_utf8() -> None:
    body = part(FIELD, "€".encode()) + part(FIELD, b"\xff\0") + END

    assert read(MULTIPART, body).values == {"a": ["€", "\ufffd\0"]}


@pytest.mark.parametrize(
    "name", ["", "ü €.png", "/tmp/a b.png", r"C:\a.png", 'q".png', "\0", "%22"]
)
def test_files_by_any_name(name: str) -> None:
    quoted = name.replace('"', "%22").encode()
    header = b'Content-Disposition: form-data; name="file"; filename="' + quoted + b'"'

    assert read(MULTIPART, part(header, b"\0content") + END).files == {"file": [b"\0content"]}


def test_parts_may_say_of_what_type_they_are() -> None:
    octets = b"\r\nContent-Type: application/octet-stream"
    text = b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"

    assert read(MULTIPART, part(FILE + octets, b"x") + part(FIELD + text) + END) == Submission(
        {"a": ["1"]}, {"file": [b"x"]}
    )


def test_an_empty_form() -> None:
    assert read(MULTIPART, END) == Submission({}, {})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data", part(FIELD) + END, id="no boundary"),
        pytest.param("multipart/form-data; boundary=", part(FIELD) + END, id="empty boundary"),
        pytest.param("multipart/form-data; boundary=other", part(FIELD) + END, id="other boundary"),
        pytest.param(
            "multipart/form-data; boundary=€", part(FIELD) + END, id="boundary that is not ASCII"
        ),
        pytest.param(
            f"multipart/form-data; boundary={'b' * 5000}", part(FIELD) + END, id="long boundary"
        ),
        pytest.param(MULTIPART, b"a=1", id="no parts"),
        pytest.param(MULTIPART, part(FIELD), id="no end"),
        pytest.param(MULTIPART, part(FILE, b"x" * 5000)[:-9], id="cut in a file"),
        pytest.param(MULTIPART, part(FIELD)[:20], id="cut in a header"),
        pytest.param(MULTIPART, part(b"Content-Type: text/plain") + END, id="no disposition"),
        pytest.param(MULTIPART, part(b"nonsense") + END, id="no header"),
        pytest.param(
            MULTIPART, part(b'Content-Disposition: attachment; name="a"') + END, id="attachment"
        ),
        pytest.param(MULTIPART, part(FIELD + b"; x=" + b"x" * 9000) + END, id="long header"),
        pytest.param(MULTIPART, part(FIELD + b"\r\nX: y" * 50) + END, id="many headers"),
        pytest.param(MULTIPART, part(FIELD) * 1000 + END, id="many parts"),
        pytest.param(
            MULTIPART,
            part(b'Content-Disposition: form-data; name="\xff"') + END,
            id="name that is not UTF-8",
        ),
    ],
)
def test_multipart_that_is_none(content_type: str, body: bytes) -> None:
    assert refusal(content_type, body) == "the body is not valid multipart/form-data"


@pytest.mark.parametrize("disposition", [b"form-data", b'form-data; filename="a.png"'])
def test_parts_without_a_name_are_no_field(disposition: bytes) -> None:
    body = part(b"Content-Disposition: " + disposition) + part(FIELD) + END

    found = read(MULTIPART, body)

    assert {name for name in (*found.values, *found.files) if name} == {"a"}


def test_bodies_up_to_the_limit() -> None:
    fits = b'{"a": "' + b"x" * (LIMIT - 9) + b'"}'
    assert len(fits) == LIMIT
    assert len(read(JSON, fits).values["a"][0]) == LIMIT - 9

    for content_type in (JSON, FORM, MULTIPART, "text/plain", ""):
        with pytest.raises(TooLarge) as raised:
            read(content_type, bytes(LIMIT + 1))
        for word in (str(LIMIT), "POST /store", "presign=true", "size"):
            assert word in str(raised.value)


def test_a_large_file_is_whole() -> None:
    content = bytes(range(256)) * 3000

    assert read(MULTIPART, part(FILE, content) + END).files == {"file": [content]}


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXTS, st.lists(TEXTS, min_size=1)))
def test_what_a_form_says_is_what_is_read(values: dict[str, list[str]]) -> None:
    body = urlencode(values, doseq=True)

    assert read(query=body).values == values
    assert read(FORM, body.encode()).values == values


@given(st.dictionaries(TEXTS, TEXTS))
def test_what_json_says_is_what_is_read(values: dict[str, str]) -> None:
    expected = {name: [value] for name, value in values.items()}

    assert read(JSON, json.dumps(values).encode()).values == expected
    assert read(JSON, json.dumps(values, ensure_ascii=False).encode()).values == expected


PIECES = st.sampled_from(
    [
        *(b"--XyZ", b"--XyZ--", b"\r\n", b"\n", b"\r\n\r\n", b"--", b'"', b";", b":", b"=", b"\0"),
        *(b"Content-Disposition", b"form-data", b'name="a"', b'filename="b"', b"filename*=utf-8''"),
        *(b"Content-Type: text/plain", b"Content-Length: 3", b"{", b"}", b"[", b'"a"', b"1", b","),
        *(part(FIELD), part(FILE), END, b"\xff", b"\xef\xbb\xbf", b"%", b"&"),
    ]
)
BODIES = st.binary() | st.lists(PIECES).map(b"".join)
BOUNDARIES = st.text(max_size=20).map(lambda text: f"multipart/form-data; boundary={text}")
TYPES = st.sampled_from([JSON, FORM, MULTIPART, "multipart/form-data"]) | st.text() | BOUNDARIES


@given(st.text(), TYPES, BODIES)
@example(
    "", MULTIPART, part(b"Content-Disposition: form-data; name=\"a\"; filename*=utf-8''x") + END
)
def test_whatever_comes_is_read_or_refused(query: str, content_type: str, body: bytes) -> None:
    try:
        found = read(content_type, body, query)
    except InvalidField:
        return
    for values in found.values.values():
        assert all(isinstance(value, str) for value in values)
    for files in found.files.values():
        assert all(isinstance(content, bytes) for content in files)
