"""Reading declared fields from what a request carries."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.errors import InvalidField
from imgdiff.fields import CropFields, Declaration, ImgdiffFields, Rule, StoreFields, Upload
from imgdiff.fields import read_fields as read_submitted
from imgdiff.submission import Submission

BOTH = {"src": ["http://a.example/1.png"], "target": ["http://a.example/2.png"]}


@dataclass(frozen=True, slots=True)
class Sample:
    """Every kind of declaration."""

    title: Annotated[str, Rule("Any text.")]
    sure: Annotated[bool, Rule("Required.")]
    note: Annotated[str, Rule("At most five characters.", longest=5)] = "none"
    loud: Annotated[bool, Rule("On by default.")] = True
    level: Annotated[int, Rule("A number.", low=-2, high=9)] = 3
    kind: Annotated[str, Rule("One of two.", choices=("round", "square"))] = "round"


def read_fields[T: Declaration](declaration: type[T], values: dict[str, list[str]]) -> T:
    """Read fields of which none is a file."""
    return read_submitted(declaration, Submission(values))


def test_fields_of_imgdiff() -> None:
    assert read_fields(ImgdiffFields, BOTH) == ImgdiffFields(
        src="http://a.example/1.png", target="http://a.example/2.png", blob=False
    )


def test_every_kind_of_field_is_read() -> None:
    given_fields = {"title": ["a"], "sure": ["yes"], "note": ["b"], "loud": ["no"]}

    assert read_fields(Sample, given_fields) == Sample("a", sure=True, note="b", loud=False)


@pytest.mark.parametrize(("text", "number"), [("-2", -2), ("9", 9), ("007", 7), ("", 3)])
def test_number(text: str, number: int) -> None:
    values = {"title": ["a"], "sure": ["1"], "level": [text]}

    assert read_fields(Sample, values).level == number


@pytest.mark.parametrize(
    "text", ["-3", "10", "1.0", "1e1", "+1", " 1", "1_0", "٣", "x", "9" * 5000, "--1", "0x1"]
)
def test_no_number_within_the_bounds(text: str) -> None:
    with pytest.raises(InvalidField) as raised:
        read_fields(Sample, {"title": ["a"], "sure": ["1"], "level": [text]})
    assert str(raised.value) == (f"level must be a whole number from -2 to 9, not {text[:40]!r}")


def test_choice_and_length_of_text() -> None:
    values = {"title": ["a"], "sure": ["1"]}

    assert read_fields(Sample, values | {"kind": ["square"], "note": ["12345"]}).kind == "square"
    with pytest.raises(InvalidField, match=r"^kind must be one of round, square$"):
        read_fields(Sample, values | {"kind": ["oval"]})
    with pytest.raises(InvalidField, match=r"^note is longer than 5 characters$"):
        read_fields(Sample, values | {"note": ["123456"]})


def test_file_takes_an_address_place() -> None:
    uploaded = Submission({"x": ["3"]}, {"file": [b"image"]})

    fields = read_submitted(CropFields, uploaded)

    assert fields.img == Upload(b"image")
    assert isinstance(fields.img, Upload)
    assert (fields.x, fields.y) == (3, 0)


def test_file_and_address_together_are_one_too_many() -> None:
    both = Submission({"img": ["http://a.example/1.png"]}, {"file": [b"image"]})

    with pytest.raises(InvalidField, match=r"^img is given more than once$"):
        read_submitted(CropFields, both)


def test_missing_image_names_both_ways_to_send_it() -> None:
    with pytest.raises(InvalidField, match=r"^img is required, or its file as file$"):
        read_submitted(CropFields, Submission())


def test_optional_image_may_be_missing() -> None:
    assert read_submitted(StoreFields, Submission()).url == ""


def test_missing_fields_have_their_defaults() -> None:
    assert read_fields(Sample, {"title": ["a"], "sure": ["0"]}) == Sample(
        "a", sure=False, note="none", loud=True
    )


def test_name_without_values_is_missing() -> None:
    assert read_fields(Sample, {"title": ["a"], "sure": ["1"], "loud": []}).loud is True


def test_other_fields_are_ignored() -> None:
    others = {"key": ["k"], "Blob": ["maybe"], "x": ["1", "2"], "": [""]}

    assert read_fields(ImgdiffFields, BOTH | others) == read_fields(ImgdiffFields, BOTH)


def test_text_is_taken_as_it_is() -> None:
    text = " http://a.example/%20?a=b&c=ü\n"

    assert read_fields(ImgdiffFields, BOTH | {"src": [text]}).src == text


@pytest.mark.parametrize("text", ["true", "True", "TRUE", "tRuE", "1", "yes", "Yes", "on", "ON"])
def test_true(text: str) -> None:
    assert read_fields(ImgdiffFields, BOTH | {"blob": [text]}).blob is True


@pytest.mark.parametrize(
    "text", ["false", "False", "FALSE", "fAlSe", "0", "no", "No", "off", "OFF", ""]
)
def test_false(text: str) -> None:
    assert read_fields(ImgdiffFields, BOTH | {"blob": [text]}).blob is False


@pytest.mark.parametrize("text", ["2", "-1", "00", "t", "y", "null", "None", " true", "1 ", "tru"])
def test_neither_true_nor_false(text: str) -> None:
    with pytest.raises(InvalidField) as raised:
        read_fields(ImgdiffFields, BOTH | {"blob": [text]})
    assert raised.value.field == "blob"
    assert str(raised.value) == f"blob must be true or false, not {text!r}"


def test_long_or_strange_values_are_shown_short_and_plain() -> None:
    with pytest.raises(InvalidField) as raised:
        read_fields(ImgdiffFields, BOTH | {"blob": ["\n\ud800" + "x" * 10_000]})
    assert len(str(raised.value)) < 100
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("name", ["src", "target"])
@pytest.mark.parametrize("values", [None, [], [""]])
def test_required_field_is_missing_or_empty(name: str, values: list[str] | None) -> None:
    given_fields = {other: value for other, value in BOTH.items() if other != name}
    if values is not None:
        given_fields[name] = values

    with pytest.raises(InvalidField) as raised:
        read_fields(ImgdiffFields, given_fields)
    assert raised.value.field == name
    assert str(raised.value) == f"{name} is required"


def test_empty_required_boolean_is_missing() -> None:
    with pytest.raises(InvalidField, match=r"^sure is required"):
        read_fields(Sample, {"title": ["a"], "sure": [""]})


@pytest.mark.parametrize("name", ["src", "target", "blob"])
@pytest.mark.parametrize("values", [["true", "false"], ["true", "true"], ["", "true", "true"]])
def test_field_given_twice(name: str, values: list[str]) -> None:
    with pytest.raises(InvalidField) as raised:
        read_fields(ImgdiffFields, BOTH | {name: values})
    assert raised.value.field == name
    assert str(raised.value) == f"{name} is given more than once"


@given(st.dictionaries(st.sampled_from(["src", "target", "blob"]), st.lists(st.text())))
def test_whatever_is_given_is_read_or_refused(values: dict[str, list[str]]) -> None:
    try:
        fields = read_fields(ImgdiffFields, values)
    except InvalidField:
        return
    assert [fields.src] == [value for value in values["src"] if value]
    assert [fields.target] == [value for value in values["target"] if value]
    assert isinstance(fields.blob, bool)
