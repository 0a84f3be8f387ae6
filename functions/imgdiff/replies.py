"""What callers get: the fields of JSON replies, besides ``status``."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, TypedDict, cast

from imgdiff.difference import Difference
from imgdiff.fields import ImgdiffFields
from imgdiff.images import Image
from imgdiff.media import DirectUpload, Links

type Box = tuple[int, int, int, int]
type Size = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What every reply has."""

    status: Annotated[int, "The HTTP status."] = 200


@dataclass(frozen=True, kw_only=True)
class MediaReply(Reply):
    """Where an image is."""

    link: Annotated[str, "Address of the image, good as long as it is kept."]
    ssl_link: Annotated[str, "The same."]
    id: Annotated[str, "Its unguessable name there."]


class Region(TypedDict):
    """A region that has changed."""

    bbox: Annotated[Box, "[left, top, right, bottom] around its changed pixels, half-open."]
    pixels: Annotated[int, "How many have changed."]
    mse: Annotated[float, "Their mean square error on the 0..255 scale."]
    centroid: Annotated[tuple[float, float], "[x, y], the mean of their places."]
    kind: Annotated[Literal["added", "removed", "recolored", "changed"], "What has become of it."]


class Sizes(TypedDict):
    """The sizes of both images."""

    src: Annotated[Size, "[width, height] in pixels."]
    target: Annotated[Size, "The same."]


class Conversions(TypedDict):
    """What was converted."""

    src: Annotated[list[str], "A phrase for each conversion."]
    target: Annotated[list[str], "The same."]


class Findings(TypedDict, total=False):
    """What is answered only where it was asked for, or there is something to tell."""

    passed: Annotated[bool, "With a tolerance: whether the images keep to it."]
    failed_on: Annotated[list[str], "With a tolerance: the fields that they don't keep to."]
    ssim: Annotated[
        float | None,
        "Structural similarity of the luma, 1 where identical; null where nothing that counts is "
        "11 pixels wide and high.",
    ]
    ssim_min_channel: Annotated[float | None, "The least of R, G, B and alpha."]
    ms_ssim: Annotated[
        float | None, "Of five scales; null where images are less than 176 pixels wide or high."
    ]
    pixelmatch: Annotated[int, "Pixels that pixelmatch counts."]
    pixelmatch_ratio: Annotated[float, "The same as a share of the pixels that count."]
    ciede2000: Annotated[float, "Mean colour difference CIEDE2000."]
    ciede2000_p95: Annotated[
        float, "The same that 95 % of the pixels keep to, to the nearest 1/1024."
    ]
    ciede2000_noticeable: Annotated[float, "Share of pixels that are over 2.3, just noticeable."]
    dhash: Annotated[int, "Bits of 64 in which the difference hashes differ."]
    regions: Annotated[list[Region], "The largest 100 regions, largest first."]
    regions_total: Annotated[int, "How many there are."]
    counted_pixels: Annotated[
        int, "With ignore, include or mask: pixels that count, of which shares and means are."
    ]
    sizes: Annotated[Sizes, "With fit: the sizes of both images."]
    fitted: Annotated[
        Literal["none", "pad", "crop", "resize"], "With fit: what was done to make them equal."
    ]
    conversions: Annotated[Conversions, "Where colours or depth were: what was converted."]


@dataclass(frozen=True, kw_only=True)
class Figures(Reply):
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
    findings: Findings = field(default_factory=Findings)


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
class BatchReply(Reply):
    """A batch that was started."""

    id: Annotated[str, "Its name."]
    total: Annotated[int, "How many pairs it has."]
    link: Annotated[str, "Address that tells how far it is."]


@dataclass(frozen=True, kw_only=True)
class ProgressReply(Reply):
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


def body(reply: Reply) -> dict[str, Any]:
    """A reply as JSON has it."""
    told = asdict(reply)
    findings: dict[str, Any] = told.pop("findings", {})
    return told | findings


def of_difference(found: Difference, fields: ImgdiffFields, links: Links) -> ImgdiffReply | Figures:
    """The reply of ``/imgdiff``."""
    comparison = found.comparison
    figures = {name: getattr(comparison, name) for name in _FIGURES}
    status = 200 if found.verdict is None or found.verdict.passed else int(fields.fail_status)
    told = {"status": status, "findings": _findings(found, fields), **figures}
    if found.media_id is None:
        return Figures(**told)
    return ImgdiffReply(**_media(found.media_id, links), **told)


def _findings(found: Difference, fields: ImgdiffFields) -> Findings:
    comparison = found.comparison
    told = cast("Findings", dict(comparison.measured))
    if found.verdict:
        told["passed"] = found.verdict.passed
        told["failed_on"] = [*found.verdict.failed_on]
    if fields.ignore or fields.include or fields.mask:
        told["counted_pixels"] = comparison.counted_pixels
    if fields.fit != "fail":
        source, target = comparison.sizes
        told["sizes"] = Sizes(src=source, target=target)
        told["fitted"] = "none" if source == target else cast("Literal['pad']", fields.fit)
    if any(comparison.conversions):
        of_source, of_target = map(list, comparison.conversions)
        told["conversions"] = Conversions(src=of_source, target=of_target)
    return told


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


# What a comparison tells by the same name.
_FIGURES = tuple(name for name in Figures.__annotations__ if name != "findings")
