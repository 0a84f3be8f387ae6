"""What ``sam build`` made for both architectures, held against what Lambda takes."""

import ast
import sys
from collections.abc import Iterator
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from local.template import resources
from tests.stack import TEMPLATE

LAYERS = {"arm64": "DependenciesArm64", "x86_64": "DependenciesX8664"}
# ELF's numbers of machines.
MACHINES = {"arm64": 183, "x86_64": 62}
FUNCTIONS = ("ApiFunction", "WorkerFunction", "BatchFunction")
# Lambda takes 250 MB of a function with its layers; a larger layer takes longer to start.
LAYER_BYTES, FUNCTION_BYTES = 95_000_000, 1_500_000
OF_THE_RUNTIME = {"snapshot_restore_py"}
UNCHECKED_HASH = 0b01

EVERY_ARCHITECTURE = pytest.mark.parametrize("architecture", LAYERS)


def built(architecture: str) -> Path:
    folder = TEMPLATE.parent / ".aws-sam" / architecture
    if not (folder / "template.yaml").exists():
        pytest.fail(f"the stack is not built for {architecture}: run these tests by make e2e")
    return folder


def packages(architecture: str) -> Path:
    return built(architecture) / LAYERS[architecture] / "python"


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def libraries(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*.so*"):
        with path.open("rb") as file:
            yield path, file.read(20)


def imported(folder: Path) -> Iterator[str]:
    """The packages that the modules of a folder import when they run, wherever they do so."""
    for path in folder.rglob("*.py"):
        module = ast.parse(path.read_bytes())
        for node in ast.walk(module):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        for node in ast.walk(module):
            match node:
                case ast.Import(names):
                    yield from (alias.name.partition(".")[0] for alias in names)
                case ast.ImportFrom(module=str(name), level=0):
                    yield name.partition(".")[0]


@EVERY_ARCHITECTURE
def test_the_layer_is_for_its_architecture(architecture: str) -> None:
    found = dict(libraries(packages(architecture)))
    machines = {path: int.from_bytes(head[18:20], "little") for path, head in found.items()}

    assert len(machines) > 30
    assert all(head.startswith(b"\x7fELF") for head in found.values())
    assert {path for path, machine in machines.items() if machine != MACHINES[architecture]} == (
        set()
    )


@EVERY_ARCHITECTURE
def test_the_layer_has_every_package_that_the_functions_import(architecture: str) -> None:
    code = built(architecture) / "ApiFunction"
    theirs = {*imported(code)} - {*sys.stdlib_module_names} - {path.name for path in code.iterdir()}
    layer = {path.name.partition(".")[0] for path in packages(architecture).iterdir()}

    assert theirs >= {"numpy", "PIL", "botocore", "aws_lambda_powertools"}
    assert theirs <= layer | OF_THE_RUNTIME


@EVERY_ARCHITECTURE
def test_layer_and_functions_are_within_their_budgets(architecture: str) -> None:
    folder = built(architecture)

    assert LAYER_BYTES / 2 < size(packages(architecture)) < LAYER_BYTES
    for name in FUNCTIONS:
        assert FUNCTION_BYTES / 2 < size(folder / name) < FUNCTION_BYTES


@EVERY_ARCHITECTURE
def test_nothing_is_compiled_when_a_function_starts(architecture: str) -> None:
    folder = built(architecture)
    for path in [*packages(architecture).rglob("*.py"), *(folder / FUNCTIONS[0]).rglob("*.py")]:
        header = Path(cache_from_source(str(path))).read_bytes()[:8]
        assert int.from_bytes(header[4:], "little") == UNCHECKED_HASH, path


@EVERY_ARCHITECTURE
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_handler_is_where_the_template_says(architecture: str, name: str) -> None:
    module, _, handler = resources()[name]["Handler"].rpartition(".")
    path = (built(architecture) / name / module.replace(".", "/")).with_suffix(".py")

    assert f"def {handler}(" in path.read_text()
