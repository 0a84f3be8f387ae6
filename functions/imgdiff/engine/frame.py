"""A decoded image, read in strips as a viewer shows it."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, override

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imgdiff.engine.profiles import Conversion
from imgdiff.engine.strips import strips

type Samples = NDArray[np.uint8]
type Deep = NDArray[np.uint16]

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
# The same for arrays.
_VIEWS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
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


class Frame(Protocol):
    """An image that can be read once, in strips, as a viewer shows it.

    Attributes
    ----------
    width, height : int
        Size in pixels, as shown.
    channels : {1, 3, 4}
        Samples a pixel: grey, R, G and B, or these and alpha, not premultiplied.
    filtered : bool
        Whether rows are as a PNG stores them: filtered, behind a byte that says how.
    decoded : bool
        Whether all of it is decoded, so that its file is needed no more.
    deep : bool
        Whether it has 16 bits a sample: then it is a `DeepFrame`.
    conversions : tuple of str
        What was converted on the way, a phrase each: "Display P3 to sRGB".
    """

    width: int
    height: int
    channels: int
    filtered: bool = False
    decoded: bool = True
    deep: bool = False
    conversions: tuple[str, ...] = ()

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return self.width * self.channels + self.filtered

    def strips(self) -> Iterator[Samples]:
        """Yield the rows from top to bottom as `imgdiff.engine.strips` cuts them.

        In each strip they are packed, whatever its shape behind the first dimension.
        """

    def read_ahead(self) -> bool:
        """Do a little of the work of reading while there is nothing else to do.

        Returns
        -------
        bool
            False where nothing is left that can be done beforehand.
        """
        return False

    def verify(self) -> None:
        """Read to the end what is not decoded yet, without making samples of it."""
        return


class PillowFrame(Frame):
    """A frame of an image that Pillow has decoded.

    Colour conversion and rotation happen strip by strip: the image itself stays as it was
    decoded, one byte a sample.

    Parameters
    ----------
    image : PIL.Image.Image
        The decoded image, as the file stores it, at 8 bit a sample.
    orientation : int
        EXIF orientation, 1 to 8; any other value counts as 1.
    conversion : Conversion or None
        What brings its colours to sRGB.
    """

    def __init__(
        self, image: Image.Image, orientation: int, conversion: Conversion | None = None
    ) -> None:
        self._image = image
        self._conversion = conversion
        self._turn = _TURNS.get(orientation)
        self.channels = 4 if image.has_transparency_data else 3
        self._mode = "RGBA" if self.channels == 4 else "RGB"
        self.width, self.height = shown_size(image, orientation)

    @override
    def strips(self) -> Iterator[Samples]:
        for top, bottom in strips(self.width, self.height):
            yield np.asarray(self._shown(top, bottom))

    def _shown(self, top: int, bottom: int) -> Image.Image:
        turn, sideways, reverse = self._turn or (None, False, False)
        stored_width, stored_height = self._image.size
        if reverse:
            top, bottom = self.height - bottom, self.height - top
        box = (top, 0, bottom, stored_height) if sideways else (0, top, stored_width, bottom)
        stored = self._image.crop(box)
        if stored.mode in _PREMULTIPLIED:
            stored = stored.convert(_PREMULTIPLIED[stored.mode])
        if self._conversion:
            stored = self._conversion.apply(stored, self._mode)
        elif stored.mode != self._mode:
            stored = stored.convert(self._mode)
        return stored if turn is None else stored.transpose(turn)


class ArrayFrame(Frame):
    """A frame of samples that are decoded already.

    Parameters
    ----------
    samples : ndarray of uint8, shape (height, width) or (height, width, 3 or 4)
        Grey, RGB or RGBA, as the file stores it.
    orientation : int
        EXIF orientation, 1 to 8; any other value counts as 1.
    """

    def __init__(self, samples: Samples, orientation: int) -> None:
        view = _VIEWS.get(orientation)
        self._shown = view(samples) if view else samples
        self.height, self.width, self.channels = (*self._shown.shape, 1)[:3]

    @override
    def strips(self) -> Iterator[Samples]:
        for top, bottom in strips(self.width, self.height):
            yield np.ascontiguousarray(self._shown[top:bottom])


class DeepFrame(Frame):
    """A frame of 16 bits a sample; its strips have the high bytes.

    Parameters
    ----------
    samples : ndarray of uint16, shape (height, width, 4)
        RGBA, not premultiplied, as the file stores it.
    orientation : int
        EXIF orientation, 1 to 8; any other value counts as 1.
    """

    channels = 4

    deep = True

    def __init__(self, samples: Deep, orientation: int = 1) -> None:
        view = _VIEWS.get(orientation)
        self._shown = view(samples) if view else samples
        self.height, self.width = self._shown.shape[:2]

    @override
    def strips(self) -> Iterator[Samples]:
        for strip in self.deep_strips():
            yield (strip >> 8).astype(np.uint8)

    def deep_strips(self) -> Iterator[Deep]:
        """Yield the rows as `strips` does, in full depth."""
        for top, bottom in strips(self.width, self.height):
            yield np.ascontiguousarray(self._shown[top:bottom])
