"""What a comparison without an HTTP client leaves: a document and a picture under its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from imgdiff.difference import Client, difference, picture_format
from imgdiff.errors import ImgdiffError, InvalidField, StorageUnavailable
from imgdiff.fields import ImageInput, ImgdiffFields, read_fields
from imgdiff.formats import PNG, Format
from imgdiff.media import ID_METADATA, Links, result_id
from imgdiff.replies import body, of_difference
from imgdiff.stages import storing
from imgdiff.submission import Submission

type Document = dict[str, Any]

# Fields about an HTTP answer, which a result is none of.
NOT_OF_RESULTS = ("blob", "fail_status")


class Put(Protocol):
    """What puts an object into the bucket of results."""

    def __call__(
        self, key: str, content: bytes, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Put it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultClient:
    """Has two images compared, and their difference put under a name.

    Attributes
    ----------
    read : callable
        An image's address to its bytes.
    max_pixels : int
        The most pixels that are read.
    put : Put
        What puts the picture.
    name : str
        The picture's key without its extension.
    secret : str
        32 hex digits that a link to the picture tells.
    """

    read: Callable[[ImageInput], bytes]
    max_pixels: int
    put: Put
    name: str
    secret: str

    def keep(self, content: bytes, kind: Format, *, inline: bool) -> str:
        """Put the picture and return its id; it is never answered itself."""
        del inline
        key = f"{self.name}.{kind.extension}"
        with storing(content):
            self.put(key, content, kind.content_type, {ID_METADATA: self.secret})
        return result_id(self.secret, key)


def extension_of(values: Mapping[str, str]) -> str:
    """The extension of the picture that `outcome` would keep, if it keeps one."""
    options = {name: [value] for name, value in values.items() if name not in NOT_OF_RESULTS}
    try:
        fields = read_fields(ImgdiffFields, Submission(options | {"src": ["-"], "target": ["-"]}))
        return picture_format(fields).extension
    except InvalidField:
        return PNG.extension


def outcome(values: Mapping[str, str], client: Client, links: Links) -> Document:
    """What ``/imgdiff`` would answer to these fields.

    Storage's own trouble is raised: another attempt may succeed. Any other error is an outcome.
    """
    given = {name: [value] for name, value in values.items() if name not in NOT_OF_RESULTS}
    try:
        fields = read_fields(ImgdiffFields, Submission(given))
        found = difference(fields, client)
    except StorageUnavailable:
        raise
    except ImgdiffError as error:
        return {"status": error.status, "error": str(error)}
    return body(of_difference(found, fields, links))


def verdict(document: Document) -> str:
    """In a word: ``identical``, ``different`` or ``error``."""
    if document["status"] != 200:
        return "error"
    return "different" if document["changed_pixels"] else "identical"
