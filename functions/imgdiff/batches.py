"""The use case of batches: a file of pairs in, their results and a summary out.

A run is of one version of a file. Its tasks may be repeated, and run beside those of an older
run of the same batch: what they write is either the run's own or put on condition that nobody
else was faster, and ``run.json`` tells which run is the current one.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import batched, chain
from tempfile import TemporaryFile
from typing import Any, Protocol

from imgdiff.batch_file import MAX_LINE_BYTES, items, split
from imgdiff.deadline import Deadline
from imgdiff.errors import ImgdiffError, NotFound, StorageUnavailable
from imgdiff.fields import ImageInput
from imgdiff.media import Links
from imgdiff.objects import Objects, Stored, Superseded
from imgdiff.replies import ProgressReply
from imgdiff.results import Document, ResultClient, outcome
from imgdiff.summary import Summary

PREFIX = "batches/"
_KEY = re.compile(r"batches/([A-Za-z0-9_-][A-Za-z0-9._-]{0,79})\.(jsonl|csv)")
# What the name of an execution has room for beside the run.
_NAME_IN_EXECUTION = 63
_JSON, _JSON_LINES = "application/json", "application/jsonl"
# As long as a request of the API may take.
_LINE_SECONDS = 30
# One more line, and its part put.
_ENOUGH_SECONDS = 60
_ATTEMPTS = 5
_READERS = 10
_READ_AHEAD = 200

_LOST = {"status": 500, "error": "the comparison of this line did not end"}
_CRASHED = {"status": 500, "error": "something went wrong on our side; the log has what happened"}
_ENDED = {
    None: "the batch was not started",
    "ABORTED": "the batch was stopped",
    "TIMED_OUT": "the batch took too long",
}

type Write = Callable[[bytes], None]


class Files(Protocol):
    """Where large files lie, and many small ones."""

    def stream(self, bucket: str, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """The content of a file, in chunks."""
        ...

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys of all files that begin so."""
        ...

    def writing(
        self, bucket: str, key: str, content_type: str
    ) -> AbstractContextManager[Write, bool | None]:
        """Write a file, whatever was there; there is none of it where the block fails."""
        ...

    def replacing(
        self, bucket: str, key: str, content_type: str, *, previous: Stored | None
    ) -> AbstractContextManager[Write, bool | None]:
        """Write a file in place of one that was found; raises Superseded for another."""
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
class File:
    """A batch's file.

    Attributes
    ----------
    bucket, key : str
    version_id : str or None
    """

    bucket: str
    key: str
    version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A run of a batch.

    Attributes
    ----------
    name : str
    run : str
        16 hex digits.
    secret : str
        What the secrets of the pictures' links are made of: nobody guesses it from name and run.
    file : File
    """

    name: str
    run: str
    secret: str
    file: File

    @classmethod
    def read(cls, given: Document) -> "Batch":
        """The run that a task is told of."""
        return cls(**{**given, "file": File(**given["file"])})

    @property
    def execution(self) -> str:
        """The name of its execution."""
        return _execution(self.name, self.run)

    @property
    def folder(self) -> str:
        """Where its working files are."""
        return f"{PREFIX}{self.name}/{self.run}"

    def picture_secret(self, line: int) -> str:
        """32 hex digits, the same whenever the line is compared."""
        return _digest(self.secret, line)[:32]


def is_batch(key: str) -> bool:
    """Whether a key of the inbox is that of a batch's file."""
    return _KEY.fullmatch(key) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batches:
    """Starts batches, does their tasks and tells how far they are.

    Attributes
    ----------
    objects : Objects
    files : Files
    executions : Executions
    deadline : Deadline
        Started anew for each line.
    results_bucket : str
    links : Links
    read, read_for_caller : callable
        An image's address to its bytes: for the owner, who fills the inbox, and for the holder of
        a key, who may not see all that is in it.
    max_pixels : int
        Largest image read.
    """

    objects: Objects
    files: Files
    executions: Executions
    deadline: Deadline
    results_bucket: str
    links: Links
    read: Callable[[ImageInput], bytes]
    read_for_caller: Callable[[ImageInput], bytes]
    max_pixels: int

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
        named = _KEY.fullmatch(key)
        if named is None:
            raise ValueError(key)
        for _ in range(_ATTEMPTS):
            # Before the file: whoever finds an older one is in the way of a newer run.
            found, current = self._load(_run_key(named[1])) or (None, {})
            stored = self.objects.find(bucket, key)
            if stored is None:
                return None
            file = File(bucket=bucket, key=key, version_id=stored.version_id)
            batch = Batch(name=named[1], file=file, **_run_of(bucket, key, stored.version))
            modified = stored.modified.isoformat()
            if current.get("run") != batch.run:
                if current.get("modified", "") > modified:
                    return None
                try:
                    self._put_run(batch, found, modified=modified, total=None)
                except Superseded:
                    continue
            self._execute(batch)
            return batch
        raise StorageUnavailable

    def post(self, content: bytes, total: int) -> Batch:
        """Start the batch of a file of so many lines that was sent."""
        name, ids = uuid.uuid4().hex, _run_of(uuid.uuid4().hex)
        key = f"{PREFIX}{name}/{ids['run']}/file"
        file = File(bucket=self.results_bucket, key=key, version_id=None)
        batch = Batch(name=name, file=file, **ids)
        self.objects.write(self.results_bucket, key, content, "application/octet-stream", {})
        self._put_run(batch, None, modified="", total=total)
        self._execute(batch)
        return batch

    def prepare(self, batch: Batch) -> Document:
        """Write the items of a batch's file.

        Returns
        -------
        dict
            Where they are and how many, or why there are none.
        """
        loaded = self._load(_run_key(batch.name))
        if loaded is None or loaded[1]["run"] != batch.run:
            return {"refused": "a newer file has taken the place of this one"}
        found, current = loaded
        try:
            total = self._write_items(batch)
        except StorageUnavailable:
            raise
        except ImgdiffError as error:
            refused = {"status": error.status, "error": str(error)}
            self._publish(batch, refused, None)
            return {"refused": str(error)}
        try:
            self._put_run(batch, found, modified=current["modified"], total=total)
        except Superseded as error:
            raise StorageUnavailable from error
        place = {"bucket": self.results_bucket, "key": f"{batch.folder}/items.json"}
        return {"items": place, "total": total}

    def compare(
        self,
        batch: Batch,
        lines: Sequence[Document],
        *,
        left: Callable[[], float],
        crashed: Callable[[int, Exception], None],
    ) -> tuple[list[Document], list[Document]]:
        """Compare the pairs of some lines, and keep their outcomes.

        Parameters
        ----------
        batch : Batch
        lines : sequence of dict
            Items, as `prepare` wrote them.
        left : callable
            The seconds left.
        crashed : callable
            Told the number of a line at which something went wrong on our side, and what.

        Returns
        -------
        tuple
            The outcomes, and the items for which there was no time, or no storage.

        Raises
        ------
        StorageUnavailable
            There was no storage for any of them.
        """
        outcomes: list[Document] = []
        rest = list(lines)
        while rest and (not outcomes or left() > _ENOUGH_SECONDS):
            self.deadline.start(min(_LINE_SECONDS, left()))
            try:
                outcomes.append(self._compare(batch, rest[0], crashed))
            except StorageUnavailable:
                if not outcomes:
                    raise
                break
            del rest[0]
        self.deadline.start(left())
        failed = sum(outcome["status"] != 200 for outcome in outcomes)
        name = f"{lines[0]['line']}-{len(outcomes)}-{failed}"
        self.objects.write(
            self.results_bucket,
            f"{batch.folder}/parts/{name}.jsonl",
            b"".join(map(_encode, outcomes)),
            _JSON_LINES,
            {},
        )
        return outcomes, rest

    def summarise(self, batch: Batch) -> Document | None:
        """Write the results in order, and what they come to.

        Returns
        -------
        dict or None
            The summary; None where a newer file has taken the place of this one.
        """
        summary = Summary()
        with TemporaryFile() as spool:
            index: dict[int, tuple[str, int, int]] = {}
            for told in chain(self._compared(batch), self._lost(batch)):
                if told["line"] in index:
                    continue
                summary.add(told)
                content = _encode(told)
                index[told["line"]] = (told["id"], spool.tell(), len(content))
                spool.write(content)

            def write_results(write: Write) -> None:
                order = sorted(index.items(), key=lambda entry: _order(entry[1][0], entry[0]))
                for _, (_, offset, length) in order:
                    spool.seek(offset)
                    write(spool.read(length))

            document = {"status": 200, **summary.document()}
            return self._publish(batch, document, write_results)

    def progress(self, name: str) -> ProgressReply:
        """How far a batch is.

        Raises
        ------
        NotFound
            There is no such batch, or no more.
        """
        if not is_batch(f"{PREFIX}{name}.csv"):
            raise NotFound(_NO_BATCH)
        _, current = self._load(_run_key(name)) or (None, {})
        run = current.get("run")
        # Before the summary: an execution ends after it was put.
        status = self.executions.status(_execution(name, run)) if run else None
        _, summary = self._load(f"results/{name}/summary.json") or (None, {})
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

    def _put_run(
        self, batch: Batch, previous: Stored | None, *, modified: str, total: int | None
    ) -> None:
        document = {
            "run": batch.run,
            "file": asdict(batch.file),
            "modified": modified,
            "total": total,
        }
        key = _run_key(batch.name)
        content = json.dumps(document).encode()
        self.objects.replace(self.results_bucket, key, content, _JSON, {}, previous=previous)

    def _write_items(self, batch: Batch) -> int:
        file = batch.file
        named = _KEY.fullmatch(file.key)
        chunks = self.files.stream(file.bucket, file.key, file.version_id)
        total = 0
        key = f"{batch.folder}/items.json"
        with self.files.writing(self.results_bucket, key, _JSON) as write:
            for item in items(chunks, named[2] if named else ""):
                write(b",\n" if total else b"[\n")
                write(item)
                total += 1
            write(b"\n]\n")
        return total

    def _compare(
        self, batch: Batch, item: Document, crashed: Callable[[int, Exception], None]
    ) -> Document:
        line = item["line"]
        if "error" in item:
            return _told(item, {"status": 400, "error": item["error"]})
        posted = batch.file.bucket == self.results_bucket
        client = ResultClient(
            read=self.read_for_caller if posted else self.read,
            max_pixels=self.max_pixels,
            put=partial(self.objects.write, self.results_bucket),
            name=f"results/{batch.name}/{batch.run}/{line}",
            secret=batch.picture_secret(line),
        )
        values = {name: value for name, value in item.items() if name not in ("line", "id")}
        try:
            return _told(item, outcome(values, client, self.links))
        except StorageUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the next line is another pair
            crashed(line, error)
            return _told(item, _CRASHED)

    def _compared(self, batch: Batch) -> Iterator[Document]:
        """The outcomes in the parts; where a task was repeated, some of them twice."""

        def read(key: str) -> bytes:
            return b"".join(self.files.stream(self.results_bucket, key))

        keys = self.files.keys(self.results_bucket, f"{batch.folder}/parts/")
        with ThreadPoolExecutor(_READERS) as pool:
            for some in batched(keys, _READ_AHEAD, strict=False):
                for part in pool.map(read, some):
                    yield from map(json.loads, part.split(b"\n")[:-1])

    def _lost(self, batch: Batch) -> Iterator[Document]:
        """What to tell of the lines that are in no part."""
        written = self.files.stream(self.results_bucket, f"{batch.folder}/items.json")
        for content in split(written, 2 * MAX_LINE_BYTES):
            if content.startswith(b"{"):
                yield _told(json.loads(content.removesuffix(b",")), _LOST)

    def _publish(
        self, batch: Batch, summary: Document, write_results: Callable[[Write], None] | None
    ) -> Document | None:
        bucket, folder = self.results_bucket, f"results/{batch.name}"
        results_key, summary_key = f"{folder}/results.jsonl", f"{folder}/summary.json"
        results = {"results": results_key} if write_results else {}
        document = {"name": batch.name, "run": batch.run, **summary, **results}
        for _ in range(_ATTEMPTS):
            found = [self.objects.find(bucket, key) for key in (results_key, summary_key)]
            # After what is to be replaced was found: the newer run finds what an older one put
            # meanwhile, and starts over; the older one sees that it is.
            _, current = self._load(_run_key(batch.name)) or (None, {})
            if current.get("run") != batch.run:
                return None
            try:
                if write_results:
                    with self.files.replacing(
                        bucket, results_key, _JSON_LINES, previous=found[0]
                    ) as write:
                        write_results(write)
                content = json.dumps(document, indent=2, ensure_ascii=False).encode()
                self.objects.replace(bucket, summary_key, content, _JSON, {}, previous=found[1])
            except Superseded:
                continue
            return document
        raise StorageUnavailable

    def _load(self, key: str) -> tuple[Stored, Document] | None:
        """A small document that is written here."""
        found = self.objects.find(self.results_bucket, key)
        if found is None:
            return None
        try:
            content = self.objects.read(found, max_bytes=found.size)
        except Superseded as error:
            raise StorageUnavailable from error
        document: Document = json.loads(content)
        return found, document

    def _ended(self, name: str, summary: Document) -> ProgressReply:
        done = summary["status"] == 200
        folder = f"results/{name}"
        presigned = partial(self.files.presigned, self.results_bucket)
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
        for key in self.files.keys(self.results_bucket, prefix):
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


_NO_BATCH = "there is no such batch"


def _run_key(name: str) -> str:
    return f"{PREFIX}{name}/run.json"


def _execution(name: str, run: str) -> str:
    return f"{name[:_NAME_IN_EXECUTION]}-{run}"


def _run_of(*version: str) -> dict[str, str]:
    digest = _digest(*version)
    return {"run": digest[:16], "secret": digest[32:]}


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _told(item: Document, outcome: Document) -> Document:
    """A line of the results: the picture's own id is that in its link."""
    of_line = {name: item.get(name) for name in ("line", "id", "src", "target")}
    return {**of_line, **{name: value for name, value in outcome.items() if name != "id"}}


def _order(name: str, line: int) -> tuple[float, str, int]:
    """Numbers by their value and before all else, which goes by its characters."""
    number = name.isascii() and name.isdecimal() and name[0] != "0"
    return (len(name) if number else float("inf"), name, line)


def _encode(told: Document) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"
