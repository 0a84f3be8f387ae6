"""The use case of ``/imgdiff``, with what is outside played by small fakes."""

import io
import threading
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from imgdiff.caller import Caller
from imgdiff.difference import Difference
from imgdiff.difference import difference as find_difference
from imgdiff.engine import compare
from imgdiff.engine.frame import Frame
from imgdiff.engine.frames import decode
from imgdiff.errors import (
    ImgdiffError,
    InvalidField,
    NotFound,
    OriginFailed,
    OriginNotFound,
    OriginTimeout,
    SizesDiffer,
    StorageUnavailable,
    TooLarge,
    UnsupportedImage,
)
from imgdiff.fields import ImageInput, ImgdiffFields
from imgdiff.formats import PNG, Format
from imgdiff.media import DirectUpload, Place

SRC = "http://a.example/1.png"
TARGET = "http://b.example/2.png"
LARGE = 1_000_000
PLACE = Place("0123456789ab", "theirs", "results/")


def png(width: int, height: int, colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


WHITE = png(4, 3, "white")
BLACK = png(4, 3, "black")
PICTURE = compare(WHITE, BLACK).image
assert PICTURE is not None


class FakeMedia:
    """Media in a list."""

    def __init__(self, failure: ImgdiffError | None = None) -> None:
        self.stored: list[tuple[bytes, Format, Place | None]] = []
        self._failure = failure

    def put(self, content: bytes, kind: Format, place: Place | None = None) -> str:
        if self._failure:
            raise self._failure
        self.stored.append((content, kind, place))
        return f"id-{len(self.stored)}.{kind.extension}"

    def get(self, media_id: str, *, max_bytes: int) -> bytes:
        raise AssertionError(media_id, max_bytes)

    def presigned(self, media_id: str) -> str:
        raise AssertionError(media_id)

    def direct_upload(self, kind: Format, size: int, place: Place | None = None) -> DirectUpload:
        raise AssertionError(kind, size, place)


def reader(answers: dict[str, bytes | Exception]) -> Callable[[ImageInput], bytes]:
    def read(image: ImageInput) -> bytes:
        assert isinstance(image, str)
        answer = answers[image]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return read


def difference(
    fields: ImgdiffFields,
    *,
    read: Callable[[ImageInput], bytes],
    media: FakeMedia,
    place: Place | None,
    max_pixels: int,
    max_inline_bytes: int,
) -> Difference:
    """The difference of two images, for a caller served by these fakes."""
    caller = Caller(
        read=read,
        media=media,
        place=place,
        max_pixels=max_pixels,
        max_bytes=LARGE,
        max_inline_bytes=max_inline_bytes,
    )
    return find_difference(fields, caller)


def fields(*, blob: bool = False) -> ImgdiffFields:
    return ImgdiffFields(SRC, TARGET, blob=blob)


def test_figures_are_the_engines_and_the_picture_is_stored() -> None:
    media = FakeMedia()

    found = difference(
        fields(),
        read=reader({SRC: WHITE, TARGET: BLACK}),
        media=media,
        place=PLACE,
        max_pixels=LARGE,
        max_inline_bytes=LARGE,
    )

    assert found.comparison == compare(WHITE, BLACK)
    assert found.comparison.diff == 1.0
    assert found.media_id == "id-1.png"
    assert media.stored == [(PICTURE, PNG, PLACE)]


def test_source_and_target_are_not_mixed_up() -> None:
    read = reader({SRC: WHITE, TARGET: BLACK})
    swapped = ImgdiffFields(src=TARGET, target=SRC)

    there, back = (
        difference(
            both, read=read, media=FakeMedia(), place=None, max_pixels=LARGE, max_inline_bytes=LARGE
        ).comparison.image
        for both in (fields(), swapped)
    )

    assert there == compare(WHITE, BLACK).image
    assert back == compare(BLACK, WHITE).image
    assert there != back


def test_identical_images_have_a_picture_too() -> None:
    media = FakeMedia()

    found = difference(
        ImgdiffFields(SRC, SRC),
        read=reader({SRC: WHITE}),
        media=media,
        place=PLACE,
        max_pixels=LARGE,
        max_inline_bytes=LARGE,
    )

    assert found.comparison.diff == 0.0
    assert found.comparison.bbox is None
    assert len(media.stored) == 1


def test_both_images_are_asked_for_at_once() -> None:
    both = threading.Barrier(2, timeout=5)

    def read(image: ImageInput) -> bytes:
        assert isinstance(image, str)
        both.wait()  # breaks unless the other one is being read meanwhile
        return {SRC: WHITE, TARGET: BLACK}[image]

    found = difference(
        fields(), read=read, media=FakeMedia(), place=None, max_pixels=LARGE, max_inline_bytes=LARGE
    )

    assert found.comparison.changed_pixels == 12


@pytest.mark.parametrize("late", [SRC, TARGET])
def test_first_image_is_decoded_while_the_second_is_on_its_way(
    late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = threading.Event()

    def watched(data: bytes, **limits: Any) -> Frame:
        frame = decode(data, **limits)
        decoded.set()
        return frame

    def read(image: ImageInput) -> bytes:
        assert image != late or decoded.wait(5)
        return {SRC: WHITE, TARGET: BLACK}[str(image)]

    monkeypatch.setattr("imgdiff.engine.comparison.decode", watched)
    found = difference(
        fields(), read=read, media=FakeMedia(), place=None, max_pixels=LARGE, max_inline_bytes=LARGE
    )

    assert found.comparison == compare(WHITE, BLACK)


@pytest.mark.parametrize(
    ("blob", "room", "stored"),
    [
        pytest.param(False, LARGE, True, id="no blob"),
        pytest.param(True, LARGE, False, id="blob"),
        pytest.param(True, len(PICTURE), False, id="blob that just fits"),
        pytest.param(True, len(PICTURE) - 1, True, id="blob one byte too large"),
        pytest.param(True, 0, True, id="no room"),
        pytest.param(False, 0, True, id="no blob, no room"),
    ],
)
def test_picture_is_stored_unless_it_is_answered(*, blob: bool, room: int, stored: bool) -> None:
    media = FakeMedia()

    found = difference(
        fields(blob=blob),
        read=reader({SRC: WHITE, TARGET: BLACK}),
        media=media,
        place=PLACE,
        max_pixels=LARGE,
        max_inline_bytes=room,
    )

    assert found.comparison.image == PICTURE
    assert found.media_id == ("id-1.png" if stored else None)
    assert [content for content, _, _ in media.stored] == ([PICTURE] if stored else [])


@pytest.mark.parametrize("name", ["src", "target"])
@pytest.mark.parametrize("blob", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (OriginFailed("could not be fetched"), OriginFailed, "could not be fetched"),
        (OriginNotFound("is not there"), OriginNotFound, "is not there"),
        (OriginTimeout("took too long"), OriginTimeout, "took too long"),
        (InvalidField("must be a public address"), InvalidField, "must be a public address"),
        (NotFound("has expired"), NotFound, "has expired"),
        (TooLarge("is over the limit"), TooLarge, "is over the limit"),
        (b"", UnsupportedImage, "is not an image"),
        (b"<html>", UnsupportedImage, "is not an image"),
        (WHITE[:45], UnsupportedImage, "is damaged or cut short"),
        (png(5, 3, "white"), TooLarge, "is 5x3 pixels, over the limit of 12 pixels"),
    ],
    ids=[
        *("failed", "not found", "timeout", "refused", "expired", "too many bytes"),
        *("empty", "no image", "cut", "too many pixels"),
    ],
)
def test_error_names_the_field_and_nothing_is_stored(
    *, name: str, blob: bool, answer: bytes | Exception, kind: type[ImgdiffError], says: str
) -> None:
    media = FakeMedia()
    answers: dict[str, bytes | Exception] = {SRC: WHITE, TARGET: BLACK}
    answers[{"src": SRC, "target": TARGET}[name]] = answer

    with pytest.raises(kind) as raised:
        difference(
            fields(blob=blob),
            read=reader(answers),
            media=media,
            place=PLACE,
            max_pixels=12,
            max_inline_bytes=0,
        )
    assert raised.value.field == name
    assert str(raised.value).startswith(f"{name} {says}")
    assert media.stored == []


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (OriginFailed("failed"), OriginTimeout("took too long")),
        (OriginFailed("failed"), b"no image"),
        (b"no image", b"no image"),
    ],
    ids=["both unread", "one unread, one no image", "both no image"],
)
def test_source_comes_first_where_both_are_at_fault(
    source: bytes | Exception, target: bytes | Exception
) -> None:
    with pytest.raises(ImgdiffError) as raised:
        difference(
            fields(),
            read=reader({SRC: source, TARGET: target}),
            media=FakeMedia(),
            place=None,
            max_pixels=LARGE,
            max_inline_bytes=LARGE,
        )
    assert raised.value.field == "src"


def test_sizes_that_differ_name_both_and_nothing_is_stored() -> None:
    media = FakeMedia()

    with pytest.raises(SizesDiffer) as raised:
        difference(
            fields(),
            read=reader({SRC: WHITE, TARGET: png(3, 4, "white")}),
            media=media,
            place=PLACE,
            max_pixels=LARGE,
            max_inline_bytes=0,
        )
    assert raised.value.status == 400
    for part in ("src is 4x3", "target is 3x4", "/resize", "/crop"):
        assert part in str(raised.value)
    assert media.stored == []


def test_failure_of_the_store_is_about_no_field() -> None:
    with pytest.raises(StorageUnavailable) as raised:
        difference(
            fields(),
            read=reader({SRC: WHITE, TARGET: BLACK}),
            media=FakeMedia(StorageUnavailable()),
            place=None,
            max_pixels=LARGE,
            max_inline_bytes=LARGE,
        )
    assert raised.value.field is None


def test_defect_of_ours_is_not_dressed_up() -> None:
    media = FakeMedia()

    with pytest.raises(ZeroDivisionError):
        difference(
            fields(),
            read=reader({SRC: WHITE, TARGET: ZeroDivisionError()}),
            media=media,
            place=PLACE,
            max_pixels=LARGE,
            max_inline_bytes=0,
        )
    assert media.stored == []
