"""The picture for the README: how many times as long as imgdiff others take."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from benchmarks.contenders import ONE_THREAD
from benchmarks.goals import FAMILIES, best, ratio
from benchmarks.race import Results

PANELS = {
    "full": "Whole page, 1600×9000 PNG",
    "hd": "Screen, 1920×1080 PNG",
    "identical": "Page and its copy, 1600×9000",
    "photo": "Photo, 12 megapixel JPEG",
    "noise": "Noise everywhere, 4K PNG",
    "small": "Icon, 64×64 PNG",
}
SLOWER = "#8cb4e8"
FASTER = "#d4a72c"
INK = "#24292f"
MUTED = "#6e7781"


def draw(measured: Mapping[str, Results], path: Path) -> None:
    """Write the picture, 1800 pixels wide."""
    mpl.rcParams.update({"font.size": 10, "text.color": INK, "axes.titlesize": 10.5})
    times = {workload: _times(measured[workload]) for workload in PANELS}
    peers = [peer for peer in FAMILIES if any(peer in taken for taken in times.values())]
    every = [value for taken in times.values() for value in taken.values()]
    figure, grid = plt.subplots(2, 3, figsize=(9, 5.4), dpi=200, sharex=True, sharey=True)
    for axes, (workload, title) in zip(grid.flat, PANELS.items(), strict=True):
        axes.set_title(title, loc="left", color=INK, weight="bold")
        _bars(axes, peers, times[workload])
    grid[0, 0].set_yticks(range(len(peers)), peers)
    grid[0, 0].invert_yaxis()
    # Room on the right for the longest bar's label.
    grid[0, 0].set(xscale="log", xlim=(min(0.9, *every) * 0.9, max(every) * 3))
    figure.suptitle(
        "How many times as long as imgdiff on one thread"
        + (" (the line; yellow: faster)" if min(every) < 1 else " (the line)")
        + ", logarithmic",
        x=0.012,
        ha="left",
        fontsize=11.5,
    )
    figure.tight_layout(w_pad=1.5, h_pad=1.5)
    figure.savefig(path)
    plt.close(figure)


def _times(results: Results) -> dict[str, float]:
    """How many times as long as ours the better mode of each peer took."""
    modes = {peer: best(peer, results) for peer in FAMILIES}
    return {peer: ratio(results[mode], results[ONE_THREAD]) for peer, mode in modes.items() if mode}


def _bars(axes: Axes, peers: Sequence[str], times: Mapping[str, float]) -> None:
    for row, peer in enumerate(peers):
        if peer not in times:
            axes.text(1.1, row, "not measured", va="center", color=MUTED, fontsize=9)
            continue
        value = times[peer]
        axes.barh(row, value - 1, left=1, height=0.66, color=SLOWER if value > 1 else FASTER)
        label = f"{value:.0f}×" if value >= 10 else f"{value:.1f}×"
        place = (max(value, 1), row)
        axes.annotate(label, place, (4, 0), textcoords="offset points", va="center")
    axes.axvline(1, color=INK, linewidth=1.5)
    axes.xaxis.set_visible(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
