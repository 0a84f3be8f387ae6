"""The fields of requests: declared once as dataclasses, read from whatever carried them."""

import re
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields
from typing import Annotated, Any, ClassVar, Protocol, get_args

from imgdiff.engine.options import FORMATS_OF, HIGHLIGHT, Colour, Fit, Metric
from imgdiff.engine.rectangle import Length, Rectangle
from imgdiff.errors import InvalidField, about
from imgdiff.formats import FORMATS, NAMES, PNG
from imgdiff.submission import Submission

# Spelled in any case.
TRUE = ("true", "1", "yes", "on")
FALSE = ("false", "0", "no", "off")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_DECIMAL = re.compile(r"-?(?:[0-9]{1,18}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE]-?[0-9]{1,3})?")
_LENGTH = r"(?:[0-9]{1,9}|[0-9]{1,3}(?:\.[0-9]{1,9})?%)"
_RECTANGLE = rf"{_LENGTH}(?:,{_LENGTH}){{3}}"
_RECTANGLES = re.compile(rf"{_RECTANGLE}(?:;{_RECTANGLE})*")
_COLOUR = re.compile(r"#?[0-9a-fA-F]{6}")
_LONGEST_SIDE = 65_535


class Upload(bytes):
    """The content of an uploaded file."""

    __slots__ = ()


type ImageInput = str | Upload
"""An image: its address, or its content."""

type Names = tuple[str, ...]
"""Some of a rule's choices, each once, in the rule's order."""

type Rectangles = tuple[Rectangle, ...]


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
        The values that a text may have, empty for any; or names.
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
_ABOUT_RECTANGLES = (
    "rectangles `x,y,width,height` joined by `;`, in pixels from the top left or in shares such as "
    "12.5%."
)
_IMAGE = f"Address of the image ({NAMES}), or a link that this service returned."


@dataclass(frozen=True, slots=True)
class ImgdiffFields:
    """Fields of ``/imgdiff``."""

    src: Annotated[ImageInput, Rule(_IMAGE, upload="src")]
    target: Annotated[ImageInput, Rule("The image to compare it to.", upload="target")]
    blob: Annotated[bool, _BLOB] = False
    style: Annotated[
        str,
        Rule(
            "The difference image to make; none for figures alone, the fastest answer.",
            choices=(*FORMATS_OF, "none"),
        ),
    ] = "highlight"
    format: Annotated[
        str,
        Rule(
            "How it is encoded: png, webp or jpeg; blink is webp or gif. The first unless given.",
            choices=("png", "webp", "jpeg", "gif"),
        ),
    ] = ""
    highlight_color: Annotated[
        Colour, Rule("What marks changes: R, G and B in six hexadecimal digits.")
    ] = HIGHLIGHT
    metrics: Annotated[
        Names, Rule("Further measures, joined by commas.", choices=get_args(Metric.__value__))
    ] = ()
    threshold: Annotated[
        float | None,
        Rule(
            "The colour distance at which pixelmatch begins to count, 0.1 unless given. Where it "
            "is given, it must count no pixel for `passed`, or as many as max_changed_ratio says.",
            high=1,
        ),
    ] = None
    include_aa: Annotated[bool, Rule("Whether pixelmatch counts anti-aliasing too.")] = False
    max_diff: Annotated[float | None, Rule("For `passed`: the largest diff.", high=1)] = None
    max_changed_ratio: Annotated[
        float | None,
        Rule(
            "For `passed`: the largest changed_ratio, or with threshold pixelmatch_ratio.",
            high=1,
        ),
    ] = None
    min_ssim: Annotated[float | None, Rule("For `passed`: the least ssim.", low=-1, high=1)] = None
    fail_status: Annotated[
        str,
        Rule(
            "The status of an answer that has not `passed`.",
            choices=("200", "409", "412", "417", "422"),
        ),
    ] = "200"
    ignore: Annotated[
        Rectangles, Rule(f"What is never counted: {_ABOUT_RECTANGLES}", longest=8192)
    ] = ()
    include: Annotated[
        Rectangles, Rule(f"What alone is counted: {_ABOUT_RECTANGLES}", longest=8192)
    ] = ()
    mask: Annotated[
        ImageInput,
        Rule("An image of their size: only what is white in it is counted.", upload="mask"),
    ] = ""
    regions: Annotated[bool, Rule("Answer the regions that changed, too.")] = False
    fit: Annotated[
        str,
        Rule(
            "Images of different sizes are refused; or padded at the right and the bottom with "
            "what counts as changed; or cropped there; or the target is resized.",
            choices=get_args(Fit.__value__),
        ),
    ] = "fail"
    color: Annotated[
        str,
        Rule(
            "managed: colour profiles are heeded, and 16 bits a sample compared as such; "
            "unmanaged: samples count as they are stored, deep ones by their high byte.",
            choices=("managed", "unmanaged"),
        ),
    ] = "managed"


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


def _number(value: str, rule: Rule) -> float:
    if not _DECIMAL.fullmatch(value) or not rule.low <= float(value) <= rule.high:
        raise InvalidField(f"must be a number from {rule.low} to {rule.high}, not {value[:40]!r}")
    return float(value)


def _names(value: str, rule: Rule) -> Names:
    given = value.split(",")
    for name in given:
        if name not in rule.choices:
            raise InvalidField(f"must be some of {', '.join(rule.choices)}, not {name[:40]!r}")
    return tuple(name for name in rule.choices if name in given)


def _rectangles(value: str, rule: Rule) -> Rectangles:
    if not _RECTANGLES.fullmatch(_text(value, rule)):
        raise InvalidField(
            "must be rectangles x,y,width,height joined by semicolons, in whole pixels or shares "
            f"such as 12.5%, not {value[:40]!r}"
        )
    return tuple(Rectangle(*map(_length, each.split(","))) for each in value.split(";"))


def _length(value: str) -> Length:
    share = value.endswith("%")
    return Length(float(value.removesuffix("%")), percent=share)


def _colour(value: str, _: Rule) -> Colour:
    if not _COLOUR.fullmatch(value):
        raise InvalidField(f"must be six hexadecimal digits such as f1001e, not {value[:40]!r}")
    red, green, blue = bytes.fromhex(value.removeprefix("#"))
    return red, green, blue


def _text(value: str, rule: Rule) -> str:
    if rule.choices and value not in rule.choices:
        raise InvalidField(f"must be one of {', '.join(rule.choices)}")
    if len(value) > rule.longest:
        raise InvalidField(f"is longer than {rule.longest} characters")
    return value


def _image(value: ImageInput, _: Rule) -> ImageInput:
    return value


# What else than a rule's own bounds holds for all fields of a type.
PATTERNS: dict[object, str] = {Rectangles: _RECTANGLES.pattern, Colour: _COLOUR.pattern}
_READERS: dict[object, Callable[[Any, Rule], object]] = {
    bool: _boolean,
    int: _whole,
    float | None: _number,
    str: _text,
    Names: _names,
    Rectangles: _rectangles,
    Colour: _colour,
    ImageInput: _image,
}
