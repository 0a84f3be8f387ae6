"""The fields of requests: declared once as dataclasses, read from whatever carried them."""

import re
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol, get_args

from imgdiff.errors import InvalidField, about
from imgdiff.formats import FORMATS, NAMES, PNG
from imgdiff.submission import Submission

# Spelled in any case.
TRUE = ("true", "1", "yes", "on")
FALSE = ("false", "0", "no", "off")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_LONGEST_SIDE = 65_535


class Upload(bytes):
    """The content of an uploaded file."""

    __slots__ = ()


type ImageInput = str | Upload
"""An image: its address, or its content."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a field means and which values it takes.

    Attributes
    ----------
    about : str
        One sentence for whoever sends it.
    low, high : int
        Bounds of a number.
    choices : tuple of str
        The values that a text may have; empty for any.
    longest : int
        The most characters of a text.
    upload : str
        The name under which an image's file is uploaded.
    """

    about: str
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()
    longest: int = 1024
    upload: str = ""


class Declaration(Protocol):
    """A dataclass whose fields, each annotated with a `Rule`, are a request's."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_BLOB = Rule("Answer the image itself instead of JSON.")
_WIDTH = Rule("Width in pixels; 0 for the same as the height.", high=_LONGEST_SIDE)
_HEIGHT = Rule("Height in pixels; 0 for the same as the width.", high=_LONGEST_SIDE)
_STYLE = Rule(
    "The difference image to make; none for figures alone, the fastest answer.",
    choices=("highlight", "none"),
)
_IMAGE = f"Address of the image ({NAMES}), or a link that this service returned."


@dataclass(frozen=True, slots=True)
class ImgdiffFields:
    """Fields of ``/imgdiff``."""

    src: Annotated[ImageInput, Rule(_IMAGE, upload="src")]
    target: Annotated[ImageInput, Rule("The image to compare it to.", upload="target")]
    blob: Annotated[bool, _BLOB] = False
    style: Annotated[str, _STYLE] = "highlight"


@dataclass(frozen=True, slots=True)
class StoreFields:
    """Fields of ``/store``."""

    url: Annotated[ImageInput, Rule(f"{_IMAGE} Required without presign.", upload="file")] = ""
    comment: Annotated[str, Rule("A remark; it is not kept.")] = ""
    presign: Annotated[bool, Rule("Answer where to upload a large image to.")] = False
    size: Annotated[
        int, Rule("With presign: the image's size in bytes.", low=0, high=200_000_000)
    ] = 0
    type: Annotated[
        str,
        Rule(
            "With presign: the image's media type.",
            choices=tuple(known.content_type for known in FORMATS),
        ),
    ] = PNG.content_type


@dataclass(frozen=True, slots=True)
class ResizeFields:
    """Fields of ``/resize``."""

    img: Annotated[ImageInput, Rule(_IMAGE, upload="file")]
    width: Annotated[int, _WIDTH] = 0
    height: Annotated[int, _HEIGHT] = 0
    blob: Annotated[bool, _BLOB] = False


@dataclass(frozen=True, slots=True)
class CropFields:
    """Fields of ``/crop``."""

    img: Annotated[ImageInput, Rule(_IMAGE, upload="file")]
    x: Annotated[int, Rule("Left edge in pixels.", high=_LONGEST_SIDE)] = 0
    y: Annotated[int, Rule("Top edge in pixels.", high=_LONGEST_SIDE)] = 0
    width: Annotated[int, _WIDTH] = 0
    height: Annotated[int, _HEIGHT] = 0
    blob: Annotated[bool, _BLOB] = False


def read_fields[T: Declaration](declaration: type[T], submission: Submission) -> T:
    """Read the declared fields; others are ignored.

    Parameters
    ----------
    declaration : dataclass type
        Its fields' names, types, defaults and bounds are what is read.
    submission : Submission
        What the caller sent.

    Raises
    ------
    InvalidField
        A required field is missing or empty, given twice, or not of its type or bounds.
    """
    read: dict[str, object] = {}
    for declared in fields(declaration):
        kind, rule = annotation(declared)
        texts = submission.values.get(declared.name, [])
        files = map(Upload, submission.files.get(rule.upload, ()))
        # A form sends what was left blank, too.
        given = [value for value in (*texts, *files) if value]
        if len(given) > 1:
            raise InvalidField("is given more than once", field=declared.name)
        required = declared.default is MISSING
        if given:
            with about(declared.name):
                read[declared.name] = _READERS[kind](given[0], rule)
        elif required:
            other = f", or its file as {rule.upload}" if rule.upload != declared.name else ""
            raise InvalidField(f"is required{other}", field=declared.name)
    return declaration(**read)


def annotation(declared: Field[Any]) -> tuple[object, Rule]:
    """The type and the rule of a declared field."""
    kind, rule = get_args(declared.type)
    return kind, rule


def _boolean(value: str, _: Rule) -> bool:
    folded = value.lower()
    if folded in TRUE:
        return True
    if folded in FALSE:
        return False
    raise InvalidField(f"must be true or false, not {value[:40]!r}")


def _whole(value: str, rule: Rule) -> int:
    if not _WHOLE.fullmatch(value) or not rule.low <= int(value) <= rule.high:
        raise InvalidField(
            f"must be a whole number from {rule.low} to {rule.high}, not {value[:40]!r}"
        )
    return int(value)


def _text(value: str, rule: Rule) -> str:
    if rule.choices and value not in rule.choices:
        raise InvalidField(f"must be one of {', '.join(rule.choices)}")
    if len(value) > rule.longest:
        raise InvalidField(f"is longer than {rule.longest} characters")
    return value


def _image(value: ImageInput, _: Rule) -> ImageInput:
    return value


_READERS: dict[object, Callable[[Any, Rule], object]] = {
    bool: _boolean,
    int: _whole,
    str: _text,
    ImageInput: _image,
}
