"""The use case of batches: a file of pairs is started, and how far it is told.

What is done for it in between is in `imgdiff.batch_tasks`.
"""

import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from typing import Protocol

from imgdiff.batch_runs import (
    ATTEMPTS,
    PREFIX,
    Batch,
    File,
    Runs,
    execution_of,
    is_batch,
    named,
    run_of,
)
from imgdiff.errors import NotFound, StorageUnavailable
from imgdiff.objects import Superseded
from imgdiff.replies import ProgressReply
from imgdiff.results import Document

_NO_BATCH = "there is no such batch"
_ENDED = {
    None: "the batch was not started",
    "ABORTED": "the batch was stopped",
    "TIMED_OUT": "the batch took too long",
}


class Files(Protocol):
    """Where large files lie, and many small ones."""

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys of all files that begin so."""
        ...

    def presigned(self, bucket: str, key: str) -> str:
        """A short-lived address of a file."""
        ...


class Executions(Protocol):
    """Runs of the state machine that has a batch's tasks done."""

    def start(self, name: str, given: Document) -> None:
        """Start an execution, unless one of that name was started before."""
        ...

    def status(self, name: str) -> str | None:
        """The status of an execution; None where there is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Starts batches, and tells how far they are.

    Attributes
    ----------
    runs : Runs
    files : Files
    executions : Executions
    """

    runs: Runs
    files: Files
    executions: Executions

    def start(self, bucket: str, key: str) -> Batch | None:
        """Start the batch of a file that was put into a bucket, as it is now.

        Returns
        -------
        Batch or None
            None where the file is gone, or older than that of the current run.

        Raises
        ------
        StorageUnavailable
            Another attempt may succeed.
        """
        told = named(key)
        if told is None:
            raise ValueError(key)
        name, _ = told
        for _ in range(ATTEMPTS):
            # Before the file: whoever finds an older one is in the way of a newer run.
            found, current = self.runs.current(name)
            stored = self.runs.objects.find(bucket, key)
            if stored is None:
                return None
            file = File(bucket=bucket, key=key, version_id=stored.version_id)
            batch = Batch(name=name, file=file, **run_of(bucket, key, stored.version))
            modified = stored.modified.isoformat()
            if current.get("run") != batch.run:
                if current.get("modified", "") > modified:
                    return None
                try:
                    self.runs.put(batch, found, modified=modified, total=None)
                except Superseded:
                    continue
            self._execute(batch)
            return batch
        raise StorageUnavailable

    def post(self, content: bytes, total: int) -> Batch:
        """Start the batch of a file of so many lines that was sent."""
        name, ids = uuid.uuid4().hex, run_of(uuid.uuid4().hex)
        key = f"{PREFIX}{name}/{ids['run']}/file"
        file = File(bucket=self.runs.results_bucket, key=key, version_id=None)
        batch = Batch(name=name, file=file, **ids)
        self.runs.objects.write(
            self.runs.results_bucket, key, content, "application/octet-stream", {}
        )
        self.runs.put(batch, None, modified="", total=total)
        self._execute(batch)
        return batch

    def progress(self, name: str) -> ProgressReply:
        """How far a batch is.

        Raises
        ------
        NotFound
            There is no such batch, or no more.
        """
        if not is_batch(f"{PREFIX}{name}.csv"):
            raise NotFound(_NO_BATCH)
        _, current = self.runs.current(name)
        run = current.get("run")
        # Before the summary: an execution ends after it was put.
        status = self.executions.status(execution_of(name, run)) if run else None
        _, summary = self.runs.load(f"results/{name}/summary.json")
        # The runs of long ago are forgotten, and their summaries are not.
        if "run" in summary and run in (summary["run"], None):
            return self._ended(name, summary)
        if run is None:
            raise NotFound(_NO_BATCH)
        total = current["total"]
        compared, failed = self._counts(f"{PREFIX}{name}/{run}/parts/", total)
        running = status == "RUNNING"
        return ProgressReply(
            id=name,
            state="running" if running else "failed",
            total=total,
            done=compared - failed,
            failed=failed,
            progress=compared / total if total else 0.0,
            error=None if running else _ENDED.get(status, "the batch failed"),
        )

    def _execute(self, batch: Batch) -> None:
        self.executions.start(batch.execution, {"batch": asdict(batch)})

    def _ended(self, name: str, summary: Document) -> ProgressReply:
        done = summary["status"] == 200
        folder = f"results/{name}"
        presigned = partial(self.files.presigned, self.runs.results_bucket)
        return ProgressReply(
            id=name,
            state="done" if done else "failed",
            total=summary.get("total"),
            done=summary.get("done", 0),
            failed=summary.get("failed", 0),
            progress=1.0 if done else 0.0,
            results=presigned(summary["results"]) if done else None,
            summary=presigned(f"{folder}/summary.json"),
            error=summary.get("error"),
        )

    def _counts(self, prefix: str, total: int | None) -> tuple[int, int]:
        """How many lines were compared, and of how many it failed, as told by the parts' names."""
        parts = []
        for key in self.files.keys(self.runs.results_bucket, prefix):
            first, lines, failed = key.removeprefix(prefix).removesuffix(".jsonl").split("-")
            parts.append((int(first), -int(lines), int(failed)))
        compared, of_them, end = 0, 0, 0
        for first_line, less, failures in sorted(parts):
            # Lines that were begun again are in several parts.
            if first_line >= end:
                end = first_line - less
                compared -= less
                of_them += failures
        return compared if total is None else min(compared, total), of_them
