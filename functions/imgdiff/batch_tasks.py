"""The tasks of a batch: its file is read, its lines are compared, and they are summed up.

They may be repeated, and run beside those of an older run of the same batch: what they write is
either the run's own or put on condition that nobody else was faster.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import batched, chain
from tempfile import TemporaryFile
from typing import Protocol

from imgdiff.batch_file import MAX_LINE_BYTES, items, split
from imgdiff.batch_runs import ATTEMPTS, JSON, Batch, Runs, named
from imgdiff.deadline import Deadline
from imgdiff.errors import ImgdiffError, StorageUnavailable
from imgdiff.fields import ImageInput
from imgdiff.media import Links
from imgdiff.objects import Objects, Stored, Superseded
from imgdiff.results import Document, ResultClient, outcome
from imgdiff.summary import Summary

_JSON_LINES = "application/jsonl"
# As long as a request of the API may take.
_LINE_SECONDS = 30
# One more line, and its part put.
_ENOUGH_SECONDS = 60
_READERS = 10
_READ_AHEAD = 200

_LOST = {"status": 500, "error": "the comparison of this line did not end"}
_CRASHED = {"status": 500, "error": "something went wrong on our side; the log has what happened"}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTasks:
    """Does the tasks of a batch.

    Attributes
    ----------
    runs : Runs
    objects : Objects
    files : Files
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

    runs: Runs
    objects: Objects
    files: Files
    deadline: Deadline
    results_bucket: str
    links: Links
    read: Callable[[ImageInput], bytes]
    read_for_caller: Callable[[ImageInput], bytes]
    max_pixels: int

    def prepare(self, batch: Batch) -> Document:
        """Write the items of a batch's file.

        Returns
        -------
        dict
            Where they are and how many, or why there are none.
        """
        found, current = self.runs.current(batch.name)
        if current.get("run") != batch.run:
            return {"refused": "a newer file has taken the place of this one"}
        try:
            total = self._write_items(batch)
        except StorageUnavailable:
            raise
        except ImgdiffError as error:
            refused = {"status": error.status, "error": str(error)}
            self._publish(batch, refused, None)
            return {"refused": str(error)}
        try:
            self.runs.put(batch, found, modified=current["modified"], total=total)
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

    def _write_items(self, batch: Batch) -> int:
        file = batch.file
        told = named(file.key)
        chunks = self.files.stream(file.bucket, file.key, file.version_id)
        total = 0
        key = f"{batch.folder}/items.json"
        with self.files.writing(self.results_bucket, key, JSON) as write:
            for item in items(chunks, told[1] if told else ""):
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
        for _ in range(ATTEMPTS):
            found = [self.objects.find(bucket, key) for key in (results_key, summary_key)]
            # After what is to be replaced was found: the newer run finds what an older one put
            # meanwhile, and starts over; the older one sees that it is.
            _, current = self.runs.current(batch.name)
            if current.get("run") != batch.run:
                return None
            try:
                if write_results:
                    with self.files.replacing(
                        bucket, results_key, _JSON_LINES, previous=found[0]
                    ) as write:
                        write_results(write)
                content = json.dumps(document, indent=2, ensure_ascii=False).encode()
                self.objects.replace(bucket, summary_key, content, JSON, {}, previous=found[1])
            except Superseded:
                continue
            return document
        raise StorageUnavailable


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
