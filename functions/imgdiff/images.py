"""The use cases of ``/store``, ``/resize`` and ``/crop``: one image in, one stored or inline."""

from collections.abc import Callable
from dataclasses import dataclass

from imgdiff.errors import InvalidField, TooLarge, about
from imgdiff.fields import CropFields, ImageInput, ResizeFields, StoreFields, Upload
from imgdiff.formats import FORMATS, Format
from imgdiff.media import DirectUpload, Media, Place

type Read = Callable[[ImageInput], bytes]


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was made or stored.

    Attributes
    ----------
    content : bytes
        The encoded image.
    format : Format
        What it is.
    width, height : int
        Size in pixels, as shown.
    media_id : str or None
        Where it is stored; None where it is answered itself.
    """

    content: bytes
    format: Format
    width: int
    height: int
    media_id: str | None


def store(
    fields: StoreFields, *, read: Read, media: Media, place: Place | None, max_pixels: int
) -> Image:
    """Store an image unchanged."""
    from imgdiff.engine import identify

    name = "file" if isinstance(fields.url, Upload) else "url"
    if not fields.url:
        raise InvalidField("is required, or the address of an image as url", field="file")
    with about(name):
        found = identify(read(fields.url), max_pixels=max_pixels)
    media_id = media.put(found.content, found.format, place)
    return Image(found.content, found.format, found.width, found.height, media_id)


def presign(
    fields: StoreFields, *, media: Media, place: Place | None, max_bytes: int
) -> DirectUpload:
    """Prepare the upload of an image that is too large for a request."""
    if not fields.size:
        raise InvalidField("is required with presign", field="size")
    if fields.size > max_bytes:
        raise TooLarge(f"is over the limit of {max_bytes} bytes", field="size")
    [kind] = [known for known in FORMATS if known.content_type == fields.type]
    return media.direct_upload(kind, fields.size, place)


def edit(
    fields: ResizeFields | CropFields,
    *,
    read: Read,
    media: Media,
    place: Place | None,
    max_pixels: int,
    max_inline_bytes: int,
) -> Image:
    """Resize or crop an image.

    Parameters
    ----------
    fields : ResizeFields or CropFields
        What to do.
    read : callable
        An image's address or content to its bytes.
    media : Media
        Where the result is stored, unless ``fields.blob`` asks for the image itself and it fits.
    place : Place or None
        A bucket of the caller's own.
    max_pixels : int
        The most pixels that are read or made.
    max_inline_bytes : int
        The largest image that can be answered itself.
    """
    from imgdiff.engine import crop, resize

    width, height = fields.width or fields.height, fields.height or fields.width
    if not width:
        raise InvalidField("is required, or height, or both", field="width")
    with about("file" if isinstance(fields.img, Upload) else "img"):
        data = read(fields.img)
        match fields:
            case ResizeFields():
                made = resize(data, width, height, max_pixels=max_pixels)
            case CropFields(x=x, y=y):
                made = crop(data, x, y, width, height, max_pixels=max_pixels)
    inline = fields.blob and len(made.content) <= max_inline_bytes
    media_id = None if inline else media.put(made.content, made.format, place)
    return Image(made.content, made.format, made.width, made.height, media_id)
