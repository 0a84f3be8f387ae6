"""The use case of ``/imgdiff``: two addresses in, figures and a difference image out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgdiff.errors import about
from imgdiff.fields import ImgdiffFields
from imgdiff.media import Media

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
    read: Callable[[str], bytes],
    media: Media,
    max_pixels: int,
    max_inline_bytes: int,
) -> Difference:
    """Compare the images at two addresses.

    Parameters
    ----------
    fields : ImgdiffFields
    read : callable
        Address to the bytes of the image there.
    media : Media
        Where the difference image is stored, unless ``fields.blob`` asks for the image itself
        and it fits.
    max_pixels : int
        The most pixels an image may have.
    max_inline_bytes : int
        The largest image that can be answered itself.
    """

    def read_named(name: str, address: str) -> bytes:
        with about(name):
            return read(address)

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
    return Difference(comparison, media.put(image, content_type="image/png", extension="png"))
