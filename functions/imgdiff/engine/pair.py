"""Two images on their way to be compared: each is decoded as soon as it is there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
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
        self._reads = [cache(_reader(encoded)) for encoded in (source, target)]
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

        if self._small:
            first, second = map(frame, (0, 1))
        else:
            # Decoders work outside the interpreter's lock, so the two run side by side.
            with ThreadPoolExecutor(2) as pool:
                first, second = pool.map(frame, (0, 1))
        either = next(filter(None, (first, second)))
        source, target = first or either, second or either
        self._check_sizes(source, target)
        return source, target

    def _check_sizes(self, source: Frame, target: Frame) -> None:
        if (source.width, source.height) != (target.width, target.height):
            raise SizesDiffer(
                f"{self._names[0]} is {source.width}x{source.height} and {self._names[1]} is "
                f"{target.width}x{target.height} pixels, but both must be of equal size: "
                "bring them to one size with /resize or /crop first"
            )


def _reader(encoded: Encoded) -> Callable[[], bytes]:
    return encoded if callable(encoded) else lambda: encoded
