"""``python -m benchmarks.cold_start``: from the start of the runtime to its first answer.

The function as it was built, without its compiled bytecode, and the handler that a tutorial would
make, each in a fresh process of Lambda's own runtime client and interface emulator.
"""

import argparse
import compileall
import io
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from benchmarks import runtime
from local.runtime import CLIENT, Emulator, Function
from local.workers import Event, FunctionFailed

NAIVE = Path(__file__).parents[1] / ".tools" / "naive"
ROUTES = ("/health", "/imgdiff")
_IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")
_IMPORT_RUNS = 3
_MARK = "next part"

type Milliseconds = dict[str, float]


@dataclass(frozen=True)
class Start:
    """What a start took, in milliseconds: the handler's module, and all up to the answer."""

    init: float
    answered: float


def functions(whole: Function, folder: Path) -> dict[str, Function]:
    """The functions that are compared, by name, the last of them the measure of the others."""
    [layer] = whole.packages
    nothing, naive = folder / "nothing", folder / "naive"
    for place in (nothing, naive):
        place.mkdir()
    (nothing / "nothing.py").write_text(
        "def lambda_handler(event, context):\n    return {'statusCode': 200}\n"
    )
    shutil.copy(Path(__file__).with_name("naive_handler.py"), naive)
    compiled = (shutil.copytree(naive, folder / "compiled"), folder / "packages")
    shutil.copytree(NAIVE, compiled[1])
    for place in compiled:
        compileall.compile_dir(place, quiet=1)
    tutorials = replace(
        whole, handler="naive_handler.lambda_handler", code=naive, packages=(NAIVE,)
    )
    return {
        "A handler that does nothing": replace(
            whole, handler="nothing.lambda_handler", code=nothing, packages=()
        ),
        "imgdiff as built": whole,
        "imgdiff without bytecode": replace(
            whole,
            code=_without_bytecode(whole.code, folder),
            packages=(_without_bytecode(layer, folder),),
        ),
        "A tutorial's with bytecode": replace(tutorials, code=compiled[0], packages=(compiled[1],)),
        "A tutorial's": tutorials,
    }


def _without_bytecode(built: Path, folder: Path) -> Path:
    copy = folder / built.parent.name / built.name
    shutil.copytree(built, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def events() -> dict[str, Event]:
    """An event for every route, that of `/imgdiff` with two small images that differ."""
    pixels = bytearray(random.Random(1).randbytes(64 * 64 * 3))  # noqa: S311 - not for secrets
    links = []
    for _ in range(2):
        file = io.BytesIO()
        Image.frombytes("RGB", (64, 64), bytes(pixels)).save(file, "PNG")
        links.append(runtime.store(file.getvalue(), "png"))
        pixels[:600] = bytes(600)
    return {"/health": runtime.health(), "/imgdiff": runtime.imgdiff(*links)}


def start(function: Function, event: Event) -> Start:
    """Start the runtime and ask it once; the emulator starts it when the first event comes."""
    with tempfile.TemporaryFile("w+") as log:
        emulator = Emulator(function, log)
        started = time.perf_counter()
        try:
            answer = emulator.run(event)
        except FunctionFailed as failed:
            answer = failed.answer
        answered = 1000 * (time.perf_counter() - started)
        emulator.stop()
        log.seek(0)
        written = log.read()
    if answer.get("statusCode") != 200:
        sys.exit(f"{function.handler} answered {answer}\n{written}")
    return Start(runtime.init_milliseconds(written), answered)


def measure(compared: dict[str, Function], asked: dict[str, Event], runs: int) -> None:
    """Print what every function's starts take, the functions in turn."""
    taken: dict[tuple[str, str], list[Start]] = defaultdict(list)
    for run in range(runs + 1):
        for name, function in compared.items():
            for route in ROUTES:
                found = start(function, asked[route])
                if run:  # the first fills the disk's cache
                    taken[name, route].append(found)
    median = {
        name: [
            statistics.median(start.init for start in taken[name, "/health"]),
            *(statistics.median(s.answered for s in taken[name, route]) for route in ROUTES),
        ]
        for name in compared
    }
    print(f"\nFrom the start of the runtime, ms, medians of {runs}; beside the last one:\n")
    print(f"| | Handler imported | {' | '.join(f'First `{route}`' for route in ROUTES)} |")
    print("|---|--:|--:|--:|")
    *_, last = median.values()
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
        [CLIENT, "-X", "importtime", "-c", code],
        env=function.environment,
        cwd=function.code,
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


def list_imports(compared: dict[str, Function], asked: dict[str, Event]) -> None:
    """Print where the time of imports goes."""
    columns = []
    for function in compared.values():
        runs = [imports(function, asked) for _ in range(_IMPORT_RUNS)]
        columns += [
            {name: statistics.median(run.get(name, 0.0) for run in part) for name in part[0]}
            for part in zip(*runs, strict=True)
        ]
    names = {name for column in columns for name in column}
    names = {name for name in names if any(column.get(name, 0) >= 1 for column in columns)}
    print("\nOf which imports, by package without what it imports in turn, ms:\n")
    titles = (f"{name}, {phase}" for name in compared for phase in ("handler", "`/imgdiff`"))
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
    with runtime.function() as whole, tempfile.TemporaryDirectory() as folder:
        asked = events()
        compared = functions(whole, Path(folder))
        measure(compared, asked, runs)
        both = ("imgdiff as built", "A tutorial's")
        list_imports({name: compared[name] for name in both}, asked)


if __name__ == "__main__":
    main()
