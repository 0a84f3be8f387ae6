"""Measure imgdiff beside others: ``make bench``."""

import argparse
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.contenders import IMGDIFF, PEERS, ROOT, Contender, contenders, missing
from benchmarks.race import Growth, Results, growth, race
from benchmarks.workloads import WORKLOADS

MEMORY = "memory"
SIZES = (1, 4, 16, 50, 100)
# Beside whom the largest pairs are compared.
LEAN = "odiff command"


def main() -> None:
    """Measure what was asked for; write ``docs`` anew if that is everything."""
    if sys.platform != "linux":
        raise SystemExit("memory and processor time are read as Linux tells them: run it there")
    names = [workload.name for workload in WORKLOADS]
    options = _options([*names, MEMORY])
    taking_part = contenders(options.installed)
    for absent in missing(taking_part):
        print(f"not installed here, so not measured: {absent}", flush=True)
    everything = not options.only and not options.peers
    if options.peers:
        taking_part = [each for each in taking_part if _chosen(each, options.peers)]
    only = options.only or [*names, MEMORY]

    measured = _races(only, taking_part, options.effort)
    grown = _growths(taking_part) if MEMORY in only else []
    if measured:
        print(report.section("Goals", report.goals(measured)))
    if everything:
        from benchmarks.plot import draw

        (ROOT / "docs" / "benchmarks.md").write_text(report.page(measured, grown), "utf-8")
        draw(measured, ROOT / "docs" / "benchmarks.png")
        print("docs/benchmarks.md and docs/benchmarks.png are written anew")


def _options(names: Sequence[str]) -> argparse.Namespace:
    def several(text: str) -> list[str]:
        return text.split(",")

    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", type=several, default=[], help=f"some of {','.join(names)}")
    parser.add_argument("--peers", type=several, default=[], help="some peers, by their names")
    parser.add_argument("--effort", type=float, default=3, help="runs where one takes a second")
    parser.add_argument("--installed", type=Path, default=PEERS, help="where npm has installed")
    options = parser.parse_args()
    if unknown := set(options.only) - set(names):
        parser.error(
            f"no such workload: {', '.join(sorted(unknown))}; there are {', '.join(names)}"
        )
    return options


def _chosen(contender: Contender, peers: Collection[str]) -> bool:
    name = contender.name.lower()
    return name.startswith(IMGDIFF) or any(peer.lower() in name for peer in peers)


def _races(
    only: Collection[str], taking_part: Sequence[Contender], effort: float
) -> dict[str, Results]:
    measured = {}
    for workload in WORKLOADS:
        if workload.name in only:
            with tempfile.TemporaryDirectory() as folder:
                results = race(workload, taking_part, Path(folder), effort)
            measured[workload.name] = results
            print(report.section(report.heading(workload), report.contenders(results)), flush=True)
    return measured


def _growths(taking_part: Sequence[Contender]) -> list[Growth]:
    grown = []
    for kind in ("png", "jpg"):
        for megapixels in SIZES:
            beside = {IMGDIFF, LEAN} if megapixels == max(SIZES) else {IMGDIFF}
            with tempfile.TemporaryDirectory() as folder:
                chosen = [
                    each
                    for each in taking_part
                    if each.name in beside and each.task == "difference"
                ]
                grown.append(growth(megapixels, kind, chosen, Path(folder)))
    print(report.section("Memory", report.memory(grown)), flush=True)
    return grown


if __name__ == "__main__":
    main()
