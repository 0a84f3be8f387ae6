"""What calls cost by the memory of the function, as Markdown."""

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.cpu_share import PERIOD_MICROSECONDS
from benchmarks.report import machine, table
from benchmarks.workloads import WORKLOADS

# As many are called at the same time, each in a share of its own.
WORKERS = (1, 2)
# List prices of us-east-1, USD.
USD_GB_SECOND = {"arm64": 0.0000133334, "x86_64": 0.0000166667}
USD_MILLION_REQUESTS = 0.20

_MB_OF_A_PROCESSOR = 1769
_TITLES = {workload.name: workload.title for workload in WORKLOADS}
_INTRODUCTION = """\
`make bench-cost` calls the function as it was built, under the emulator of Lambda's runtime, held
to the share of the processors that Lambda gives with the memory: memory / {whole} of one, in
periods of {period:.0f} ms. Medians of {starts} starts, and of {calls} later calls after each,
all in turn, as the emulator reports them, on {machine}.

Calls are of `/health`, and of `/imgdiff` for pairs in the stack's own bucket: {compared}.
"""
_NOT_AWS = """
What is not AWS: the processor, which is this machine's for both architectures' prices, and what two
workers and the rest leave each other of it; S3 and DynamoDB, which one Python process emulates; and
init, which Lambda has been seen to give two vCPUs whatever the memory, and which has its share
alone here. Prices are us-east-1's list prices of Lambda alone, its requests included.
"""


@dataclass(frozen=True)
class Figures:
    """Medians of what runtimes took, and the most memory of any."""

    init: float
    first: float
    later: float
    peak: float


# By memory, workload and number of workers.
type Measured = Mapping[tuple[int, str, int], Figures]


def processors(memory: int) -> float:
    """The share of the processors that Lambda gives with so many MB."""
    return memory / _MB_OF_A_PROCESSOR


def billed(milliseconds: float) -> int:
    """The milliseconds that Lambda bills."""
    return math.ceil(milliseconds)


def gb_seconds(memory: int, milliseconds: float) -> float:
    """What a call is billed for."""
    return memory / 1024 * billed(milliseconds) / 1000


def usd_per_million(architecture: str, memory: int, milliseconds: float) -> float:
    """The price of a million such calls."""
    usd = USD_GB_SECOND[architecture] * gb_seconds(memory, milliseconds)
    return 1_000_000 * usd + USD_MILLION_REQUESTS


def cheapest(taken: Mapping[int, float]) -> int:
    """The memory setting whose calls cost least, the smaller of equals."""
    return min(taken, key=lambda memory: (gb_seconds(memory, taken[memory]), memory))


def fastest(taken: Mapping[int, float]) -> int:
    """The memory setting whose calls take the fewest billed milliseconds, the smaller of equals."""
    return min(taken, key=lambda memory: (billed(taken[memory]), memory))


def verdict(name: str, taken: Mapping[int, float]) -> str:
    """Which memory setting to choose for a workload, by the milliseconds that each takes."""
    cheap, fast = cheapest(taken), fastest(taken)
    usd = {memory: usd_per_million("arm64", memory, taken[memory]) for memory in (cheap, fast)}
    least = f"{usd[cheap]:.2f} USD a million on arm64 and {billed(taken[cheap])} ms a call"
    if cheap == fast:
        return f"- {name}: {cheap} MB is the cheapest and the fastest, {least}."
    return (
        f"- {name}: {cheap} MB is the cheapest, {least}; {fast} MB is the fastest, "
        f"{usd[fast]:.2f} USD and {billed(taken[fast])} ms."
    )


def report(measured: Measured, *, starts: int, calls: int) -> str:
    """What was measured, what it costs, and which memory setting to choose."""
    settings = list(dict.fromkeys(memory for memory, _, _ in measured))
    names = list(dict.fromkeys(name for _, name, _ in measured))

    def by_memory(title: str, cell: Callable[[int, str], str]) -> str:
        rows = ([f"{memory} MB", *(cell(memory, name) for name in names)] for memory in settings)
        return f"{title}:\n\n{table(('', *names), rows)}"

    def milliseconds(title: str, part: Callable[[Figures], float]) -> str:
        return by_memory(
            f"{title}, ms, with one worker / with two at the same time",
            lambda memory, name: " / ".join(
                _milliseconds(part(measured[memory, name, workers])) for workers in WORKERS
            ),
        )

    def usd(title: str, part: Callable[[Figures], float]) -> str:
        return by_memory(
            f"{title}, USD, {' / '.join(USD_GB_SECOND)}",
            lambda memory, name: " / ".join(
                f"{usd_per_million(architecture, memory, part(measured[memory, name, 1])):,.2f}"
                for architecture in USD_GB_SECOND
            ),
        )

    def high_water(memory: int, name: str) -> str:
        return f"{max(measured[memory, name, workers].peak for workers in WORKERS):.0f}"

    def billed_for(memory: int, name: str) -> str:
        return f"{gb_seconds(memory, measured[memory, name, 1].later):.4f}"

    later = {
        name: {memory: measured[memory, name, 1].later for memory in settings} for name in names
    }
    return "\n".join(
        (
            _introduction(names, starts=starts, calls=calls),
            _starts(measured, settings),
            milliseconds("The first call, all from the start of the runtime", _first),
            milliseconds("A later call", _later),
            by_memory("The most memory of the runtime's process, MB", high_water),
            by_memory("What a later call with one worker is billed for, GB-seconds", billed_for),
            usd("A million later calls", _later),
            usd("A million first calls, whose init is billed like all else", _first),
            "Of later calls with one worker:\n",
            *(verdict(name, taken) for name, taken in later.items()),
            _NOT_AWS,
        )
    )


def _introduction(names: list[str], *, starts: int, calls: int) -> str:
    return _INTRODUCTION.format(
        whole=_MB_OF_A_PROCESSOR,
        period=PERIOD_MICROSECONDS / 1000,
        starts=starts,
        calls=calls,
        machine=machine(),
        compared="; ".join(f"{name}, {_TITLES[name]}" for name in names if name in _TITLES),
    )


def _first(figures: Figures) -> float:
    return figures.first


def _later(figures: Figures) -> float:
    return figures.later


def _starts(measured: Measured, settings: list[int]) -> str:
    """The table of inits, which all workloads have in common."""
    rows = []
    for memory in settings:
        inits = (
            statistics.median(
                figures.init for key, figures in measured.items() if key[::2] == (memory, workers)
            )
            for workers in WORKERS
        )
        rows.append([f"{memory} MB", f"{processors(memory):.2f}", *map(_milliseconds, inits)])
    head = ("", "vCPU", "init with one worker, ms", "with two at the same time")
    return table(head, rows)


def _milliseconds(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
