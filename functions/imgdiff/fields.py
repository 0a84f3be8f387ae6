"""The fields of requests: declared once as a dataclass, read from whatever carries them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar, Protocol

from imgdiff.errors import InvalidField

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


class _Declaration(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


@dataclass(frozen=True, slots=True)
class ImgdiffFields:
    """Fields of ``/imgdiff``.

    Attributes
    ----------
    src, target : str
        Addresses of the two images.
    blob : bool
        Answer the difference image itself instead of JSON.
    """

    src: str
    target: str
    blob: bool = False


def read_fields[T: _Declaration](declaration: type[T], values: Mapping[str, Sequence[str]]) -> T:
    """Read the declared fields; others are ignored.

    Parameters
    ----------
    declaration : dataclass type
        Its fields' names, types and defaults are what is read.
    values : mapping of str to sequence of str
        Every value given for each name.

    Raises
    ------
    InvalidField
        A required field is missing or empty, given twice, or not of its type.
    """
    read: dict[str, object] = {}
    for declared in fields(declaration):
        given = values.get(declared.name, ())
        if len(given) > 1:
            raise InvalidField("is given more than once", field=declared.name)
        if given and (given[0] or declared.default is not MISSING):
            read[declared.name] = _READERS[declared.type](declared.name, given[0])
        elif declared.default is MISSING:
            raise InvalidField("is required", field=declared.name)
    return declaration(**read)


def _boolean(name: str, value: str) -> bool:
    folded = value.lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise InvalidField(f"must be true or false, not {value[:40]!r}", field=name)


def _string(_: str, value: str) -> str:
    return value


_READERS: dict[object, Callable[[str, str], object]] = {bool: _boolean, str: _string}
