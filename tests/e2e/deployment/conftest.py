"""The deployed stack, once for all tests: those of this folder belong to one worker."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment.deployed import Deployed, deploy
from tests.e2e.deployment.ministack import running


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("deployment"))


@pytest.fixture(scope="session")
def stack(folder: Path) -> Iterator[Deployed]:
    # Functions are unpacked there, each with its layer.
    with tempfile.TemporaryDirectory() as scratch, running(Path(scratch)) as aws:
        yield deploy(aws, folder)
