"""What the stages of an invocation take and move: noted where they run, told by the entry point.

A function serves one invocation at a time, so all of its threads keep one account.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_account: defaultdict[str, list[float]] = defaultdict(list)


def note(name: str, value: float) -> None:
    """Note a figure of this invocation, one of `imgdiff.telemetry.UNITS`."""
    _account[name].append(value)


@contextmanager
def timed(stage: str) -> Iterator[None]:
    """Note the time that the block takes."""
    started = time.perf_counter()
    try:
        yield
    finally:
        note(f"{stage}Milliseconds", 1000 * (time.perf_counter() - started))


def read[Image](source: Callable[[Image], bytes], image: Image) -> bytes:
    """Read an image, noting how long that takes and how large it is."""
    with timed("Read"):
        content = source(image)
    note("BytesRead", len(content))
    return content


@contextmanager
def storing(content: bytes) -> Iterator[None]:
    """Note how long the block takes to store this."""
    note("BytesWritten", len(content))
    with timed("Store"):
        yield


def taken() -> dict[str, list[float]]:
    """What was noted since this was asked for last."""
    account = dict(_account)
    _account.clear()
    return account
