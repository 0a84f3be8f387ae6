"""A decoded image, read in strips as a viewer shows it."""

from PIL import Image

from imgdiff.engine.strips import strips

# EXIF orientation -> how the stored image is turned to be shown, whether its columns become
# the rows shown, and whether they are counted from the far end.
_TURNS: dict[int, tuple[Image.Transpose, bool, bool]] = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT, False, False),
    3: (Image.Transpose.ROTATE_180, False, True),
    4: (Image.Transpose.FLIP_TOP_BOTTOM, False, True),
    5: (Image.Transpose.TRANSPOSE, True, False),
    6: (Image.Transpose.ROTATE_270, True, False),
    7: (Image.Transpose.TRANSVERSE, True, True),
    8: (Image.Transpose.ROTATE_90, True, True),
}
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """The image as shown, its EXIF orientation applied."""
    known = _TURNS.get(orientation)
    return image.transpose(known[0]) if known else image


def shown_size(image: Image.Image, orientation: int) -> tuple[int, int]:
    """Width and height of the image as shown."""
    known = _TURNS.get(orientation)
    return image.size[::-1] if known and known[1] else image.size


class Frame:
    """A decoded image, read in strips as a viewer shows it.

    Colour conversion and rotation happen strip by strip: the frame itself stays as it was
    decoded, one byte a sample.

    Parameters
    ----------
    image : PIL.Image.Image
        The decoded image, as the file stores it, at 8 bit a sample.
    orientation : int
        EXIF orientation, 1 to 8; any other value counts as 1.

    Attributes
    ----------
    width, height : int
        Size in pixels, as shown.
    opaque : bool
        Whether every pixel is opaque, whatever the file has room for.
    """

    def __init__(self, image: Image.Image, orientation: int) -> None:
        self._image = image
        self._turn = _TURNS.get(orientation)
        self._mode = "RGBA" if image.has_transparency_data else "RGB"
        self.width, self.height = shown_size(image, orientation)
        self.opaque = self._mode == "RGB" or all(
            self._shown(top, bottom).getchannel("A").getextrema() == (255, 255)
            for top, bottom in strips(self.width, self.height)
        )

    def strip(self, top: int, bottom: int) -> Image.Image:
        """Rows ``top`` to ``bottom`` (half-open) as shown.

        Returns
        -------
        PIL.Image.Image
            Mode ``RGB`` if the whole frame is opaque, else ``RGBA`` (alpha not premultiplied).
        """
        shown = self._shown(top, bottom)
        return shown.convert("RGB") if self.opaque and shown.mode == "RGBA" else shown

    def _shown(self, top: int, bottom: int) -> Image.Image:
        turn, sideways, reverse = self._turn or (None, False, False)
        stored_width, stored_height = self._image.size
        if reverse:
            top, bottom = self.height - bottom, self.height - top
        box = (top, 0, bottom, stored_height) if sideways else (0, top, stored_width, bottom)
        stored = self._image.crop(box)
        if stored.mode in _PREMULTIPLIED:
            stored = stored.convert(_PREMULTIPLIED[stored.mode])
        if stored.mode != self._mode:
            stored = stored.convert(self._mode)
        return stored if turn is None else stored.transpose(turn)
