"""``python -m benchmarks.cold_start``: from the start of the runtime to its first answer.

The function as it was built, without its compiled bytecode, and the handler that a tutorial would
make, each in a fresh process of Lambda's own runtime client and interface emulator.
"""

import argparse
import compileall
import io
import json
import os
import platform
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
import urllib3
from PIL import Image
from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-untyped]

from imgdiff.media import new_id
from local.stack import KEY, Stack, enter, fill

ROOT = Path(__file__).parents[1]
BUILT = ROOT / ".aws-sam" / "build"
TOOLS = ROOT / ".tools"
RUNTIME = TOOLS / "ric" / "bin" / "python"
MACHINE = {"x86_64": ("x86_64", "X8664"), "aarch64": ("arm64", "Arm64")}[platform.machine()]
EMULATOR = next(
    TOOLS.glob(f"sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{MACHINE[0]}"),
    Path("aws-lambda-rie"),
)

BASE_URL = "https://images.example.com"
ROUTES = ("/health", "/imgdiff")
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")
_IMPORT_RUNS = 3
_MARK = "next part"

type Event = dict[str, Any]
type Milliseconds = dict[str, float]


@dataclass(frozen=True)
class Function:
    """A function to start: where it and its packages lie, its handler and its own variables."""

    name: str
    path: tuple[Path, ...]
    handler: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it runs with; bytecode can't be written on Lambda either."""
        return {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, self.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "AWS_LAMBDA_FUNCTION_NAME": "imgdiff",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "POWERTOOLS_LOG_LEVEL": "INFO",
            "POWERTOOLS_METRICS_DISABLED": "false",
            **self.variables,
        }


@dataclass(frozen=True)
class Start:
    """What a start took, in milliseconds: the handler's module, and all up to the answer."""

    init: float
    answered: float


def functions(folder: Path) -> list[Function]:
    """The functions that are compared, the last of them the measure of the others."""
    layer, function = BUILT / f"Dependencies{MACHINE[1]}" / "python", BUILT / "ApiFunction"
    bare = (_without_bytecode(function, folder), _without_bytecode(layer, folder))
    handler, variables = _declared()
    nothing, naive = folder / "nothing", folder / "naive"
    for place in (nothing, naive):
        place.mkdir()
    (nothing / "nothing.py").write_text(
        "def lambda_handler(event, context):\n    return {'statusCode': 200}\n"
    )
    shutil.copy(Path(__file__).with_name("naive_handler.py"), naive)
    compiled = (shutil.copytree(naive, folder / "compiled"), folder / "packages")
    shutil.copytree(TOOLS / "naive", compiled[1])
    for place in compiled:
        compileall.compile_dir(place, quiet=1)
    return [
        Function("A handler that does nothing", (nothing,), "nothing.lambda_handler"),
        Function("imgdiff as built", (function, layer), handler, variables),
        Function("imgdiff without bytecode", bare, handler, variables),
        Function("A tutorial's with bytecode", compiled, "naive_handler.lambda_handler"),
        Function("A tutorial's", (naive, TOOLS / "naive"), "naive_handler.lambda_handler"),
    ]


def _declared() -> tuple[str, dict[str, str]]:
    """The handler and those variables that the template gives as they are, not by parameters."""
    template = yaml_parse((BUILT / "template.yaml").read_text())
    declared = template["Resources"]["ApiFunction"]["Properties"]
    variables = declared["Environment"]["Variables"]
    return declared["Handler"], {
        name: value for name, value in variables.items() if isinstance(value, str)
    }


def _without_bytecode(built: Path, folder: Path) -> Path:
    copy = folder / built.parent.name / built.name
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def store_images() -> list[str]:
    """Store two small images that differ, and return their links."""
    pixels = bytearray(random.Random(1).randbytes(64 * 64 * 3))  # noqa: S311 - not for secrets
    links = []
    for _ in range(2):
        file = io.BytesIO()
        Image.frombytes("RGB", (64, 64), bytes(pixels)).save(file, "PNG")
        media_id = new_id("png")
        boto3.client("s3").put_object(
            Bucket=os.environ["MEDIA_BUCKET"], Key=f"media/{media_id}", Body=file.getvalue()
        )
        links.append(f"{BASE_URL}/media/{media_id}")
        pixels[:600] = bytes(600)
    return links


def events(links: list[str]) -> dict[str, Event]:
    """An event for every route."""
    health = json.loads((ROOT / "events" / "health.json").read_text())
    imgdiff = json.loads((ROOT / "events" / "imgdiff.json").read_text())
    query = {"src": links[0], "target": links[1], "key": KEY}
    imgdiff |= {"rawQueryString": urlencode(query), "queryStringParameters": query}
    return {"/health": health, "/imgdiff": imgdiff}


def start(function: Function, event: Event) -> Start:
    """Start the runtime and ask it once; the emulator starts it when the first event comes."""
    with tempfile.TemporaryFile("w+") as log:
        with _emulator(function, log) as address:
            body = json.dumps(event)
            started = time.perf_counter()
            reply = urllib3.request("POST", address, body=body, retries=False, timeout=60)
            answered = 1000 * (time.perf_counter() - started)
        log.seek(0)
        written = log.read()
    init = _INIT.search(written)
    if not init or reply.json().get("statusCode") != 200:
        sys.exit(f"{function.name} failed: {reply.data!r}\n{written}")
    return Start(float(init[1]), answered)


@contextmanager
def _emulator(function: Function, log: Any) -> Iterator[str]:
    own, runtime = _free_port(), _free_port()
    command: list[str | Path] = [
        *(EMULATOR, "--log-level", "info"),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{own}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime}"),
        *(RUNTIME, "-m", "awslambdaric", function.handler),
    ]
    with subprocess.Popen(
        command, env=function.environment, cwd=function.path[0], stdout=log, stderr=log
    ) as process:
        try:
            _wait_for(own)
            yield f"http://127.0.0.1:{own}/2015-03-31/functions/function/invocations"
        finally:
            process.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def measure(compared: list[Function], asked: dict[str, Event], runs: int) -> None:
    """Print what every function's starts take, the functions in turn."""
    taken: dict[tuple[str, str], list[Start]] = defaultdict(list)
    for run in range(runs + 1):
        for function in compared:
            for route in ROUTES:
                found = start(function, asked[route])
                if run:  # the first fills the disk's cache
                    taken[function.name, route].append(found)
    median = {
        function.name: [
            statistics.median(start.init for start in taken[function.name, "/health"]),
            *(statistics.median(s.answered for s in taken[function.name, r]) for r in ROUTES),
        ]
        for function in compared
    }
    print(f"\nFrom the start of the runtime, ms, medians of {runs}; beside the last one:\n")
    print(f"| | Handler imported | {' | '.join(f'First `{route}`' for route in ROUTES)} |")
    print("|---|--:|--:|--:|")
    last = median[compared[-1].name]
    for name, figures in median.items():
        cells = (f"{ms:.0f} ({ms / of:.2f})" for ms, of in zip(figures, last, strict=True))
        print(f"| {name} | {' | '.join(cells)} |")


def imports(function: Function, asked: dict[str, Event]) -> list[Milliseconds]:
    """What the modules of each package take to import: with the handler, and in `/imgdiff`."""
    code = f"""
import sys, awslambdaric.bootstrap
from types import SimpleNamespace
print("{_MARK}", file=sys.stderr)
from {function.handler.rpartition(".")[0]} import lambda_handler
print("{_MARK}", file=sys.stderr)
lambda_handler({asked["/imgdiff"]!r}, SimpleNamespace(
    function_name="f", memory_limit_in_mb=1769, invoked_function_arn="a", aws_request_id="r",
    get_remaining_time_in_millis=lambda: 29_000,
))
"""
    found = subprocess.run(
        [RUNTIME, "-X", "importtime", "-c", code],
        env=function.environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return [_by_package(part) for part in found.stderr.split(_MARK)[1:]]


def _by_package(report: str) -> Milliseconds:
    times: Milliseconds = defaultdict(float)
    for microseconds, module in _IMPORT.findall(report):
        package = module.partition(".")[0]
        times["standard library" if package in sys.stdlib_module_names else package] += (
            int(microseconds) / 1000
        )
    return times


def list_imports(compared: list[Function], asked: dict[str, Event]) -> None:
    """Print where the time of imports goes."""
    columns = []
    for function in compared:
        runs = [imports(function, asked) for _ in range(_IMPORT_RUNS)]
        columns += [
            {name: statistics.median(run.get(name, 0.0) for run in part) for name in part[0]}
            for part in zip(*runs, strict=True)
        ]
    names = {name for column in columns for name in column}
    names = {name for name in names if any(column.get(name, 0) >= 1 for column in columns)}
    print("\nOf which imports, by package without what it imports in turn, ms:\n")
    titles = (
        f"{function.name}, {phase}" for function in compared for phase in ("handler", "`/imgdiff`")
    )
    print(f"| | {' | '.join(titles)} |")
    print("|---|" + "--:|" * len(columns))
    for name in sorted(names, key=lambda name: -sum(column.get(name, 0) for column in columns)):
        print(f"| {name} | {' | '.join(f'{column.get(name, 0):.1f}' for column in columns)} |")
    print(f"| all | {' | '.join(f'{sum(column.values()):.1f}' for column in columns)} |")


def main() -> None:
    """Measure, beside an embedded AWS in this process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--runs", type=int, default=9, help="starts of each function and route")
    runs: int = parser.parse_args().runs
    stack = Stack("127.0.0.1", 0)
    enter(stack.endpoint, BASE_URL)
    fill()
    asked = events(store_images())
    with tempfile.TemporaryDirectory() as folder:
        compared = functions(Path(folder))
        measure(compared, asked, runs)
        list_imports([compared[1], compared[-1]], asked)
    stack.stop()


if __name__ == "__main__":
    main()
