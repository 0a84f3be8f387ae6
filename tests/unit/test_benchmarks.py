"""The benchmarks: that pairs are made the same each time, and that figures are told rightly."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import cost_report, report, workloads
from benchmarks.contenders import ONE_THREAD, Run, contenders
from benchmarks.cost_report import Figures, cheapest, fastest, gb_seconds, usd_per_million, verdict
from benchmarks.cpu_share import limit
from benchmarks.goals import FAMILIES, GOALS, outcomes
from benchmarks.race import Disagreement, Result, affordable, agree, schedule, summary

MAKES = {
    "page": workloads.pages(320, 400, 2),
    "translucent": workloads.pages(320, 400, 2, "rgba"),
    "webp": workloads.pages(320, 400, 2, "webp"),
    "photo": workloads.photos(80, 60),
    "noise": workloads.noise(240, 180),
    "icon": workloads.icons(64),
    "large": workloads.large(1, "png"),
}


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image)


def result(wall: float, cpu: float = 1) -> Result:
    return Result(wall=wall, cpu=cpu, peak=2**20, size=1000, runs=3)


@pytest.mark.parametrize("name", MAKES)
def test_a_pair_is_the_same_each_time(name: str, tmp_path: Path) -> None:
    first = MAKES[name](tmp_path)
    content = [first.source.read_bytes(), first.target.read_bytes()]
    again = MAKES[name](tmp_path)
    assert [again.source.read_bytes(), again.target.read_bytes()] == content


@pytest.mark.parametrize("name", MAKES)
def test_a_pair_differs_and_is_of_one_size(name: str, tmp_path: Path) -> None:
    pair = MAKES[name](tmp_path)
    source, target = pixels(pair.source), pixels(pair.target)
    assert source.shape == target.shape
    assert source.shape[2] == (4 if pair.kind == "rgba" else 3)
    assert (source != target).any()


def test_a_copy_is_identical(tmp_path: Path) -> None:
    pair = workloads.identical(320, 400)(tmp_path)
    assert pair.source != pair.target
    assert pair.source.read_bytes() == pair.target.read_bytes()


def test_small_changes_are_small(tmp_path: Path) -> None:
    pair = workloads.pages(800, 1200, 6)(tmp_path)
    changed = (pixels(pair.source) != pixels(pair.target)).any(axis=2)
    assert 0 < changed.mean() < 0.1


def test_everyone_has_as_many_turns_as_wanted_spread_evenly() -> None:
    turns = list(schedule({"a": 6, "b": 3, "c": 2}))
    assert Counter(turns) == {"a": 6, "b": 3, "c": 2}
    assert all(len(list(group)) <= 2 for _, group in itertools.groupby(turns))
    assert set(turns[len(turns) // 2 :]) == {"a", "b", "c"}


def test_the_slower_the_fewer_runs() -> None:
    assert [affordable(wall, 3) for wall in (1e-4, 0.01, 1, 9)] == [50, 30, 3, 2]


def test_a_summary_has_medians() -> None:
    runs = [Run(wall, 10 * wall, 7, None) for wall in (3, 1, 100)]
    assert summary(runs, peak=5) == Result(wall=3, cpu=30, peak=5, size=7, runs=3)


def test_errors_that_differ_are_told() -> None:
    agree({"a": 1.5, "b": 1.5, "c": None})
    with pytest.raises(Disagreement, match=r"1\.5001"):
        agree({"a": 1.5, "b": 1.5001, "c": None})


def test_everyone_does_what_the_workload_asks_under_a_name_of_its_own(tmp_path: Path) -> None:
    for installed in ("@odiff/any/odiff", "@blazediff/bin-any/blazediff"):
        (tmp_path / "node_modules" / installed).mkdir(parents=True)
    everyone = contenders(tmp_path)
    for workload in workloads.WORKLOADS:
        takers = [each for each in everyone if each.takes(workload, "png")]
        names = [each.name for each in takers]
        assert len(names) == len(set(names))
        assert ONE_THREAD in names
        assert {each.task for each in takers} == {workload.task}
        wanted = {goal.peer for goal in GOALS if goal.workload == workload.name}
        for peer in wanted - {"pixelmatch", "ImageMagick"}:
            assert set(FAMILIES[peer]) & set(names)


def test_a_goal_is_about_the_better_mode_of_a_peer() -> None:
    results = {
        ONE_THREAD: result(1, cpu=1),
        "odiff command": result(5, cpu=2),
        "odiff server": result(3, cpu=4),
    }
    found = [(each.mode, each.times, each.verdict) for each in outcomes({"full": results})]
    assert found == [("odiff server", 3, "met"), ("odiff command", 2, "**missed**")]


def test_goals_are_about_what_there_is() -> None:
    assert {goal.workload for goal in GOALS} <= {each.name for each in workloads.WORKLOADS}
    assert {goal.peer for goal in GOALS} <= set(FAMILIES)
    assert all(goal.must < goal.aim for goal in GOALS)


def test_a_table_begins_with_the_fastest() -> None:
    lines = report.contenders({ONE_THREAD: result(1), "odiff server": result(0.5)}).splitlines()
    assert lines[2] == "| odiff server | 500 | 0.50 | 1,000 | 1.00 | 1.00 | 1 | 3 |"
    assert lines[3].startswith(f"| **{ONE_THREAD}** | 1,000 | 1.00 |")
    assert len({line.count("|") for line in lines}) == 1


def test_a_call_is_billed_by_memory_and_whole_milliseconds() -> None:
    assert gb_seconds(1024, 500) == 0.5
    assert gb_seconds(512, 500) == 0.25
    assert gb_seconds(1024, 499.01) == 0.5


@pytest.mark.parametrize(("architecture", "usd"), [("arm64", 6.8667), ("x86_64", 8.53335)])
def test_a_million_calls_are_gb_seconds_and_requests(architecture: str, usd: float) -> None:
    assert usd_per_million(architecture, 1024, 500) == pytest.approx(usd)


def test_more_memory_is_cheaper_where_it_takes_less_than_its_share_of_the_time() -> None:
    assert cheapest({512: 1000, 1024: 499, 2048: 251}) == 1024
    assert cheapest({512: 1000, 1024: 501, 2048: 300}) == 512


def test_the_smaller_of_equals_is_chosen() -> None:
    assert cheapest({2048: 250, 1024: 500}) == 1024
    assert fastest({2048: 1.1, 1024: 1.9, 512: 2.1}) == 1024


def test_a_verdict_tells_what_the_cheapest_and_the_fastest_cost() -> None:
    assert verdict("hd", {512: 1000, 1024: 501, 2048: 300}) == (
        "- hd: 512 MB is the cheapest, 6.87 USD a million on arm64 and 1000 ms a call; "
        "2048 MB is the fastest, 8.20 USD and 300 ms."
    )
    assert verdict("hd", {512: 1000, 1024: 499}).startswith(
        "- hd: 1024 MB is the cheapest and the fastest, 6.85 USD"
    )


def test_what_calls_cost_is_told_of_every_memory_setting_and_workload() -> None:
    measured = {
        (memory, name, workers): Figures(
            init=300 * workers, first=900 * workers, later=workers * later / memory, peak=workers
        )
        for memory in (1024, 2048)
        for name, later in (("`/health`", 1024), ("hd", 204_800))
        for workers in (1, 2)
    }
    lines = cost_report.report(measured, starts=3, calls=5).splitlines()

    assert lines.count("|  | `/health` | hd |") == 6
    assert "| 2048 MB | 1.16 | 300 | 600 |" in lines
    assert "| 2048 MB | 900 / 1,800 | 900 / 1,800 |" in lines
    assert "| 2048 MB | 0.5 / 1.0 | 100 / 200 |" in lines
    assert "| 2048 MB | 2 | 2 |" in lines
    assert "| 2048 MB | 0.0020 | 0.2000 |" in lines
    assert "| 2048 MB | 0.23 / 0.23 | 2.87 / 3.53 |" in lines
    assert "| 2048 MB | 24.20 / 30.20 | 24.20 / 30.20 |" in lines
    assert sum(line.startswith("- ") for line in lines) == 2


@pytest.mark.parametrize(
    ("files", "written"),
    [
        (("cpu.max",), {"cpu.max": "10000 20000"}),
        (
            ("cpu.cfs_period_us", "cpu.cfs_quota_us"),
            {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "10000"},
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_share_of_the_processors_is_told_to_either_version_of_control_groups(
    tmp_path: Path, files: tuple[str, ...], written: dict[str, str]
) -> None:
    for name in files:
        (tmp_path / name).touch()
    limit(tmp_path, 0.5)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == written
