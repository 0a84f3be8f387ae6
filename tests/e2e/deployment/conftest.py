"""The stack, deployed once for all tests of a process."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment.deployed import Deployed, deploy
from tests.e2e.deployment.ministack import running


@pytest.fixture(scope="session")
def stack(folder: Path) -> Iterator[Deployed]:
    # Functions are unpacked there, each with its layer.
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch)) as aws:
        yield deploy(aws, folder)
