"""The use case of ``/imgdiff``: two images in, figures and a difference image out."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from imgdiff import stages
from imgdiff.engine.options import FORMATS_OF, Fit, Metric, Options, Style
from imgdiff.errors import InvalidField, about
from imgdiff.fields import ImageInput, ImgdiffFields
from imgdiff.formats import PNG, Format
from imgdiff.tolerance import Verdict, judge

if TYPE_CHECKING:
    from imgdiff.engine import Comparison


@dataclass(frozen=True, slots=True)
class Difference:
    """What ``/imgdiff`` answers with.

    Attributes
    ----------
    comparison : Comparison
        The figures and the difference image.
    format : Format
        What that image is.
    verdict : Verdict or None
        Whether it is what the caller lets pass; None where they don't say.
    media_id : str or None
        Where the image is stored; None where it is answered itself, or there is none.
    """

    comparison: "Comparison"
    format: Format
    verdict: Verdict | None
    media_id: str | None


class Client(Protocol):
    """Whoever has two images compared, and what serves them."""

    @property
    def max_pixels(self) -> int:
        """The most pixels that are read."""
        ...

    @property
    def read(self) -> Callable[[ImageInput], bytes]:
        """An image's address or content to its bytes."""
        ...

    def keep(self, content: bytes, kind: Format, *, inline: bool) -> str | None:
        """Store an image and return its id, unless it is to be answered itself and fits."""
        ...


def difference(fields: ImgdiffFields, client: Client) -> Difference:
    """Compare two images; the picture is stored unless ``fields.blob`` asks for it itself."""
    if fields.blob and fields.style == "none":
        raise InvalidField("none makes no image that blob could answer", field="style")
    options = _options(fields)
    arrivals = []

    def read_named(name: str, image: ImageInput) -> bytes:
        with about(name):
            content = stages.read(client.read, image)
        arrivals.append(time.perf_counter())
        return content

    with ThreadPoolExecutor(3) as pool:
        source = pool.submit(read_named, "src", fields.src)
        target = pool.submit(read_named, "target", fields.target)
        mask = pool.submit(read_named, "mask", fields.mask) if fields.mask else None
        # On a cold start this import takes long: it passes while the images arrive.
        from imgdiff.engine import compare

        comparison = compare(
            source.result,
            target.result,
            mask=mask.result if mask else None,
            options=options,
            max_pixels=client.max_pixels,
            names=("src", "target"),
        )
    stages.note("CompareMilliseconds", 1000 * (time.perf_counter() - max(arrivals)))
    stages.note("Diff", comparison.diff)
    verdict = judge(comparison, fields)
    image = comparison.image
    media_id = client.keep(image, options.format, inline=fields.blob) if image else None
    return Difference(comparison, options.format, verdict, media_id)


def picture_format(fields: ImgdiffFields) -> Format:
    """How the difference image is encoded.

    Raises
    ------
    InvalidField
        Its style is never encoded so.
    """
    formats = FORMATS_OF.get(cast("Style", fields.style), (PNG,))
    for known in formats:
        if fields.format in ("", known.name.lower()):
            return known
    names = " or ".join(known.name.lower() for known in formats)
    raise InvalidField(f"must be {names} for {fields.style}", field="format")


def _options(fields: ImgdiffFields) -> Options:
    """What is asked of the engine; what is held against a limit is measured, too."""
    style = None if fields.style == "none" else cast("Style", fields.style)
    metrics = {*cast("tuple[Metric, ...]", fields.metrics)}
    if fields.threshold is not None:
        metrics.add("pixelmatch")
    if fields.min_ssim is not None:
        metrics.add("ssim")
    asked = {"threshold": fields.threshold} if fields.threshold is not None else {}
    return Options(
        metrics=frozenset(metrics),
        include_aa=fields.include_aa,
        regions=fields.regions,
        fit=cast("Fit", fields.fit),
        ignore=fields.ignore,
        include=fields.include,
        managed=fields.color == "managed",
        style=style,
        format=picture_format(fields) if style else PNG,
        highlight_color=fields.highlight_color,
        **asked,
    )
