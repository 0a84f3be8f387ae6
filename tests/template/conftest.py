"""The template, as written, as CloudFormation gets it and as a stack."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from tests.stack import TEMPLATE, deploy, load, transform


@pytest.fixture(scope="session")
def source() -> dict[str, Any]:
    """Answer the template as it is written."""
    return load(TEMPLATE)


@pytest.fixture(scope="session")
def stack() -> dict[str, Any]:
    """Answer the template as CloudFormation gets it, every parameter at its default."""
    return transform(TEMPLATE)


@pytest.fixture(scope="module")
def outputs(stack: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Deploy the stack to moto's AWS and answer its outputs."""
    with mock_aws():
        yield deploy(stack)
