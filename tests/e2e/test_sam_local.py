"""Every event by ``sam local invoke``, as the README has it, where there is a Docker engine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from local import stack
from local.runtime import ARCHITECTURE, BUILT
from tests.e2e.conftest import ROOT, Json, hold_what_events_name
from tests.integration.conftest import BASE_URL, EVENTS
from tests.integration.test_events import STATUSES

SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
IMAGE = f"public.ecr.aws/lambda/python:3.13-{ARCHITECTURE}"
TOLD = json.loads((ROOT / "local" / "env.json").read_text())["Parameters"]
OTHERS: dict[str, tuple[str, Json]] = {
    "worker-s3": ("WorkerFunction", {}),
    "worker-eventbridge": ("WorkerFunction", {}),
    "worker-sqs": ("WorkerFunction", {"batchItemFailures": []}),
    "batch-prepare": ("BatchFunction", {"total": 3}),
    "batch-compare": ("BatchFunction", {"items": []}),
}


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def gateway() -> str:
    """The address at which containers reach this machine."""
    if shutil.which("docker") is None or docker("info").returncode:
        pytest.skip("There is no Docker engine at hand: sam local invoke is not tried.")
    if docker("image", "inspect", IMAGE).returncode and docker("pull", IMAGE).returncode:
        pytest.skip(f"{IMAGE} can't be pulled: sam local invoke is not tried.")
    return str(urlsplit(TOLD["AWS_ENDPOINT_URL"]).hostname)


@pytest.fixture(scope="module")
def variables(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The file of variables of the README's lines, its AWS this module's own."""
    running = stack.Stack(gateway, 0)
    file = tmp_path_factory.mktemp("sam") / "env.json"
    file.write_text(json.dumps({"Parameters": TOLD | {"AWS_ENDPOINT_URL": running.endpoint}}))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in stack.environment(running.endpoint, BASE_URL).items():
            patch.setenv(name, value)
        stack.fill()
        hold_what_events_name()
        yield file
    running.stop()


def invoke(function: str, event: str, variables: Path) -> Any:
    interpreter = Path(sys.executable).parent
    done = subprocess.run(
        [
            *(SAM, "local", "invoke", function, "--template", BUILT / "template.yaml"),
            *("--event", EVENTS / f"{event}.json", "--env-vars", variables, "--skip-pull-image"),
            *("--parameter-overrides", f"Architecture={ARCHITECTURE}"),
        ],
        env={**os.environ, "PATH": f"{interpreter}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_a_request(variables: Path, name: str, status: int) -> None:
    assert invoke("ApiFunction", name, variables)["statusCode"] == status


@pytest.mark.parametrize(("name", "function", "answer"), [(k, *v) for k, v in OTHERS.items()])
def test_what_no_request_calls(variables: Path, name: str, function: str, answer: Json) -> None:
    told = invoke(function, name, variables)

    assert answer.items() <= told.items()
    assert "errorType" not in told
