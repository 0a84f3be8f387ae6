"""The use case of ``/imgdiff``: two images in, figures and a difference image out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgdiff.errors import about
from imgdiff.fields import ImageInput, ImgdiffFields
from imgdiff.formats import PNG
from imgdiff.media import Media, Place

if TYPE_CHECKING:
    from imgdiff.engine import Comparison


@dataclass(frozen=True, slots=True)
class Difference:
    """What ``/imgdiff`` answers with.

    Attributes
    ----------
    comparison : Comparison
        The figures and the difference image.
    media_id : str or None
        Where the image is stored; None where it is answered itself.
    """

    comparison: "Comparison"
    media_id: str | None


def difference(
    fields: ImgdiffFields,
    *,
    read: Callable[[ImageInput], bytes],
    media: Media,
    place: Place | None,
    max_pixels: int,
    max_inline_bytes: int,
) -> Difference:
    """Compare two images.

    Parameters
    ----------
    fields : ImgdiffFields
    read : callable
        An image's address or content to its bytes.
    media : Media
        Where the difference image is stored, unless ``fields.blob`` asks for the image itself
        and it fits.
    place : Place or None
        A bucket of the caller's own.
    max_pixels : int
        The most pixels an image may have.
    max_inline_bytes : int
        The largest image that can be answered itself.
    """

    def read_named(name: str, image: ImageInput) -> bytes:
        with about(name):
            return read(image)

    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(read_named, "src", fields.src)
        target = pool.submit(read_named, "target", fields.target)
        # On a cold start this import takes long: it passes while the images arrive.
        from imgdiff.engine import compare

    comparison = compare(
        source.result(), target.result(), max_pixels=max_pixels, names=("src", "target")
    )
    image = comparison.image
    if image is None or (fields.blob and len(image) <= max_inline_bytes):
        return Difference(comparison, None)
    return Difference(comparison, media.put(image, PNG, place))
