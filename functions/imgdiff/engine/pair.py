"""Two images on their way to be compared: each is decoded as soon as it is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from imgdiff.engine.fitting import of_one_size
from imgdiff.engine.frame import Frame
from imgdiff.engine.options import Encoded
from imgdiff.errors import ImgdiffError, SizesDiffer

# Smaller images are decoded before a thread has started.
_WORTH_THREADS = 1 << 16


class Pair:
    """Two encoded images.

    Parameters
    ----------
    source, target : bytes, or callable that returns bytes
        A callable is called once, in a thread of its own.
    names : tuple of str
        What errors call the two.
    """

    def __init__(self, source: Encoded, target: Encoded, names: tuple[str, str]) -> None:
        self._small = (
            isinstance(source, bytes)
            and isinstance(target, bytes)
            and len(source) + len(target) < _WORTH_THREADS
        )
        self._files: list[Encoded | Exception] = [source, target]
        self._names = names

    def decoded(
        self, decode: Callable[[bytes], Frame], *, same_size: bool = True
    ) -> tuple[Frame, Frame]:
        """Both frames, checked to be of one size; the same twice where the files are equal.

        Parameters
        ----------
        decode : callable
            An image's bytes to its frame.
        same_size : bool
            Whether they have to be.

        Raises
        ------
        UnsupportedImage, TooLarge
            From ``decode``; the error's field is the image's name.
        SizesDiffer
            The images, as shown, are not of equal size.
        """
        source, target = self._frames(decode)
        either = next(filter(None, (source, target)))
        source, target = source or either, target or either
        if source.decoded and target.decoded:
            # Nothing can be found any more for which they would have to be decoded again.
            self._files.clear()
        return self._of_one_size(source, target) if same_size else (source, target)

    def _frames(self, decode: Callable[[bytes], Frame]) -> tuple[Frame | None, Frame | None]:
        """Both frames, but None for that of a file which repeats the one that came first."""
        arrived: list[int] = []

        def frame(index: int) -> Frame | None:
            data = self._read(index)
            # Appending is atomic: one of the two is the first.
            arrived.append(index)
            first = arrived[0]
            if first != index and self._files[first] == data:
                return None
            try:
                return decode(data)
            except ImgdiffError as error:
                error.field = self._names[index]
                raise

        def read_ahead(index: int) -> Frame | None:
            early = frame(index)
            while early and len(arrived) < 2 and early.read_ahead():
                pass
            return early

        of_target: Callable[[], Frame | None]
        if self._small:
            source, of_target = frame(0), partial(frame, 1)
        else:
            # Decoders work outside the interpreter's lock, so the two run side by side.
            with ThreadPoolExecutor(2) as pool:
                first, second = (pool.submit(read_ahead, index) for index in (0, 1))
            source, of_target = first.result(), second.result
        try:
            return source, of_target()
        except Exception as error:
            # The source is named first: it is as much at fault where it repeats the target, and
            # its damage may show only when it is read.
            if source:
                source.verify()
            elif isinstance(error, ImgdiffError):
                error.field = self._names[0]
            raise

    def _read(self, index: int) -> bytes:
        """A file, asked for once, however often it is read; what fails, fails again alike."""
        file = self._files[index]
        if callable(file):
            try:
                file = file()
            except Exception as error:  # noqa: BLE001 - raised below
                file = error
            self._files[index] = file
        if isinstance(file, Exception):
            raise file
        return file

    def _of_one_size(self, source: Frame, target: Frame) -> tuple[Frame, Frame]:
        if not of_one_size(source, target):
            source.verify()
            target.verify()
            raise SizesDiffer(
                f"{self._names[0]} is {source.width}x{source.height} and {self._names[1]} is "
                f"{target.width}x{target.height} pixels, but both must be of equal size: "
                "bring them to one size with fit, or with /resize or /crop first"
            )
        return source, target
