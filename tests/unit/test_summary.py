"""What the outcomes of a batch come to."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.summary import Summary

type Outcome = dict[str, Any]


def same(line: int) -> Outcome:
    return {"line": line, "status": 200, "diff": 0.0, "changed_pixels": 0}


def different(line: int, diff: float) -> Outcome:
    return {"line": line, "status": 200, "diff": diff, "changed_pixels": 1}


def error(line: int, status: int) -> Outcome:
    return {"line": line, "status": status, "error": "any"}


def summary(outcomes: list[Outcome]) -> dict[str, Any]:
    found = Summary()
    for outcome in outcomes:
        found.add(outcome)
    return found.document()


def test_counts() -> None:
    outcomes = [same(1), different(2, 0.5), error(3, 404), error(4, 400), error(5, 404), same(6)]
    found = summary(outcomes)
    assert {name: found[name] for name in list(found)[:5]} == {
        "total": 6,
        "done": 3,
        "failed": 3,
        "identical": 2,
        "different": 1,
    }
    assert found["errors"] == {"400": 1, "404": 2}
    assert found["worst"] == [different(2, 0.5)]


def test_errors_alone() -> None:
    found = summary([error(1, 404)])
    assert (found["diff"], found["worst"], found["done"]) == (None, [], 0)


DIFFS = st.just(0.0) | st.floats(1e-13, 1)


@given(st.lists(DIFFS, min_size=1))
def test_distribution(diffs: list[float]) -> None:
    outcomes = [different(line, diff) if diff else same(line) for line, diff in enumerate(diffs)]
    found = summary(outcomes)["diff"]
    assert (found["min"], found["max"]) == (min(diffs), max(diffs))
    assert found["mean"] == pytest.approx(math.fsum(diffs) / len(diffs), rel=1e-12)
    assert [found[name] for name in ("p50", "p90", "p99")] == [
        float(np.percentile(diffs, share)) for share in (50, 90, 99)
    ]
    below = -1.0
    for bin_ in found["histogram"]:
        assert bin_["count"] == sum(below < diff <= bin_["up_to"] for diff in diffs)
        below = bin_["up_to"]
    assert sum(bin_["count"] for bin_ in found["histogram"]) == len(diffs)


def test_the_histogram_goes_by_decade() -> None:
    found = summary([same(1), different(2, 1e-12), different(3, 0.1), different(4, 0.11)])
    assert [(bin_["up_to"], bin_["count"]) for bin_ in found["diff"]["histogram"]] == [
        (0, 1), (1e-9, 1), (1e-8, 0), (1e-7, 0), (1e-6, 0), (1e-5, 0), (1e-4, 0), (1e-3, 0),
        (1e-2, 0), (0.1, 1), (1, 1),
    ]  # fmt: skip


@given(st.permutations([*range(1, 41)]), st.integers(1, 40))
def test_the_worst_come_first(lines: list[int], kinds: int) -> None:
    outcomes = [different(line, (line % kinds + 1) / 100) for line in lines]
    expected = sorted(outcomes, key=lambda outcome: (-outcome["diff"], outcome["line"]))[:20]
    assert summary([*outcomes, same(41)])["worst"] == expected
