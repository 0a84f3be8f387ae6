"""Two images on their way to be compared: each is decoded as soon as it is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import cache, partial
from threading import Lock

from imgdiff.engine.frame import Frame
from imgdiff.errors import SizesDiffer, about

type Encoded = bytes | Callable[[], bytes]

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
        self._reads = [_once(encoded) for encoded in (source, target)]
        self._names = names

    def decoded(self, decode: Callable[[bytes], Frame]) -> tuple[Frame, Frame]:
        """Both frames, checked to be of one size; the same twice where the files are equal.

        Raises
        ------
        UnsupportedImage, TooLarge
            From ``decode``; the error's field is the image's name.
        SizesDiffer
            The images, as shown, are not of equal size.
        """
        arrived: list[bytes] = []
        arriving = Lock()

        def frame(index: int) -> Frame | None:
            data = self._reads[index]()
            with arriving:
                repeated = data in arrived
                arrived.append(data)
            if repeated:
                return None
            with about(self._names[index]):
                decoded = decode(data)
            while len(arrived) < 2 and decoded.read_ahead():
                pass
            return decoded

        of_target: Callable[[], Frame | None]
        if self._small:
            source, of_target = frame(0), partial(frame, 1)
        else:
            # Decoders work outside the interpreter's lock, so the two run side by side.
            with ThreadPoolExecutor(2) as pool:
                first, second = (pool.submit(frame, index) for index in (0, 1))
            source, of_target = first.result(), second.result
        try:
            # What repeats the other is as much at fault, and the source is named first.
            with nullcontext() if source else about(self._names[0]):
                target = of_target()
        except Exception:
            # So is damage of the source that shows only when it is read.
            if source:
                source.verify()
            raise
        either = next(filter(None, (source, target)))
        return self._of_one_size(source or either, target or either)

    def _of_one_size(self, source: Frame, target: Frame) -> tuple[Frame, Frame]:
        if (source.width, source.height) != (target.width, target.height):
            source.verify()
            target.verify()
            raise SizesDiffer(
                f"{self._names[0]} is {source.width}x{source.height} and {self._names[1]} is "
                f"{target.width}x{target.height} pixels, but both must be of equal size: "
                "bring them to one size with /resize or /crop first"
            )
        return source, target


def _once(encoded: Encoded) -> Callable[[], bytes]:
    """Read an image once, however often it is asked for, and raise the same if it fails."""

    @cache
    def outcome() -> bytes | Exception:
        try:
            return encoded() if callable(encoded) else encoded
        except Exception as error:  # noqa: BLE001 - raised below
            return error

    def read() -> bytes:
        found = outcome()
        if isinstance(found, Exception):
            raise found
        return found

    return read
