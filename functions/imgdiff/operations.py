"""The operations of the API: what each takes, does and answers.

`OPERATIONS` is the one list of them: the handler serves it, and the OpenAPI document tells it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from imgdiff.difference import difference
from imgdiff.fields import (
    CropFields,
    Declaration,
    ImageInput,
    ImgdiffFields,
    ResizeFields,
    StoreFields,
)
from imgdiff.formats import PNG
from imgdiff.images import edit, presign, store
from imgdiff.media import Links, Media, Place
from imgdiff.replies import (
    ImageReply,
    ImgdiffReply,
    MediaReply,
    UploadReply,
    of_difference,
    of_image,
    of_upload,
)
from imgdiff.settings import Settings

# A reply, like a request, has 6 MB after base64, which makes three bytes four; the rest is for
# headers.
MAX_INLINE_BYTES = 4_500_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and what serves them.

    Attributes
    ----------
    read : callable
        An image's address or content to its bytes.
    media : Media
        Where images are stored.
    place : Place or None
        A bucket of the caller's own for them.
    links : Links
        Under which address the service was called.
    settings : Settings
    """

    read: Callable[[ImageInput], bytes]
    media: Media
    place: Place | None
    links: Links
    settings: Settings


@dataclass(frozen=True, slots=True)
class Blob:
    """An image as a reply of its own.

    Attributes
    ----------
    content : bytes
    content_type : str
    headers : dict of str to str
        Figures that go with it.
    """

    content: bytes
    content_type: str
    headers: dict[str, str]


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


type Answer = MediaReply | Blob | Elsewhere


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
        The operation itself.
    """

    name: str
    methods: tuple[str, ...]
    summary: str
    fields: type[Declaration]
    replies: tuple[type[MediaReply], ...]
    run: Callable[[Any, Caller], Answer]

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/{self.name}"


def _imgdiff(fields: ImgdiffFields, caller: Caller) -> Answer:
    found = difference(
        fields,
        read=caller.read,
        media=caller.media,
        place=caller.place,
        max_pixels=caller.settings.max_image_pixels,
        max_inline_bytes=MAX_INLINE_BYTES,
    )
    figures = {
        "x-imgdiff-diff": repr(found.comparison.diff),
        "x-imgdiff-changed-pixels": str(found.comparison.changed_pixels),
    }
    if found.media_id is None:
        return Blob(found.comparison.image or b"", PNG.content_type, figures)
    if fields.blob:
        return Elsewhere(caller.links.link(found.media_id), figures)
    return of_difference(found, caller.links)


def _store(fields: StoreFields, caller: Caller) -> Answer:
    if fields.presign:
        upload = presign(
            fields,
            media=caller.media,
            place=caller.place,
            max_bytes=caller.settings.max_image_bytes,
        )
        return of_upload(upload, caller.links)
    image = store(
        fields,
        read=caller.read,
        media=caller.media,
        place=caller.place,
        max_pixels=caller.settings.max_image_pixels,
    )
    return of_image(image, caller.links)


def _edit(fields: ResizeFields | CropFields, caller: Caller) -> Answer:
    image = edit(
        fields,
        read=caller.read,
        media=caller.media,
        place=caller.place,
        max_pixels=caller.settings.max_image_pixels,
        max_inline_bytes=MAX_INLINE_BYTES,
    )
    if image.media_id is None:
        return Blob(image.content, image.format.content_type, {})
    if fields.blob:
        return Elsewhere(caller.links.link(image.media_id), {})
    return of_image(image, caller.links)


OPERATIONS = (
    Operation(
        "imgdiff",
        ("GET", "POST"),
        "Compare two images of equal size.",
        ImgdiffFields,
        (ImgdiffReply,),
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
