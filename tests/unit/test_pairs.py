"""Pairs: however often notices come, in whatever order, at once: one result, of the newest."""

import hashlib
import io
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count, pairwise
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from PIL import Image

from imgdiff.engine import Comparison, Options, compare
from imgdiff.errors import ImgdiffError, InvalidField, StorageUnavailable
from imgdiff.formats import PNG, WEBP
from imgdiff.media import ID_METADATA, Links, result_of
from imgdiff.objects import Stored, Superseded
from imgdiff.pairs import COMPLETED, SOURCE, TARGET, Pair, Pairs
from imgdiff.results import Document

RUNS = 500
CONTENT_TYPES = {"json": "application/json", "png": "image/png", "webp": "image/webp"}
INBOX, RESULTS, OTHER = "inbox", "results", "another"


def _png(size: tuple[int, int], colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", size, colour).save(file, "PNG")
    return file.getvalue()


# Of a target; a source's mean nothing.
OPTIONS: tuple[dict[str, str], ...] = ({}, {}, {"format": "webp"}, {"format": "none"})
IMAGES = (_png((2, 2), 0), _png((2, 2), 9), _png((2, 2), 200), _png((3, 2), 0), b"no image")
EXAMPLES = settings(
    max_examples=RUNS,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def _compared(source: bytes, target: bytes, asked: str) -> Comparison | ImgdiffError:
    if asked == "none":
        return InvalidField("must be one of png, webp, jpeg, gif", field="format")
    options = Options(format=WEBP if asked == "webp" else PNG)
    try:
        return compare(source, target, options=options, names=("src", "target"))
    except ImgdiffError as error:
        return error


class Killed(BaseException):
    """Lambda ended the function."""


@dataclass
class FakeObjects:
    """Buckets in memory; of an inbox that keeps versions, each can be read."""

    versioned: bool
    newest: dict[tuple[str, str], Stored] = field(default_factory=dict)
    contents: dict[tuple[str, str, str], bytes] = field(default_factory=dict)
    clock: Any = field(default_factory=lambda: count(1))
    documents: list[Document] = field(default_factory=list)

    def find(self, bucket: str, key: str) -> Stored | None:
        return self.newest.get((bucket, key))

    def read(self, found: Stored, *, max_bytes: int) -> bytes:
        assert found.size <= max_bytes
        try:
            return self.contents[found.bucket, found.key, found.version]
        except KeyError:
            raise Superseded from None

    def put(self, bucket: str, key: str, content: bytes, metadata: Mapping[str, str]) -> None:
        number = next(self.clock)
        kept = self.versioned and bucket == INBOX
        stored = Stored(
            bucket=bucket,
            key=key,
            version_id=f"version-{number}" if kept else None,
            etag=f'"{hashlib.md5(content).hexdigest()}"',
            modified=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number),
            size=len(content),
            metadata=metadata,
        )
        if not kept and (old := self.newest.get((bucket, key))):
            del self.contents[bucket, key, old.version]
        self.newest[bucket, key] = stored
        self.contents[bucket, key, stored.version] = content

    def write(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
    ) -> None:
        del content_type
        self.put(bucket, key, content, metadata)

    def replace(
        self,
        bucket: str,
        key: str,
        content: bytes,
        content_type: str,
        metadata: Mapping[str, str],
        *,
        previous: Stored | None,
    ) -> None:
        assert bucket == RESULTS
        assert content_type == CONTENT_TYPES[key.rpartition(".")[2]]
        standing = self.newest.get((bucket, key))
        if (standing and standing.etag) != (previous and previous.etag):
            raise Superseded
        self.put(bucket, key, content, metadata)
        if key.endswith(".json"):
            self.documents.append(json.loads(content))

    def delete(self, found: Stored) -> None:
        standing = self.newest.get((found.bucket, found.key))
        if standing is None or standing.etag != found.etag:
            raise Superseded
        del self.newest[found.bucket, found.key]
        del self.contents[found.bucket, found.key, standing.version]


@dataclass
class FakeEvents:
    sent: list[Document] = field(default_factory=list)

    def send(self, kind: str, detail: Document) -> None:
        assert kind == COMPLETED
        self.sent.append(detail)


def pairs_of(objects: FakeObjects, events: FakeEvents) -> Pairs:
    return Pairs(
        objects=objects,
        events=events,
        inbox_bucket=INBOX,
        results_bucket=RESULTS,
        links=Links("https://img.example"),
        max_bytes=1_000_000,
        max_pixels=1_000_000,
        read_other=lambda _: IMAGES[0],
    )


class Attempt:
    """An attempt to settle a pair, in a thread that waits for its turn before all it does."""

    def __init__(
        self, objects: FakeObjects, events: FakeEvents, pair: Pair, *, repeated: bool
    ) -> None:
        self._changed = threading.Condition()
        self._waiting: list[threading.Event] = []
        self._busy = False
        self._killed = False
        self._sources_read = threading.Semaphore(0)
        self.failed = False
        self.over = False
        gated: tuple[Any, Any] = _Gated(objects, self._call), _Gated(events, self._call)
        self._thread = threading.Thread(
            target=partial(self._work, pairs_of(*gated), pair, repeated=repeated), daemon=True
        )
        self._thread.start()

    def _work(self, pairs: Pairs, pair: Pair, *, repeated: bool) -> None:
        try:
            pairs.settle(pair, repeated=repeated)
        except (Killed, StorageUnavailable):
            self.failed = True
        finally:
            with self._changed:
                self.over = True
                self._changed.notify_all()

    def _call(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        # Both images are read at once; here one after the other, so that a run can be repeated.
        reads = args[0].key if method.__name__ == "read" else ""
        if reads.startswith(TARGET):
            self._sources_read.acquire()
        turn = threading.Event()
        with self._changed:
            self._waiting.append(turn)
            self._changed.notify_all()
        turn.wait()
        try:
            if self._killed:
                raise Killed
            return method(*args, **kwargs)
        finally:
            if reads.startswith(SOURCE):
                self._sources_read.release()
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def step(self) -> None:
        """Let it do one thing more, and wait until it is at the next or over."""
        with self._changed:
            self._wait()
            if self._waiting:
                self._busy = True
                self._waiting.pop(0).set()
            self._wait()

    def _wait(self) -> None:
        self._changed.wait_for(lambda: self.over or (self._waiting and not self._busy))

    def kill(self) -> None:
        """End it before it does anything more."""
        self._killed = True
        self.finish()

    def finish(self) -> None:
        """Let it do the rest."""
        while not self.over:
            self.step()
        self._thread.join()


class _Gated:
    """Something of which every method is called by way of another."""

    def __init__(self, inner: object, call: Any) -> None:
        self._inner = inner
        self._call = call

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, getattr(self._inner, name))


class Deliveries(RuleBasedStateMachine):
    """One pair: images are put, notices delivered often, late and at once, to some who die."""

    versioned: ClassVar[bool] = True
    bucket: ClassVar[str] = INBOX
    place: ClassVar[str] = "results"

    def __init__(self) -> None:
        super().__init__()
        self.objects = FakeObjects(self.versioned)
        self.events = FakeEvents()
        self.pair = Pair(self.bucket, "a/b c.png")
        self.put: dict[str, list[Stored]] = {SOURCE: [], TARGET: []}
        self.due: list[bool] = []  # notices to deliver, and whether for another time
        self.attempts: list[Attempt] = []
        self.trouble = False
        self.serial = count()

    @rule(
        half=st.sampled_from([SOURCE, TARGET]),
        image=st.sampled_from(IMAGES),
        options=st.sampled_from(OPTIONS),
    )
    def image_is_put(self, half: str, image: bytes, options: dict[str, str]) -> None:
        key = half + self.pair.name
        if not self.versioned:
            # Told apart by what is behind the image's end.
            image += next(self.serial).to_bytes(4)
        self.objects.put(self.bucket, key, image, options)
        self.put[half].append(self.objects.newest[self.bucket, key])
        self.due.append(False)

    @precondition(lambda self: self.due)
    @rule()
    def notice_is_delivered(self) -> None:
        self._deliver(repeated=self.due.pop(0))

    @precondition(lambda self: any(self.put.values()) and len(self.attempts) < 4)
    @rule()
    def notice_is_delivered_again(self) -> None:
        self._deliver(repeated=False)

    @precondition(lambda self: self.attempts)
    @rule(data=st.data(), steps=st.integers(1, 8))
    def attempt_goes_on(self, data: st.DataObject, steps: int) -> None:
        attempt = data.draw(st.sampled_from(self.attempts))
        for _ in range(steps):
            attempt.step()
        self._reap()

    @precondition(lambda self: self.attempts)
    @rule(data=st.data())
    def attempt_dies(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.attempts)).kill()
        self._reap()

    @invariant()
    def no_older_result_replaces_a_newer(self) -> None:
        told = [self._ages(document) for document in self.objects.documents]
        for older, newer in pairwise(told):
            assert older[0] <= newer[0]
            assert older[1] <= newer[1]
            assert older != newer

    def teardown(self) -> None:
        # What was not taken care of is delivered until it is.
        while self.attempts or self.due:
            for attempt in list(self.attempts):
                attempt.finish()
            self._reap()
            while self.due:
                self._deliver(repeated=self.due.pop(0))
        self.no_older_result_replaces_a_newer()
        results = {key for bucket, key in self.objects.newest if bucket == RESULTS}
        if not all(self.put.values()):
            assert not results
            assert not self.events.sent
            return
        self._check_the_result(results)
        self._check_the_events()

    def _check_the_result(self, results: set[str]) -> None:
        source, target = (self.put[half][-1] for half in (SOURCE, TARGET))
        name = f"{self.place}/{self.pair.name}"
        found = self.objects.newest[RESULTS, f"{name}.json"]
        document = json.loads(self.objects.contents[RESULTS, found.key, found.version])
        assert (document["source"]["version_id"], document["target"]["version_id"]) == (
            source.version_id,
            target.version_id,
        )
        data = [
            self.objects.contents[self.bucket, image.key, image.version]
            for image in (source, target)
        ]
        asked = target.metadata.get("format", "png")
        expected = _compared(data[0], data[1], asked)
        pictures = results - {f"{name}.json"}
        if isinstance(expected, ImgdiffError):
            assert (document["status"], document["error"]) == (expected.status, str(expected))
            # Those of other formats stay where they are.
            assert f"{name}.{asked if asked != 'none' else 'png'}" not in pictures
            return
        assert (document["status"], document["diff"]) == (200, expected.diff)
        assert f"{name}.{asked}" in pictures <= {f"{name}.png", f"{name}.webp"}
        picture = self.objects.newest[RESULTS, f"{name}.{asked}"]
        assert self.objects.contents[RESULTS, picture.key, picture.version] == expected.image
        assert result_of(document["id"]) == (picture.metadata[ID_METADATA], picture.key)

    def _check_the_events(self) -> None:
        told = [self._ages(detail) for detail in self.events.sent]
        put = [self._ages(document) for document in self.objects.documents]
        assert set(told) <= set(put)
        # What died may have been about to tell of a result that has been replaced since.
        assert put[-1] in told
        if not self.trouble:
            assert sorted(told) == sorted(put)

    def _ages(self, document: Document) -> tuple[int, int]:
        """How new the images are that a document tells of."""
        return tuple(
            max(
                number
                for number, stored in enumerate(self.put[half])
                if (stored.version_id, stored.etag.strip('"'))
                == (document[name]["version_id"], document[name]["etag"])
            )
            for half, name in ((SOURCE, "source"), (TARGET, "target"))
        )  # type: ignore[return-value]

    def _deliver(self, *, repeated: bool) -> None:
        self.attempts.append(Attempt(self.objects, self.events, self.pair, repeated=repeated))

    def _reap(self) -> None:
        for attempt in [each for each in self.attempts if each.over]:
            self.attempts.remove(attempt)
            if attempt.failed:
                self.trouble = True
                self.due.append(True)


class UnversionedDeliveries(Deliveries):
    """The same in a bucket of another's, which keeps no versions."""

    versioned = False
    bucket = OTHER
    place = f"buckets/{OTHER}"


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = EXAMPLES
TestUnversionedDeliveries = UnversionedDeliveries.TestCase
TestUnversionedDeliveries.settings = EXAMPLES
