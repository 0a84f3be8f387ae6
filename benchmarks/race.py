"""Running contenders in turn, so that whatever else the machine does falls on all alike."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.contenders import Contender, Job, Run
from benchmarks.workloads import Pair, Workload, icons, large

FEWEST_RUNS = 2
MOST_RUNS = 50
# Exact figures come as decimals of more digits than this.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of a contender's runs.

    Attributes
    ----------
    wall, cpu : float
        Seconds.
    peak : int
        Bytes of memory above idle, of a run that is not timed.
    size : int
        Bytes of the picture.
    runs : int
        How many were timed.
    """

    wall: float
    cpu: float
    peak: int
    size: int
    runs: int


type Results = dict[str, Result]


@dataclass(frozen=True, slots=True)
class Growth:
    """What a pair of so many megapixels takes.

    Attributes
    ----------
    megapixels : int
    kind : str
        Of the pair.
    results : dict
        The contenders' results by name.
    """

    megapixels: int
    kind: str
    results: Results

    @property
    def frames(self) -> int:
        """Bytes of two decoded images."""
        return 2 * 3 * self.megapixels * 10**6


class Disagreement(Exception):
    """Exact mean square errors of the same pair differ."""


def race(
    workload: Workload, contenders: Sequence[Contender], folder: Path, effort: float
) -> Results:
    """Let all that can compare the workload's pair, in turn.

    Parameters
    ----------
    workload : Workload
    contenders : sequence of Contender
    folder : pathlib.Path
        Where files are written.
    effort : float
        How many runs a comparison gets that takes a second; slower ones get fewer.

    Raises
    ------
    Disagreement
        Two of them tell different errors.
    """
    pair = workload.make(_new(folder / workload.name))
    takers = [each for each in contenders if each.takes(workload, pair.kind)]
    runs = _runs(pair, takers, folder, effort)
    if pair.kind != "rgba":
        agree({name: taken[0].mse for name, (_, taken) in runs.items()})
    return {name: summary(taken, peak) for name, (peak, taken) in runs.items()}


def growth(megapixels: int, kind: str, contenders: Sequence[Contender], folder: Path) -> Growth:
    """What this project takes for a pair of so many megapixels, and others beside."""
    pair = large(megapixels, kind)(_new(folder / f"{megapixels}-{kind}"))
    runs = _runs(pair, contenders, folder, effort=1)
    return Growth(
        megapixels, kind, {name: summary(taken, peak) for name, (peak, taken) in runs.items()}
    )


def schedule(wanted: Mapping[str, int]) -> Iterator[str]:
    """Whose turn it is, each as often as wanted and spread evenly; no one is always first."""
    names = list(wanted)
    rounds = max(wanted.values(), default=0)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            if (turn + 1) * wanted[name] // rounds > turn * wanted[name] // rounds:
                yield name


def affordable(wall: float, effort: float) -> int:
    """How many runs are worth their time where one takes ``wall`` seconds."""
    return max(FEWEST_RUNS, min(MOST_RUNS, round(effort / math.sqrt(wall))))


def agree(errors: Mapping[str, float | None]) -> None:
    """Make sure that all who tell the mean square error tell the same."""
    told = {name: error for name, error in errors.items() if error is not None}
    for error in told.values():
        if not all(math.isclose(error, other, rel_tol=TOLERANCE) for other in told.values()):
            raise Disagreement(f"the mean square errors differ: {told}")


def summary(runs: Sequence[Run], peak: int) -> Result:
    """The medians of runs."""
    return Result(
        wall=median(run.wall for run in runs),
        cpu=median(run.cpu for run in runs),
        peak=peak,
        size=runs[0].size,
        runs=len(runs),
    )


def _runs(
    pair: Pair, contenders: Sequence[Contender], folder: Path, effort: float
) -> dict[str, tuple[int, list[Run]]]:
    """Each contender's peak of memory and its runs."""
    first = icons(64, pair.source.suffix[1:])(_new(folder / "first"))
    jobs, peaks, wanted = {}, {}, {}
    with ExitStack() as running:
        for each in contenders:
            output = folder / f"difference.{each.output}"
            jobs[each.name] = Job(pair.source, pair.target, output)
            running.enter_context(each)
            warmup = Job(first.source, first.target, output)
            peaks[each.name], wall = each.peak(jobs[each.name], warmup)
            wanted[each.name] = affordable(wall, effort)
        by_name = {each.name: each for each in contenders}
        runs: dict[str, list[Run]] = {name: [] for name in by_name}
        for name in schedule(wanted):
            runs[name].append(by_name[name].run(jobs[name]))
    return {name: (peaks[name], runs[name]) for name in by_name}


def _new(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
