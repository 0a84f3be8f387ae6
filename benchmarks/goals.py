"""How many times as fast as others this project means to be, on one thread."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarks.contenders import ONE_THREAD
from benchmarks.race import Result, Results

# The modes of each peer that count; the better one of them is who to beat. Only modes that write
# a compressed picture do.
FAMILIES = {
    "odiff": ("odiff command", "odiff server"),
    "BlazeDiff": ("BlazeDiff, compressed", "BlazeDiff, QOI", "BlazeDiff command, compressed"),
    "BlazeDiff, PNG": ("BlazeDiff, compressed", "BlazeDiff command, compressed"),
    "pixelhog": ("pixelhog",),
    "pixelmatch": ("pixelmatch",),
    "OpenCV": ("OpenCV",),
    "numpy + Pillow": ("numpy + Pillow",),
    "ImageMagick": ("ImageMagick",),
    "scikit-image": ("scikit-image, grey", "scikit-image, RGB"),
}


@dataclass(frozen=True, slots=True)
class Goal:
    """So many times a peer's figure must be ours, and should be."""

    workload: str
    peer: str
    must: float
    aim: float
    measure: str = "wall"


GOALS = (
    Goal("full", "odiff", 2.5, 4),
    Goal("full", "odiff", 3, 5, "cpu"),
    Goal("full", "BlazeDiff", 3, 4),
    Goal("full", "BlazeDiff, PNG", 3, 4),
    Goal("full", "numpy + Pillow", 10, 20),
    Goal("full", "ImageMagick", 15, 30),
    Goal("hd", "odiff", 2.5, 4),
    Goal("hd", "BlazeDiff", 2.5, 4),
    Goal("hd", "BlazeDiff, PNG", 2.5, 4),
    Goal("hd", "numpy + Pillow", 8, 15),
    Goal("hd", "ImageMagick", 20, 40),
    Goal("photo", "odiff", 1.5, 1.9),
    Goal("photo", "BlazeDiff", 1.3, 1.7),
    Goal("photo", "BlazeDiff, PNG", 1.3, 1.7),
    Goal("photo", "numpy + Pillow", 12, 20),
    Goal("photo", "ImageMagick", 20, 35),
    Goal("noise", "odiff", 1, 1.3),
    Goal("noise", "numpy + Pillow", 12, 18),
    Goal("noise", "ImageMagick", 12, 18),
    Goal("identical", "odiff", 10, 20),
    Goal("identical", "BlazeDiff", 10, 20),
    Goal("identical", "BlazeDiff, PNG", 10, 20),
    Goal("identical", "numpy + Pillow", 50, 100),
    Goal("identical", "ImageMagick", 100, 200),
    Goal("small", "odiff", 2, 4),
    Goal("small", "BlazeDiff", 2, 4),
    Goal("small", "BlazeDiff, PNG", 2, 4),
    Goal("small", "numpy + Pillow", 1.5, 3),
    Goal("small", "ImageMagick", 10, 15),
    Goal("full-pixelmatch", "pixelmatch", 3, 6),
    Goal("full-pixelmatch", "odiff", 1, 2),
    Goal("full-ssim", "scikit-image", 3, 6),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured of a goal: how many times ours the better mode of the peer took."""

    goal: Goal
    mode: str
    times: float

    @property
    def verdict(self) -> str:
        """Whether the goal is met."""
        if self.times >= self.goal.aim:
            return "aim met"
        return "met" if self.times >= self.goal.must else "**missed**"


def outcomes(measured: Mapping[str, Results]) -> Iterator[Outcome]:
    """The goals about what was measured, by workload."""
    for goal in GOALS:
        results = measured.get(goal.workload, {})
        mode = best(goal.peer, results, goal.measure)
        if mode and ONE_THREAD in results:
            times = ratio(results[mode], results[ONE_THREAD], goal.measure)
            yield Outcome(goal, mode, times)


def best(peer: str, results: Results, measure: str = "wall") -> str | None:
    """The mode of the peer that took least, if any was measured."""
    modes = [mode for mode in FAMILIES[peer] if mode in results]
    return min(modes, key=lambda mode: figure(results[mode], measure), default=None)


def figure(result: Result, measure: str) -> float:
    """Seconds, of the wall clock or of the processor."""
    return result.wall if measure == "wall" else result.cpu


def ratio(result: Result, other: Result, measure: str = "wall") -> float:
    """How many times as long a result took as another."""
    return figure(result, measure) / figure(other, measure)
