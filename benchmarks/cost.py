"""``python -m benchmarks.cost``: what a call takes and costs, by the memory of the function.

The function as it was built, under Lambda's own runtime, held to the share of the processors that
Lambda gives with the memory. An embedded AWS answers it from this process, outside of that share.
"""

import argparse
import re
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from benchmarks import runtime
from benchmarks.cost_report import WORKERS, Figures, Measured, processors, report
from benchmarks.cpu_share import cpu_share
from benchmarks.workloads import WORKLOADS
from local.runtime import Emulator, Function
from local.workers import Event

MEMORY = "512,1024,1769,3008"
_HEALTH = "`/health`"
_PAIRS = {workload.name: workload for workload in WORKLOADS if workload.task == "difference"}
_COMPARED = ("small", "hd", "photo")
_DURATION = re.compile(r"\tDuration: ([\d.]+) ms")
_PEAK = re.compile(r"VmHWM:\s+(\d+) kB")


@dataclass(frozen=True)
class Taken:
    """What a runtime took: milliseconds, those of the first call with its init's; and MB."""

    init: float
    first: float
    later: list[float]
    peak: float


@contextmanager
def worker(function: Function) -> Iterator[tuple[Emulator, IO[str]]]:
    """A runtime in a share of its own, and its log."""
    with tempfile.TemporaryFile("w+") as log, cpu_share(processors(function.memory)) as add:
        emulator = Emulator(function, log)
        try:
            # The runtime itself starts when the first event comes, in the share of the emulator.
            add(emulator.pid)
            yield emulator, log
        except Exception:
            log.seek(0)
            print(log.read(), file=sys.stderr)
            raise
        finally:
            emulator.stop()


def work(function: Function, event: Event, *, workers: int, calls: int) -> list[Taken]:
    """Start workers, and call all of them at the same time, again and again."""

    def call(emulator: Emulator) -> None:
        answer = emulator.run(event)
        assert answer["statusCode"] == 200, answer

    with ExitStack() as running, ThreadPoolExecutor(workers) as callers:
        started = [running.enter_context(worker(function)) for _ in range(workers)]
        for _ in range(1 + calls):
            list(callers.map(call, [emulator for emulator, _ in started]))
        return [taken(emulator, log) for emulator, log in started]


def taken(emulator: Emulator, log: IO[str]) -> Taken:
    """What a running worker has taken, as the emulator reports it and Linux counts it."""
    log.seek(0)
    written = log.read()
    first, *later = (float(found) for found in _DURATION.findall(written))
    return Taken(runtime.init_milliseconds(written), first, later, _peak(emulator.pid))


def _peak(emulator: int) -> float:
    [process] = [
        child
        for task in Path(f"/proc/{emulator}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    found = _PEAK.search(Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1]) / 1024


def events() -> dict[str, Event]:
    """An event for every workload, whose images are in the embedded AWS."""
    asked = {_HEALTH: runtime.health()}
    with tempfile.TemporaryDirectory() as folder:
        for name in _COMPARED:
            pair = _PAIRS[name].make(Path(folder))
            files = (pair.source, pair.target)
            links = (runtime.store(file.read_bytes(), pair.kind) for file in files)
            asked[name] = runtime.imgdiff(*links)
    return asked


def measure(
    function: Function, asked: Mapping[str, Event], settings: list[int], *, starts: int, calls: int
) -> Measured:
    """Start and call the function at each memory setting, all in turn."""
    work(function, asked["hd"], workers=1, calls=0)  # fills the disk's cache
    found: dict[tuple[int, str, int], list[Taken]] = defaultdict(list)
    for _ in range(starts):
        for memory in settings:
            for name, event in asked.items():
                for workers in WORKERS:
                    found[memory, name, workers] += work(
                        replace(function, memory=memory), event, workers=workers, calls=calls
                    )
    return {what: figures(runs) for what, runs in found.items()}


def figures(runs: list[Taken]) -> Figures:
    """The figures of some runs."""
    return Figures(
        init=statistics.median(run.init for run in runs),
        first=statistics.median(run.first for run in runs),
        later=statistics.median(call for run in runs for call in run.later),
        peak=max(run.peak for run in runs),
    )


def main() -> None:
    """Measure, and tell what it costs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--memory", default=MEMORY, help="settings in MB, joined by commas")
    parser.add_argument("--starts", type=int, default=3, help="of each setting and workload")
    parser.add_argument("--calls", type=int, default=5, help="after the first of each start")
    asked = parser.parse_args()
    settings = [int(memory) for memory in asked.memory.split(",")]
    with runtime.function() as function:
        measured = measure(function, events(), settings, starts=asked.starts, calls=asked.calls)
    print(report(measured, starts=asked.starts, calls=asked.calls))


if __name__ == "__main__":
    main()
