"""What was measured, as Markdown."""

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.contenders import HERE, IMGDIFF, ONE_THREAD, imagemagick_version
from benchmarks.goals import outcomes, ratio
from benchmarks.race import Growth, Results
from benchmarks.workloads import WORKLOADS, Workload

MIB = 2**20

GOALS = """\
What imgdiff means to be: how many times as long as it, on one thread, the better mode of a peer
takes. Modes that write an uncompressed picture do not count.

"""
MEMORY = """\
imgdiff as it is, with ever larger pairs: whether time grows with the pixels, and what it takes at
most beside what the two decoded images alone would.

"""
INTRODUCTION = """\
# Benchmarks

Measured by `make bench` in one go, everything in turn, on {machine}.

![How many times as long as imgdiff others take](benchmarks.png)

Each contender reads two files, compares them and writes a picture of the difference to a new file.
Peers are told to count every difference, however small; but where a table is named "-pixelmatch",
all let pass what pixelmatch does by default: anti-aliasing, and colours less than 0.1 apart. Where
it is named "-ssim", imgdiff finds the structural similarity besides, and scikit-image finds nothing
else and writes no picture: of grey, or of each channel. Libraries and servers run in a process
that stays, so starting it does not count; commands are started each time. "One thread" is imgdiff
held to one processor; all others may use every one. "BlazeDiff" is its Python package with the
codec of its own (`BLAZEDIFF_PNG_ENABLED=1`).

- **wall**, **CPU**: medians of the time from asking to the answer, and of what all threads worked.
- **×**: how many times that of imgdiff on one thread.
- **peak**: the most memory above what the idle process has; of a command, all that it has.
- **picture**: its size; 0 where none is written because nothing differs.
- **runs**: how many were timed, the fewer the slower; one more warms up, and tells the peak.

imgdiff, numpy, OpenCV and ImageMagick tell the mean square error of opaque images, and the run
fails unless all tell the same. The others count pixels. The numpy and OpenCV programs leave
transparency out, so they take no part where there is some.
"""


def page(measured: Mapping[str, Results], grown: Sequence[Growth]) -> str:
    """All of ``docs/benchmarks.md``."""
    titles = {workload.name: heading(workload) for workload in WORKLOADS}
    return "\n".join(
        (
            INTRODUCTION.format(machine=machine()),
            section("Goals", GOALS + goals(measured)),
            *(section(titles[name], contenders(results)) for name, results in measured.items()),
            section("Memory", MEMORY + memory(grown)),
            section("Versions", versions()),
        )
    )


def heading(workload: Workload) -> str:
    """The heading of a workload's section."""
    return f"{workload.name}: {workload.title}"


def section(title: str, text: str) -> str:
    """A section of the page."""
    return f"## {title}\n\n{text}"


def contenders(results: Results) -> str:
    """The table of a workload, the fastest first."""
    ours = results.get(ONE_THREAD)
    rows = []
    for name, result in sorted(results.items(), key=lambda item: item[1].wall):
        times = [_times(ratio(result, ours, of)) if ours else "" for of in ("wall", "cpu")]
        rows.append(
            (
                f"**{name}**" if name.startswith(IMGDIFF) else name,
                _figure(result.wall * 1e3), times[0], _figure(result.cpu * 1e3), times[1],
                _figure(result.peak / MIB), f"{result.size / 1e3:,.0f}", str(result.runs),
            )
        )  # fmt: skip
    head = ("", "wall ms", "×", "CPU ms", "×", "peak MiB", "picture kB", "runs")
    return table(head, rows)


def goals(measured: Mapping[str, Results]) -> str:
    """The table of goals, with what was measured of each."""
    rows = [
        (
            outcome.goal.workload, outcome.mode,
            "CPU" if outcome.goal.measure == "cpu" else "wall",
            _times(outcome.times), f"{outcome.goal.must:g}", f"{outcome.goal.aim:g}",
            outcome.verdict,
        )
        for outcome in outcomes(measured)
    ]  # fmt: skip
    return table(("", "beside", "of", "measured ×", "must", "aim", ""), rows)


def memory(grown: Sequence[Growth]) -> str:
    """The table of ever larger pairs."""
    peers = list(dict.fromkeys(name for growth in grown for name in growth.results))
    peers.remove(IMGDIFF)
    rows = []
    for growth in grown:
        ours = growth.results[IMGDIFF]
        beside = [growth.results.get(peer) for peer in peers]
        rows.append(
            (
                f"{growth.megapixels} MP, {growth.kind.upper()}",
                _figure(ours.wall * 1e3), f"{ours.wall * 1e3 / growth.megapixels:.1f}",
                _figure(ours.peak / MIB), _figure(growth.frames / MIB),
                f"{ours.peak / growth.frames:.2f}",
                *(_figure(peer.peak / MIB) if peer else "" for peer in beside),
            )
        )  # fmt: skip
    head = ("", "wall ms", "ms / MP", "peak MiB", "both decoded, MiB", "peak / both")
    return table((*head, *(f"{peer}, peak MiB" for peer in peers)), rows)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def machine() -> str:
    """What kind of machine this is."""
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    described = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", described, re.MULTILINE)
    return (
        f"{len(os.sched_getaffinity(0))} processors ({model[1] if model else 'of unknown model'}, "
        f"{platform.machine()}), {gib:.0f} GiB of memory, {platform.system()}, "
        f"Python {platform.python_version()}"
    )


def versions() -> str:
    """The packages measured, and their versions."""
    packages = (
        "blazediff", "numpy", "opencv-python-headless", "pillow", "pixelhog", "scikit-image"
    )  # fmt: skip
    python = [f"{package} {version(package)}" for package in packages]
    described = json.loads((HERE / "package.json").read_text("utf-8"))
    npm = [f"{package} {number}" for package, number in described["dependencies"].items()]
    return (
        f"- Python {platform.python_version()}: {', '.join(python)}\n"
        f"- npm: {', '.join(npm)}\n"
        f"- {imagemagick_version()}\n"
    )


def _figure(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"


def _times(value: float) -> str:
    digits = 0 if value >= 20 else 1 if value >= 2 else 2
    return f"{value:.{digits}f}"
