"""The use cases of ``/store``, ``/resize`` and ``/crop``: one image in, one stored or inline."""

from dataclasses import dataclass

from imgdiff import stages
from imgdiff.caller import Caller
from imgdiff.errors import InvalidField, TooLarge, about
from imgdiff.fields import CropFields, ResizeFields, StoreFields, Upload
from imgdiff.formats import FORMATS, Format
from imgdiff.media import DirectUpload


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


def store(fields: StoreFields, caller: Caller) -> Image:
    """Store an image unchanged."""
    from imgdiff.engine import identify

    if not fields.url:
        raise InvalidField("is required, or the address of an image as url", field="file")
    with about("file" if isinstance(fields.url, Upload) else "url"):
        found = identify(stages.read(caller.read, fields.url), max_pixels=caller.max_pixels)
    media_id = caller.keep(found.content, found.format, inline=False)
    return Image(found.content, found.format, found.width, found.height, media_id)


def presign(fields: StoreFields, caller: Caller) -> DirectUpload:
    """Prepare the upload of an image that is too large for a request."""
    if not fields.size:
        raise InvalidField("is required with presign", field="size")
    if fields.size > caller.max_bytes:
        raise TooLarge(f"is over the limit of {caller.max_bytes} bytes", field="size")
    [kind] = [known for known in FORMATS if known.content_type == fields.type]
    return caller.media.direct_upload(kind, fields.size, caller.place)


def edit(fields: ResizeFields | CropFields, caller: Caller) -> Image:
    """Resize or crop an image; it is stored unless ``fields.blob`` asks for it itself."""
    from imgdiff.engine import crop, resize

    width, height = fields.width or fields.height, fields.height or fields.width
    if not width:
        raise InvalidField("is required, or height, or both", field="width")
    with about("file" if isinstance(fields.img, Upload) else "img"):
        data = stages.read(caller.read, fields.img)
        match fields:
            case ResizeFields():
                made = resize(data, width, height, max_pixels=caller.max_pixels)
            case CropFields(x=x, y=y):
                made = crop(data, x, y, width, height, max_pixels=caller.max_pixels)
    media_id = caller.keep(made.content, made.format, inline=fields.blob)
    return Image(made.content, made.format, made.width, made.height, media_id)
