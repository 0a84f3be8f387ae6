"""Two images on their way: each is decoded once, and as soon as it is there."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, override

import numpy as np
import pytest

from imgdiff.engine import compare
from imgdiff.engine.frame import Frame, Samples
from imgdiff.engine.frames import decode
from imgdiff.engine.options import Encoded
from imgdiff.engine.pair import Pair
from imgdiff.errors import ImgdiffError, OriginFailed, SizesDiffer, TooLarge, UnsupportedImage
from tests.unit.engine.images import encode, noise, plain
from tests.unit.engine.png_rows import deflated, filtered, filtered_png, whole

# So that a failure does not hang.
PATIENCE = 10
NAMES = ("src", "target")
SMALL = [plain(noise(5, 4, seed=seed)) for seed in (1, 2)]
# Worth a thread each.
LARGE = [plain(noise(300, 256, seed=seed)) for seed in (1, 2)]
JPEGS = [encode(noise(300, 256, seed=seed), "JPEG") for seed in (1, 2)]
DAMAGED = whole(deflated(filtered(noise(300, 256), [4])[:-9]), 256, 300, 3)
EITHER_SIZE = pytest.mark.parametrize("files", [SMALL, LARGE, JPEGS], ids=["small", "png", "jpeg"])
EITHER_LATE = pytest.mark.parametrize("late", [0, 1], ids=NAMES)


class Counted:
    """A file that counts how often it is asked for."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.calls = 0
        self._answer = answer

    def __call__(self) -> bytes:
        self.calls += 1
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Still(Frame):
    """A frame that is read ahead a few times, and says when it was."""

    def __init__(self, width: int, steps: int = 0) -> None:
        self.width, self.height, self.channels = width, 1, 3
        self.steps = steps
        self.read = threading.Event()

    @override
    def strips(self) -> Iterator[Samples]:
        yield np.zeros((1, self.width, 3), np.uint8)

    @override
    def read_ahead(self) -> bool:
        self.read.set()
        time.sleep(0.001)
        self.steps -= 1
        return self.steps > 0


def after(event: threading.Event, answer: bytes | Exception) -> Callable[[], bytes]:
    """A file that arrives once something has happened."""

    def read() -> bytes:
        assert event.wait(PATIENCE)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read


def in_order(late: int, on_time: Encoded, delayed: Encoded) -> tuple[Encoded, Encoded]:
    """Source and target, one of which is the late one."""
    return (delayed, on_time) if late == 0 else (on_time, delayed)


@EITHER_SIZE
def test_callables_are_called_once(files: list[bytes]) -> None:
    source, target = map(Counted, files)

    assert compare(source, target) == compare(*files)
    assert (source.calls, target.calls) == (1, 1)


@EITHER_SIZE
def test_one_of_the_two_may_be_there_already(files: list[bytes]) -> None:
    assert compare(Counted(files[0]), files[1]) == compare(*files)
    assert compare(files[0], Counted(files[1])) == compare(*files)


def test_a_damaged_file_is_asked_for_once_too() -> None:
    source, target = Counted(DAMAGED), Counted(LARGE[0])

    with pytest.raises(UnsupportedImage):
        compare(source, target)
    assert (source.calls, target.calls) == (1, 1)


def test_a_file_that_fails_beside_a_damaged_one_is_asked_for_once() -> None:
    asked = threading.Event()
    calls: list[None] = []

    def target() -> bytes:
        calls.append(None)
        asked.set()
        raise OriginFailed("could not be fetched")

    with pytest.raises(UnsupportedImage):
        compare(after(asked, DAMAGED), target)
    assert len(calls) == 1


@EITHER_LATE
def test_first_image_is_decoded_while_the_second_is_on_its_way(late: int) -> None:
    decoded = threading.Event()

    def watched(data: bytes) -> Frame:
        frame = decode(data, max_pixels=1_000_000)
        decoded.set()
        return frame

    both = in_order(late, LARGE[0], after(decoded, LARGE[1]))
    source, target = Pair(*both, NAMES).decoded(watched)

    assert (source.width, target.height) == (256, 300)


@EITHER_LATE
def test_first_image_is_read_ahead_while_the_second_is_on_its_way(late: int) -> None:
    frames = {b"first": Still(3, steps=5_000), b"second": Still(3)}

    both = in_order(late, lambda: b"first", after(frames[b"first"].read, b"second"))
    found = Pair(*both, NAMES).decoded(frames.__getitem__)

    assert {*found} == {*frames.values()}
    assert frames[b"first"].steps > 0


def test_reading_ahead_ends_where_nothing_is_left() -> None:
    frames = {b"first": Still(3, steps=5), b"second": Still(3)}

    Pair(lambda: b"first", after(frames[b"first"].read, b"second"), NAMES).decoded(
        frames.__getitem__
    )

    assert frames[b"first"].steps >= 0


@EITHER_LATE
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_reading_ahead_changes_nothing(
    late: int, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [filtered_png(noise(300, 256, channels, seed=seed), [0, 1, 2, 3, 4]) for seed in (1, 2)]
    expected = compare(*files)
    all_read = threading.Event()

    def ahead(data: bytes, **options: Any) -> Frame:
        frame = decode(data, **options)
        while frame.read_ahead():
            pass
        all_read.set()
        return frame

    monkeypatch.setattr("imgdiff.engine.comparison.decode", ahead)
    both = [*files]
    found = compare(
        *(
            after(all_read, both[index]) if index == late else partial(bytes, both[index])
            for index in (0, 1)
        )
    )

    assert found == expected


@pytest.mark.parametrize("decoded", [False, True])
def test_callables_are_let_go_of_when_their_images_are_there(
    monkeypatch: pytest.MonkeyPatch, *, decoded: bool
) -> None:
    files = [Counted(b"source"), Counted(b"target")]
    alive = [weakref.ref(file) for file in files]

    class Watching(Still):
        """A frame that is read when no callable is left."""

        @override
        def strips(self) -> Iterator[Samples]:
            assert [reference() for reference in alive] == [None, None]
            return super().strips()

    def watching(_data: bytes, *, max_pixels: int, **_: Any) -> Frame:
        frame = Watching(max_pixels)
        frame.decoded = decoded
        return frame

    monkeypatch.setattr("imgdiff.engine.comparison.decode", watching)

    # Not within the assertion, which would keep them.
    found = compare(files.pop(0), files.pop(0), max_pixels=3)
    assert found.changed_pixels == 0


@EITHER_SIZE
@pytest.mark.parametrize("wrapped", [False, True], ids=["bytes", "callables"])
def test_equal_files_are_decoded_once(
    files: list[bytes], monkeypatch: pytest.MonkeyPatch, *, wrapped: bool
) -> None:
    calls: list[bytes] = []

    def counted(data: bytes, **options: Any) -> Frame:
        calls.append(data)
        return decode(data, **options)

    monkeypatch.setattr("imgdiff.engine.comparison.decode", counted)
    data = files[0]
    found = compare(Counted(data), Counted(data)) if wrapped else compare(data, bytes(data))

    assert (found.diff, len(calls)) == (0, 1)
    monkeypatch.undo()
    # The picture is that of files that are not equal but show the same.
    assert found == compare(data, data + b"\0")


@pytest.mark.parametrize(
    "data", [b"no image", LARGE[0][:-50], DAMAGED], ids=["none", "cut", "rows"]
)
@pytest.mark.parametrize("sound", [LARGE[0], JPEGS[0]], ids=["png", "jpeg"])
def test_errors_name_the_image(data: bytes, sound: bytes) -> None:
    for index, pair in enumerate([(data, sound), (sound, data)]):
        with pytest.raises(UnsupportedImage) as caught:
            compare(*map(Counted, pair), names=NAMES)
        assert caught.value.field == NAMES[index]


@EITHER_LATE
@pytest.mark.parametrize(
    "data", [b"no image", LARGE[0][:-50], DAMAGED], ids=["none", "cut", "rows"]
)
def test_the_source_is_named_where_both_are_at_fault(late: int, data: bytes) -> None:
    begun = threading.Event()

    def first() -> bytes:
        begun.set()
        return data

    for other in (b"nor this", data):
        with pytest.raises(UnsupportedImage) as caught:
            compare(*in_order(late, first, after(begun, other)), names=NAMES)
        assert caught.value.field == "src"
        begun.clear()


def test_the_source_is_named_where_equal_files_are_at_fault() -> None:
    refused = threading.Event()

    def refuse(data: bytes) -> Frame:
        refused.set()
        raise UnsupportedImage(f"is none: {data!r}")

    pair = Pair(after(refused, b"no image"), lambda: b"no image", NAMES)
    with pytest.raises(UnsupportedImage) as caught:
        pair.decoded(refuse)
    assert caught.value.field == "src"


@pytest.mark.parametrize("error", [OriginFailed("failed"), ZeroDivisionError()], ids=repr)
@pytest.mark.parametrize("other", [SMALL[0], LARGE[0]], ids=["small", "large"])
def test_what_a_callable_raises_is_raised(error: Exception, other: bytes) -> None:
    for index in (0, 1):
        pair: list[Encoded] = [other, other]
        pair[index] = Counted(error)
        with pytest.raises(type(error)) as caught:
            compare(pair[0], pair[1], names=NAMES)
        assert caught.value is error


def test_what_a_callable_raises_keeps_its_own_field() -> None:
    with pytest.raises(ImgdiffError) as caught:
        compare(Counted(OriginFailed("failed", field="mine")), SMALL[0], names=NAMES)
    assert caught.value.field == "mine"


def test_both_callables_fail() -> None:
    failed = threading.Event()

    def target() -> bytes:
        failed.set()
        raise TooLarge("second")

    with pytest.raises(OriginFailed, match="first"):
        compare(after(failed, OriginFailed("first")), target)


@pytest.mark.parametrize("wrapped", [False, True], ids=["bytes", "callables"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP"])
@pytest.mark.parametrize("size", [(4, 5), (300, 256)], ids=["small", "large"])
def test_sizes_that_differ(kind: str, size: tuple[int, int], *, wrapped: bool) -> None:
    height, width = size
    files = [encode(noise(*each), kind) for each in (size, (height + 1, width))]
    pair: list[Encoded] = [Counted(file) if wrapped else file for file in files]

    with pytest.raises(SizesDiffer) as caught:
        compare(pair[0], pair[1], names=NAMES)
    sentence = str(caught.value)
    assert sentence.startswith(
        f"src is {width}x{height} and target is {width}x{height + 1} pixels, but both must be"
    )
    assert caught.value.field is None
