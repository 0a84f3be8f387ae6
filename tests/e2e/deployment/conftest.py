"""The deployed stack, once for all tests: those of this folder belong to one worker."""

import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.deployment.deployed import Deployed, deploy
from tests.e2e.deployment.ministack import running
from tests.local.service import ROOT

_ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.xdist_group("deployment"))


@pytest.fixture(scope="session")
def stack() -> Iterator[Deployed]:
    architecture = _ARCHITECTURES[platform.machine()]
    build = ROOT / ".aws-sam/e2e" / architecture
    if not (build / "template.yaml").exists():
        pytest.fail(f"there is no build for {architecture}: make e2e makes one", pytrace=False)
    # Functions are unpacked there, each with its layer.
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as aws:
        yield deploy(aws, build, architecture)
