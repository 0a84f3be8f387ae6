"""The image formats that are read and written here."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Format:
    """An image format.

    Attributes
    ----------
    name : str
        As people write it.
    content_type : str
        Its media type.
    extension : str
        Of its files, without the dot.
    """

    name: str
    content_type: str
    extension: str


PNG = Format("PNG", "image/png", "png")
JPEG = Format("JPEG", "image/jpeg", "jpg")
WEBP = Format("WebP", "image/webp", "webp")
GIF = Format("GIF", "image/gif", "gif")
FORMATS = (
    PNG,
    JPEG,
    WEBP,
    GIF,
    Format("BMP", "image/bmp", "bmp"),
    Format("TIFF", "image/tiff", "tiff"),
    Format("AVIF", "image/avif", "avif"),
)
NAMES = ", ".join(known.name for known in FORMATS)
