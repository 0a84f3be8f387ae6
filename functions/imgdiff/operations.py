"""The operations of the API: what each takes, does and answers.

`OPERATIONS` is the one list of them: the handler serves it, and the OpenAPI document tells it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imgdiff.caller import Caller
from imgdiff.difference import difference
from imgdiff.fields import (
    CropFields,
    Declaration,
    ImgdiffFields,
    ResizeFields,
    StoreFields,
)
from imgdiff.images import Image, edit, presign, store
from imgdiff.media import Links
from imgdiff.replies import (
    Figures,
    ImageReply,
    ImgdiffReply,
    Reply,
    UploadReply,
    of_difference,
    of_image,
    of_upload,
)

# A reply, like a request, has 6 MB after base64, which makes three bytes four; the rest is for
# headers.
MAX_INLINE_BYTES = 4_500_000


@dataclass(frozen=True, slots=True)
class Blob:
    """An image as a reply of its own.

    Attributes
    ----------
    content : bytes
    content_type : str
    headers : dict of str to str
        Figures that go with it.
    status : int
        The HTTP status.
    """

    content: bytes
    content_type: str
    headers: dict[str, str]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """An image that is too large for a reply, and where it is instead.

    Attributes
    ----------
    link : str
    headers : dict of str to str
        Figures that go with it.
    """

    link: str
    headers: dict[str, str]


type Answer = Reply | Blob | Elsewhere


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes
    ----------
    name : str
        Its path is ``/NAME``.
    methods : tuple of str
    summary : str
        What it does, for whoever reads the API's description.
    fields : type
        The declaration of the fields it takes.
    replies : tuple of type
        What it answers in JSON, one of them.
    run : callable
        The operation itself: fields, caller and links to its answer.
    """

    name: str
    methods: tuple[str, ...]
    summary: str
    fields: type[Declaration]
    replies: tuple[type[Reply], ...]
    run: Callable[[Any, Caller, Links], Answer]

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/{self.name}"


def _imgdiff(fields: ImgdiffFields, caller: Caller, links: Links) -> Answer:
    found = difference(fields, caller)
    reply = of_difference(found, fields, links)
    if not fields.blob:
        return reply
    figures = {
        "x-imgdiff-diff": repr(found.comparison.diff),
        "x-imgdiff-changed-pixels": str(found.comparison.changed_pixels),
    }
    if found.verdict:
        figures["x-imgdiff-passed"] = str(found.verdict.passed).lower()
    if found.media_id is None:
        image = found.comparison.image or b""
        return Blob(image, found.format.content_type, figures, reply.status)
    # What has not passed must not look as if it had, and a redirection would.
    return Elsewhere(links.link(found.media_id), figures) if reply.status == 200 else reply


def _store(fields: StoreFields, caller: Caller, links: Links) -> Answer:
    if fields.presign:
        return of_upload(presign(fields, caller), links)
    return _image(store(fields, caller), links)


def _edit(fields: ResizeFields | CropFields, caller: Caller, links: Links) -> Answer:
    return _image(edit(fields, caller), links, blob=fields.blob)


def _image(image: Image, links: Links, *, blob: bool = False) -> Answer:
    if image.media_id is None:
        return Blob(image.content, image.format.content_type, {})
    if blob:
        return Elsewhere(links.link(image.media_id), {})
    return of_image(image, image.media_id, links)


OPERATIONS = (
    Operation(
        "imgdiff",
        ("GET", "POST"),
        "Compare two images.",
        ImgdiffFields,
        (ImgdiffReply, Figures),
        _imgdiff,
    ),
    Operation(
        "store",
        ("POST",),
        "Store an image, unchanged.",
        StoreFields,
        (ImageReply, UploadReply),
        _store,
    ),
    Operation(
        "resize",
        ("GET", "POST"),
        "Scale an image to exactly this size.",
        ResizeFields,
        (ImageReply,),
        _edit,
    ),
    Operation(
        "crop",
        ("GET", "POST"),
        "Cut a rectangle out of an image.",
        CropFields,
        (ImageReply,),
        _edit,
    ),
)
