"""The npm package pixelmatch as a second opinion."""

import struct
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self, override

import pytest

from tests.unit.engine.images import Pixels

_ORACLES = Path(__file__).parents[3] / ".tools" / "oracles"
_NODE = _ORACLES / "bin" / "node"
_PACKAGE = _ORACLES / "node_modules" / "pixelmatch"
_SCRIPT = Path(__file__).with_name("pixelmatch.mjs")


class Pixelmatch(AbstractContextManager["Pixelmatch"]):
    """The package in a process of its own, which stays inside a ``with``."""

    @override
    def __enter__(self) -> Self:
        if not (_NODE.exists() and _PACKAGE.exists()):
            pytest.fail("The npm package pixelmatch is not installed: run `make test`.")
        self._process = subprocess.Popen(
            [_NODE, _SCRIPT, _PACKAGE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def count(self, source: Pixels, target: Pixels, *, threshold: float, include_aa: bool) -> int:
        """The pixels that differ of two images, shape (height, width, 4)."""
        height, width, _ = source.shape
        assert self._process.stdin
        assert self._process.stdout
        head = struct.pack("<IIdI", width, height, threshold, include_aa)
        self._process.stdin.write(head + source.tobytes() + target.tobytes())
        self._process.stdin.flush()
        return int(self._process.stdout.readline())
