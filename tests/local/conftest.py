"""The service that tests share: each module, and so each worker of pytest-xdist, has its own."""

import signal
from collections.abc import Iterator

import pytest

from tests.local.service import Service, start, stop


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    running = start(0)
    yield running
    assert stop(running.process, signal.SIGINT) == 0
