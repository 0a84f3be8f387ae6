"""What the outcomes of a batch come to."""

import heapq
from array import array
from collections import Counter

from imgdiff.results import Document, verdict

_WORST = 20
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
# From the least to the largest difference that two images can have, by decade.
_BOUNDS = (0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


class Summary:
    """Counts outcomes as they come."""

    def __init__(self) -> None:
        self._verdicts: Counter[str] = Counter()
        self._errors: Counter[int] = Counter()
        self._passed: Counter[bool] = Counter()
        self._diffs = array("d")
        self._worst: list[tuple[float, int, Document]] = []

    def add(self, outcome: Document) -> None:
        """Count the outcome of a line."""
        found = verdict(outcome)
        self._verdicts[found] += 1
        if found == "error":
            self._errors[outcome["status"]] += 1
            return
        self._diffs.append(outcome["diff"])
        if "passed" in outcome:
            self._passed[outcome["passed"]] += 1
        if found == "different":
            # Among equals, the first line's comes first.
            entry = (outcome["diff"], -outcome["line"], outcome)
            keep = heapq.heappush if len(self._worst) < _WORST else heapq.heappushpop
            keep(self._worst, entry)

    def document(self) -> Document:
        """The counts, the worst lines and the distribution of ``diff``."""
        return {
            "total": self._verdicts.total(),
            "done": len(self._diffs),
            "failed": self._verdicts["error"],
            "identical": self._verdicts["identical"],
            "different": self._verdicts["different"],
            "passed": self._passed[True],
            "not_passed": self._passed[False],
            "errors": {str(status): count for status, count in sorted(self._errors.items())},
            "diff": self._distribution() if self._diffs else None,
            "worst": [outcome for *_, outcome in sorted(self._worst, reverse=True)],
        }

    def _distribution(self) -> Document:
        import numpy as np

        diffs = np.frombuffer(self._diffs)
        counts = np.bincount(np.searchsorted(_BOUNDS, diffs), minlength=len(_BOUNDS))
        return {
            "min": float(diffs.min()),
            "mean": float(diffs.mean()),
            "max": float(diffs.max()),
            **{name: float(np.quantile(diffs, share)) for name, share in _QUANTILES.items()},
            "histogram": [
                {"up_to": bound, "count": int(count)}
                for bound, count in zip(_BOUNDS, counts, strict=True)
            ],
        }
