"""What callers get: the fields of JSON replies, besides ``status``."""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from imgdiff.difference import Difference
from imgdiff.images import Image
from imgdiff.media import DirectUpload, Links

type Box = tuple[int, int, int, int]


@dataclass(frozen=True, kw_only=True)
class MediaReply:
    """Where an image is."""

    link: Annotated[str, "Address of the image, good as long as it is kept."]
    ssl_link: Annotated[str, "The same."]
    id: Annotated[str, "Its unguessable name there."]


@dataclass(frozen=True, kw_only=True)
class Figures:
    """The difference of two images, without a picture."""

    diff: Annotated[float, "Mean square error, 0 (identical) to 1 (black against white)."]
    width: Annotated[int, "Width of both images in pixels."]
    height: Annotated[int, "Height of both images in pixels."]
    mse: Annotated[float, "Mean square error on the 0..255 scale."]
    rmse: Annotated[float, "Root mean square error on the 0..255 scale."]
    mae: Annotated[float, "Mean absolute error on the 0..255 scale."]
    psnr: Annotated[float | None, "Peak signal-to-noise ratio in dB; null when identical."]
    max_error: Annotated[float, "Largest error on the 0..255 scale."]
    changed_pixels: Annotated[int, "Pixels of which any sample differs."]
    changed_ratio: Annotated[float, "The same as a share of all pixels."]
    bbox: Annotated[
        Box | None, "[left, top, right, bottom] around them, half-open; null when identical."
    ]


@dataclass(frozen=True, kw_only=True)
class ImgdiffReply(Figures, MediaReply):
    """The difference of two images."""


@dataclass(frozen=True, kw_only=True)
class ImageReply(MediaReply):
    """An image that was stored or made."""

    width: Annotated[int, "Width in pixels."]
    height: Annotated[int, "Height in pixels."]
    size: Annotated[int, "Size in bytes."]


@dataclass(frozen=True, kw_only=True)
class UploadReply(MediaReply):
    """Where to upload a large image to; until then, nothing is at its link."""

    url: Annotated[str, "POST a multipart form there."]
    fields: Annotated[dict[str, str], "The form's fields, which come before its file."]
    expires_seconds: Annotated[int, "How long that is good."]


@dataclass(frozen=True, kw_only=True)
class BatchReply:
    """A batch that was started."""

    id: Annotated[str, "Its name."]
    total: Annotated[int, "How many pairs it has."]
    link: Annotated[str, "Address that tells how far it is."]


@dataclass(frozen=True, kw_only=True)
class ProgressReply:
    """How far a batch is."""

    id: Annotated[str, "Its name."]
    state: Annotated[str, "running, done or failed."]
    total: Annotated[int | None, "How many pairs it has; null until they are counted."]
    done: Annotated[int, "Pairs that were compared."]
    failed: Annotated[int, "Pairs that could not be."]
    progress: Annotated[float, "Both as a share of all, 0 to 1."]
    results: Annotated[
        str | None, "When done: presigned address of the results, a line of JSON for each pair."
    ] = None
    summary: Annotated[str | None, "In the end: presigned address of the summary."] = None
    error: Annotated[str | None, "Why the batch failed."] = None


def of_difference(found: Difference, links: Links) -> ImgdiffReply | Figures:
    """The reply of ``/imgdiff``."""
    figures = asdict(found.comparison)
    del figures["image"]
    if found.media_id is None:
        return Figures(**figures)
    return ImgdiffReply(**_media(found.media_id, links), **figures)


def of_image(image: Image, media_id: str, links: Links) -> ImageReply:
    """The reply of ``/store``, ``/resize`` and ``/crop``."""
    return ImageReply(
        **_media(media_id, links),
        width=image.width,
        height=image.height,
        size=len(image.content),
    )


def of_upload(upload: DirectUpload, links: Links) -> UploadReply:
    """The reply of ``/store`` with ``presign``."""
    return UploadReply(
        **_media(upload.media_id, links),
        url=upload.url,
        fields=upload.fields,
        expires_seconds=upload.expires_seconds,
    )


def _media(media_id: str, links: Links) -> dict[str, Any]:
    link = links.link(media_id)
    return {"link": link, "ssl_link": link, "id": media_id}
