"""The fixtures of the engine's tests."""

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.engine.imagemagick import ImageMagick


@pytest.fixture
def imagemagick(tmp_path: Path) -> ImageMagick:
    """ImageMagick; without it the test is skipped, or fails where `REQUIRE_ORACLES` is 1."""
    program = shutil.which("compare")
    if program is None:
        reason = "ImageMagick's compare is not installed, so nothing was measured against it."
        if os.environ.get("REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return ImageMagick(program, tmp_path)
