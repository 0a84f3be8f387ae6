"""The bound on a function's memory."""

import subprocess
import sys
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
CODE = """
import resource
from imgdiff import memory
memory.bound()
print(*resource.getrlimit(resource.RLIMIT_DATA))
"""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1000"}, [943_718_400] * 2),
        ({}, [-1, -1]),
    ],
)
def test_a_tenth_is_left(environ: dict[str, str], expected: list[int]) -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", CODE], env={"PYTHONPATH": str(FUNCTIONS), **environ}, text=True
    )
    assert [int(limit) for limit in told.split()] == expected
