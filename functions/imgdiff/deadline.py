"""The time that is left to answer the request at hand."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import TIMEOUT_MAX, Timer


class Deadline:
    """When the request at hand must be answered; a function serves one at a time."""

    def __init__(self) -> None:
        self._at = math.inf

    def start(self, seconds: float) -> None:
        """Begin a request that has ``seconds`` from now."""
        self._at = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, infinitely many while there is no request."""
        return self._at - time.monotonic()

    @contextmanager
    def watch(self, cut: Callable[[], None]) -> Iterator[None]:
        """Call ``cut``, from another thread, if the time runs out within the block."""
        watchdog = Timer(min(self.remaining(), TIMEOUT_MAX), cut)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()
            watchdog.join()
