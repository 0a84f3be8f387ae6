"""Arrows point inward: who may import whom, read from the sources."""

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "functions" / "imgdiff"

ADAPTERS = {
    "imgdiff.aws",
    "imgdiff.dynamo_keys",
    "imgdiff.event_bus",
    "imgdiff.fetch",
    "imgdiff.s3_files",
    "imgdiff.s3_media",
    "imgdiff.s3_objects",
    "imgdiff.step_functions",
}
COMPOSITION = "imgdiff.composition"
ENTRY_POINTS = {"imgdiff.api", "imgdiff.batch", "imgdiff.worker"}
# What entry points tell of themselves, by the framework's means.
TELEMETRY = "imgdiff.telemetry"
USE_CASES = {
    "imgdiff.batch_tasks",
    "imgdiff.batches",
    "imgdiff.difference",
    "imgdiff.images",
    "imgdiff.pairs",
}

OUTSIDE = {
    "boto3",
    "botocore",
    "types_boto3_s3",
    "types_boto3_dynamodb",
    "types_boto3_events",
    "types_boto3_stepfunctions",
    "urllib3",
}
FRAMEWORK = {"aws_lambda_powertools"}
ENGINE_PACKAGES = {"PIL", "imagecodecs", "isal", "numpy"}
# Where a pure function would reach the network, the disk, another process or its environment.
IMPURE_STANDARD_LIBRARY = {
    "http", "multiprocessing", "os", "pathlib", "shutil", "socket", "ssl", "subprocess",
    "tempfile", "urllib",
}  # fmt: skip


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, module: str = "imgdiff.any") -> set[str]:
    """Every module that a source imports, wherever in it, for types too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module} imports relatively, which this test does not follow"
            assert node.module
            names.add(node.module)
            # A module may be imported out of its package: `from imgdiff import fetch`.
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


IMPORTS = {
    _module(path): imported(path.read_text(encoding="utf-8"), _module(path))
    for path in sorted(PACKAGE.rglob("*.py"))
}
MODULES = set(IMPORTS)
ENGINE = {name for name in MODULES if name.startswith("imgdiff.engine")}

EVERY_MODULE = pytest.mark.parametrize("module", sorted(MODULES))


def ours(module: str) -> set[str]:
    return IMPORTS[module] & MODULES


def packages(module: str) -> set[str]:
    return {name.partition(".")[0] for name in IMPORTS[module]}


def test_the_modules_named_here_exist() -> None:
    assert ADAPTERS | ENTRY_POINTS | USE_CASES | {COMPOSITION, "imgdiff.errors"} <= MODULES
    assert {"imgdiff.engine", "imgdiff.engine.decode"} <= ENGINE


def test_imports_are_found_wherever_they_are() -> None:
    source = """
import os.path
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from imgdiff.fetch import Fetcher
def late():
    from imgdiff import aws
    import numpy as np
"""

    found = imported(source)

    assert {"os.path", "typing", "imgdiff.fetch", "imgdiff.aws", "numpy"} <= found


@pytest.mark.parametrize("module", sorted(ENGINE))
def test_the_engine_is_pure(module: str) -> None:
    assert ours(module) <= ENGINE | {"imgdiff.errors", "imgdiff.formats", "imgdiff"}
    third_party = packages(module) - set(sys.stdlib_module_names) - {"imgdiff"}
    assert third_party <= ENGINE_PACKAGES
    assert not packages(module) & IMPURE_STANDARD_LIBRARY


@EVERY_MODULE
def test_the_engine_alone_is_called_past_the_interpreter(module: str) -> None:
    if module not in ENGINE:
        assert "ctypes" not in packages(module)


@pytest.mark.parametrize("module", sorted(ADAPTERS))
def test_adapters_know_nobody_who_uses_them(module: str) -> None:
    assert not ours(module) & (ENTRY_POINTS | USE_CASES | ENGINE | {COMPOSITION})


@EVERY_MODULE
def test_the_composition_root_alone_knows_the_adapters(module: str) -> None:
    if module not in ADAPTERS | {COMPOSITION}:
        assert not ours(module) & ADAPTERS


@EVERY_MODULE
def test_entry_points_alone_know_the_composition_root(module: str) -> None:
    if module not in ENTRY_POINTS:
        assert COMPOSITION not in ours(module)
        assert module == TELEMETRY or not packages(module) & FRAMEWORK


@EVERY_MODULE
def test_nobody_imports_an_entry_point(module: str) -> None:
    assert not ours(module) & ENTRY_POINTS


@EVERY_MODULE
def test_adapters_alone_reach_outside(module: str) -> None:
    if module not in ADAPTERS:
        assert not packages(module) & OUTSIDE


@EVERY_MODULE
def test_imports_make_no_circle(module: str) -> None:
    reached: set[str] = set()
    waiting = ours(module) - {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= ours(name) - reached
    # A package's own modules may be named in its __init__, and import it by being imported.
    assert module not in reached or module == "imgdiff.engine"


def test_errors_stand_alone() -> None:
    assert not ours("imgdiff.errors")
    assert packages("imgdiff.errors") <= set(sys.stdlib_module_names)
