"""The use case of ``/imgdiff``: two images in, figures and a difference image out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from imgdiff.errors import InvalidField, about
from imgdiff.fields import ImageInput, ImgdiffFields
from imgdiff.formats import PNG, Format

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
        Where the image is stored; None where it is answered itself, or there is none.
    """

    comparison: "Comparison"
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
    pictured = fields.style != "none"
    if fields.blob and not pictured:
        raise InvalidField("none makes no image that blob could answer", field="style")

    def read_named(name: str, image: ImageInput) -> bytes:
        with about(name):
            return client.read(image)

    with ThreadPoolExecutor(2) as pool:
        source = pool.submit(read_named, "src", fields.src)
        target = pool.submit(read_named, "target", fields.target)
        # On a cold start this import takes long: it passes while the images arrive.
        from imgdiff.engine import Options, compare

        comparison = compare(
            source.result,
            target.result,
            options=Options(style="highlight" if pictured else None),
            max_pixels=client.max_pixels,
            names=("src", "target"),
        )
    image = comparison.image
    return Difference(comparison, client.keep(image, PNG, inline=fields.blob) if image else None)
