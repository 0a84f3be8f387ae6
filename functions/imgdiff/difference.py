"""The use case of ``/imgdiff``: two images in, figures and a difference image out."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from imgdiff.caller import Caller
from imgdiff.errors import about
from imgdiff.fields import ImageInput, ImgdiffFields
from imgdiff.formats import PNG

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


def difference(fields: ImgdiffFields, caller: Caller) -> Difference:
    """Compare two images; the picture is stored unless ``fields.blob`` asks for it itself."""

    def read_named(name: str, image: ImageInput) -> bytes:
        with about(name):
            return caller.read(image)

    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(read_named, "src", fields.src)
        target = pool.submit(read_named, "target", fields.target)
        # On a cold start this import takes long: it passes while the images arrive.
        from imgdiff.engine import compare

        comparison = compare(
            source.result, target.result, max_pixels=caller.max_pixels, names=("src", "target")
        )
    image = comparison.image
    return Difference(comparison, caller.keep(image, PNG, inline=fields.blob) if image else None)
