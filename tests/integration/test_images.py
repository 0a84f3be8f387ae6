"""POST /store, GET and POST of /resize, /crop and /imgdiff: images and what becomes of them."""

import base64
import io
import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import ExifTags, Image, ImageFile
from types_boto3_s3 import S3Client

from imgdiff.composition import Services
from imgdiff.formats import PNG
from imgdiff.operations import MAX_INLINE_BYTES
from local.stack import KEY
from tests.integration.conftest import (
    BASE_URL,
    File,
    Get,
    Post,
    Reply,
    file,
    sample,
    stored,
)

SAMPLES = Path(__file__).parent.parent.parent / "samples"
PAGE, OTHER_PAGE = ((SAMPLES / f"page-{which}.png").read_bytes() for which in ("source", "target"))
PHOTO = (SAMPLES / "photo-source.jpg").read_bytes()
PAGE_LINK, OTHER_PAGE_LINK = sample("page-source.png"), sample("page-target.png")
PHOTO_LINK = sample("photo-source.jpg")
BUCKET = "imgdiff-media"
IMAGE_FIELDS = {"status", "link", "ssl_link", "id", "width", "height", "size"}

EDITS = ("/resize", "/crop")
PATHS = ("/imgdiff", "/store", *EDITS)

type Ask = Callable[[str, dict[str, str]], Reply]


@pytest.fixture(params=["GET", "JSON", "form"])
def ask(request: pytest.FixtureRequest, get: Get, post: Post) -> Ask:
    """Send fields in each way that takes no file."""
    ways: dict[str, Ask] = {
        "GET": get,
        "JSON": lambda path, fields: post(path, json=fields),
        "form": post,
    }
    return ways[request.param]


def said(reply: Reply) -> dict[str, Any]:
    """What a reply says, after what holds for each of them."""
    body = reply.json()
    assert body["status"] == reply.status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["x-request-id"]
    return body


def content(s3: S3Client, body: dict[str, Any]) -> bytes:
    """The stored image that a reply names, after what holds for each of them."""
    assert body["status"] == 200
    assert body["link"] == body["ssl_link"] == f"{BASE_URL}/media/{body['id']}"
    found = s3.get_object(Bucket=BUCKET, Key=f"media/{body['id']}")
    data = found["Body"].read()
    assert set(body) == IMAGE_FIELDS
    assert body["size"] == len(data)
    assert (body["width"], body["height"]) == opened(data).size
    assert found["ContentType"] == Image.MIME[opened(data).format or ""]
    return data


def opened(data: bytes) -> ImageFile.ImageFile:
    return Image.open(io.BytesIO(data))


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    target = io.BytesIO()
    image.save(target, file_format, **options)
    return target.getvalue()


def sideways_jpeg() -> bytes:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    return encoded(Image.new("RGB", (30, 20)), "JPEG", exif=tags)


def noise(side: int) -> Image.Image:
    values = np.random.default_rng(1).integers(0, 256, (side, side), dtype=np.uint8)
    return Image.fromarray(values)


# POST /store


def test_a_file_is_stored_unchanged(post: Post, s3: S3Client) -> None:
    before = stored(s3)
    body = said(post("/store", {"key": KEY, "comment": "Grüße", "file": file(PHOTO, "a.jpg")}))

    assert content(s3, body) == PHOTO
    assert body["id"].endswith(".jpg")
    assert stored(s3) - before == {f"media/{body['id']}"}


def test_an_address_is_stored_unchanged(post: Post, s3: S3Client) -> None:
    for reply in (
        post("/store", json={"url": PAGE_LINK, "key": KEY}),
        post("/store", {"url": PAGE_LINK, "key": KEY}),
        post("/store", query={"url": PAGE_LINK, "key": KEY}),
    ):
        body = said(reply)
        assert content(s3, body) == PAGE
        assert body["link"] != PAGE_LINK


@pytest.mark.parametrize(
    ("file_format", "extension", "content_type", "name"),
    [
        ("PNG", "png", "image/png", "page.html"),
        ("JPEG", "jpg", "image/jpeg", "picture.png"),
        ("WEBP", "webp", "image/webp", ""),
        ("GIF", "gif", "image/gif", "../../x.jpg"),
        ("BMP", "bmp", "image/bmp", "ü\n.exe"),
        ("TIFF", "tiff", "image/tiff", "picture.tar.gz"),
        ("AVIF", "avif", "image/avif", "avif"),
    ],
)
def test_the_type_is_told_by_the_content(
    post: Post, s3: S3Client, file_format: str, extension: str, content_type: str, name: str
) -> None:
    data = encoded(Image.new("RGB", (7, 5), "navy"), file_format)

    body = said(post("/store", {"key": KEY, "file": file(data, name)}))

    assert body["id"].rpartition(".")[2] == extension
    found = s3.get_object(Bucket=BUCKET, Key=f"media/{body['id']}")
    assert found["ContentType"] == content_type
    assert found["Body"].read() == data
    assert (body["width"], body["height"]) == (7, 5)


def test_sizes_are_as_shown(post: Post) -> None:
    body = said(post("/store", {"key": KEY, "file": file(sideways_jpeg())}))
    assert (body["width"], body["height"]) == (20, 30)


def test_what_was_stored_can_be_compared_cropped_and_resized(get: Get, post: Post) -> None:
    link = said(post("/store", {"key": KEY, "file": file(PAGE)}))["link"]

    compared = said(get("/imgdiff", {"src": link, "target": PAGE_LINK, "key": KEY}))
    assert compared["diff"] == 0
    assert said(get("/crop", {"img": link, "width": "9", "key": KEY}))["width"] == 9
    assert said(get("/resize", {"img": link, "width": "9", "key": KEY}))["width"] == 9


@pytest.mark.parametrize("blank", [{"url": ""}, {"url": "", "comment": "", "presign": ""}])
def test_fields_left_blank_beside_a_file(post: Post, blank: dict[str, str]) -> None:
    assert said(post("/store", {**blank, "key": KEY, "file": file(PAGE)}))["status"] == 200


def test_a_file_field_left_blank_beside_an_address(post: Post) -> None:
    # As browsers send a form whose file was not chosen.
    reply = post("/store", {"url": PAGE_LINK, "key": KEY, "file": file(b"", "")})
    assert said(reply)["status"] == 200


# POST /store with presign


def presigned(post: Post, **fields: str) -> dict[str, Any]:
    return said(post("/store", {"presign": "true", "key": KEY, **fields}))


def test_a_large_image_gets_an_address_of_its_own(post: Post, get: Get, s3: S3Client) -> None:
    before = stored(s3)
    body = presigned(post, size=str(len(PHOTO)), type="image/jpeg")

    assert set(body) == {
        *("status", "link", "ssl_link", "id", "url", "fields", "expires_seconds"),
    }
    assert body["link"] == body["ssl_link"] == f"{BASE_URL}/media/{body['id']}"
    assert body["id"].endswith(".jpg")
    assert stored(s3) == before
    assert get(f"/media/{body['id']}").status == 404

    sent = requests.post(body["url"], body["fields"], files={"file": PHOTO}, timeout=10)
    assert sent.status_code == 204
    query = {"src": body["link"], "target": PHOTO_LINK, "key": KEY}
    assert said(get("/imgdiff", query))["diff"] == 0
    assert get(f"/media/{body['id']}").status == 302


def test_the_policy_says_how_large_what_and_where(post: Post) -> None:
    now = time.time()
    body = presigned(post, size="12345678", type="image/webp")
    policy = json.loads(base64.b64decode(body["fields"]["policy"]))

    conditions = policy["conditions"]
    assert ["content-length-range", 1, 12345678] in conditions
    assert {"Content-Type": "image/webp"} in conditions
    assert {"key": f"media/{body['id']}"} in conditions
    assert {"bucket": BUCKET} in conditions
    assert body["fields"]["key"] == f"media/{body['id']}"
    assert body["fields"]["Content-Type"] == "image/webp"
    expires = datetime.fromisoformat(policy["expiration"]).timestamp()
    assert expires - now == pytest.approx(body["expires_seconds"], abs=10)


def test_png_is_the_type_unless_said_otherwise(post: Post) -> None:
    assert presigned(post, size="1")["fields"]["Content-Type"] == "image/png"


def test_the_largest_image_there_is(post: Post) -> None:
    assert presigned(post, size="20000000")["status"] == 200


# /resize and /crop


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"width": "40", "height": "30"}, (40, 30)),
        ({"width": "40"}, (40, 40)),
        ({"height": "30"}, (30, 30)),
        ({"width": "40", "height": "0"}, (40, 40)),
        ({"width": "0", "height": "30"}, (30, 30)),
        ({"width": "40", "height": ""}, (40, 40)),
    ],
)
def test_a_missing_dimension_copies_the_other(
    ask: Ask, s3: S3Client, given: dict[str, str], size: tuple[int, int]
) -> None:
    for path in EDITS:
        body = said(ask(path, {"img": PHOTO_LINK, "key": KEY, **given}))
        assert opened(content(s3, body)).size == size


def test_numbers_of_json_are_numbers(post: Post) -> None:
    fields = {"img": PHOTO_LINK, "x": 3, "y": 4, "width": 20, "height": 10.0, "blob": False}
    body = said(post("/crop", json={**fields, "key": KEY}))
    assert (body["width"], body["height"]) == (20, 10)


def test_resize_is_not_proportional(get: Get, s3: S3Client) -> None:
    fields = {"img": PAGE_LINK, "width": "100", "height": "300", "key": KEY}
    made = opened(content(s3, said(get("/resize", fields))))

    expected = opened(PAGE).convert("RGB").resize((100, 300), Image.Resampling.LANCZOS)
    assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(expected))


def test_crop_takes_the_rectangle(ask: Ask, s3: S3Client) -> None:
    fields = {"img": PAGE_LINK, "x": "190", "y": "20", "width": "300", "height": "50", "key": KEY}
    made = opened(content(s3, said(ask("/crop", fields))))

    expected = opened(PAGE).convert("RGB").crop((190, 20, 490, 70))
    assert np.array_equal(np.asarray(made.convert("RGB")), np.asarray(expected))


@pytest.mark.parametrize(
    ("box", "size"),
    [
        (("1200", "700", "500", "500"), (80, 100)),
        (("1279", "799", "1", "1"), (1, 1)),
        (("0", "0", "65535", "65535"), (1280, 800)),
    ],
)
def test_crop_is_clipped_to_the_image(
    get: Get, box: tuple[str, str, str, str], size: tuple[int, int]
) -> None:
    fields = dict(zip(("x", "y", "width", "height"), box, strict=True))
    body = said(get("/crop", {"img": PAGE_LINK, "key": KEY, **fields}))
    assert (body["width"], body["height"]) == size


@pytest.mark.parametrize("path", EDITS)
def test_files_are_resized_and_cropped(post: Post, s3: S3Client, path: str) -> None:
    body = said(post(path, {"key": KEY, "width": "20", "height": "10", "file": file(PHOTO)}))

    assert opened(content(s3, body)).size == (20, 10)
    assert body["id"].endswith(".jpg")


def test_pictures_are_cropped_as_they_are_shown(post: Post) -> None:
    fields = {"y": "25", "width": "50", "height": "50", "key": KEY}
    body = said(post("/crop", {**fields, "file": file(sideways_jpeg())}))
    assert (body["width"], body["height"]) == (20, 5)


@pytest.mark.parametrize(
    ("file_format", "mode", "kept"),
    [
        ("PNG", "RGBA", "RGBA"),
        ("PNG", "LA", "LA"),
        ("PNG", "L", "L"),
        ("JPEG", "L", "L"),
        ("JPEG", "CMYK", "CMYK"),
        ("WEBP", "RGBA", "RGBA"),
        ("GIF", "L", "P"),
        ("BMP", "RGB", "RGB"),
        ("TIFF", "CMYK", "CMYK"),
        ("TIFF", "RGBA", "RGBA"),
        ("AVIF", "RGBA", "RGBA"),
    ],
)
def test_format_colours_and_alpha_are_kept(
    post: Post, s3: S3Client, file_format: str, mode: str, kept: str
) -> None:
    image = noise(20).convert(mode)
    if mode.endswith("A"):
        image.putalpha(noise(20))
    data = encoded(image, file_format)

    for path in EDITS:
        body = said(post(path, {"key": KEY, "width": "9", "file": file(data)}))
        made = opened(content(s3, body))
        assert (made.format, made.mode, made.size) == (file_format, kept, (9, 9))


@pytest.mark.parametrize("path", EDITS)
def test_blob_answers_the_image_and_stores_nothing(ask: Ask, s3: S3Client, path: str) -> None:
    before = stored(s3)
    reply = ask(path, {"img": PHOTO_LINK, "width": "9", "blob": "True", "key": KEY})

    assert reply.status == 200
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["x-request-id"]
    assert opened(reply.body).size == (9, 9)
    assert stored(s3) == before


@pytest.mark.parametrize("path", EDITS)
def test_blob_too_large_for_a_reply_is_stored(
    get: Get, services: Services, s3: S3Client, path: str
) -> None:
    data = encoded(noise(2600), "PNG", compress_level=1)
    link = f"{BASE_URL}/media/{services.media.put(data, PNG)}"
    before = stored(s3)

    reply = get(path, {"img": link, "width": "2600", "blob": "1", "key": KEY})

    assert reply.status == 303
    [key] = stored(s3) - before
    assert reply.headers["location"] == f"{BASE_URL}/{key}"
    assert s3.head_object(Bucket=BUCKET, Key=key)["ContentLength"] > MAX_INLINE_BYTES


# POST /imgdiff


@pytest.fixture
def figures(get: Get) -> dict[str, Any]:
    """What is said of the pair of pages, but for where the picture is."""
    return without_link(get("/imgdiff", {"src": PAGE_LINK, "target": OTHER_PAGE_LINK, "key": KEY}))


def without_link(reply: Reply) -> dict[str, Any]:
    body = said(reply)
    return {name: body[name] for name in body.keys() - {"link", "ssl_link", "id"}}


def test_however_a_pair_is_sent_the_figures_are_the_same(
    post: Post, figures: dict[str, Any]
) -> None:
    links: dict[str, str | File] = {"src": PAGE_LINK, "target": OTHER_PAGE_LINK}
    files: dict[str, str | File] = {"src": file(PAGE), "target": file(OTHER_PAGE)}
    key: dict[str, str | File] = {"key": KEY}
    assert figures["changed_pixels"] > 0
    assert without_link(post("/imgdiff", json={**links, **key})) == figures
    assert without_link(post("/imgdiff", {**links, **key})) == figures
    assert without_link(post("/imgdiff", {**files, **key})) == figures
    for name, other in (("src", "target"), ("target", "src")):
        mixed: dict[str, str | File] = {name: files[name], other: links[other], **key}
        assert without_link(post("/imgdiff", mixed)) == figures


def test_files_are_compared_and_answered_inline(post: Post, s3: S3Client) -> None:
    before = stored(s3)
    files = {"src": file(PAGE), "target": file(OTHER_PAGE)}
    reply = post("/imgdiff", {**files, "key": KEY, "blob": "true"})

    assert reply.status == 200
    assert opened(reply.body).size == (1280, 800)
    assert int(reply.headers["x-imgdiff-changed-pixels"]) > 0
    assert stored(s3) == before


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ["JSON", "form", "header"])
def test_the_key_is_found_wherever_it_is_sent(post: Post, path: str, way: str) -> None:
    fields = {"src": PAGE_LINK, "target": PAGE_LINK, "img": PAGE_LINK, "url": PAGE_LINK}
    fields["width"] = "9"
    assert said(post(path, json=fields))["status"] == 401
    ways: dict[str, Callable[[], Reply]] = {
        "JSON": lambda: post(path, json={**fields, "key": KEY}),
        "form": lambda: post(path, {**fields, "key": KEY}),
        "header": lambda: post(path, json=fields, headers={"WWW-Authenticate": KEY}),
    }
    assert said(ways[way]())["status"] == 200


# What is refused: nothing of it is stored, and the field at fault is named.

KNOWN = "(PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF)"
PAIR = {"src": PAGE_LINK, "target": OTHER_PAGE_LINK}
NO_IMAGE = b"<html>no image</html>"


@pytest.mark.parametrize(
    ("path", "fields", "status", "error"),
    [
        ("/store", {}, 400, "file is required, or the address of an image as url"),
        ("/store", {"file": b""}, 400, "file is required, or the address of an image as url"),
        ("/store", {"file": NO_IMAGE}, 415, f"file is not an image {KNOWN}"),
        ("/store", {"file": PAGE[:-100]}, 415, "file is damaged or cut short"),
        ("/store", {"file": PHOTO[: len(PHOTO) // 2]}, 415, "file is damaged or cut short"),
        ("/store", {"url": "ftp://a.example/b"}, 400, "url must begin with http:// or https://"),
        ("/store", {"url": sample("page-source.png").replace("1.png", "9.png")}, 404, "url names"),
        ("/store", {"presign": "1"}, 400, "size is required with presign"),
        ("/store", {"presign": "1", "size": "0"}, 400, "size is required with presign"),
        ("/store", {"presign": "1", "size": "-1"}, 400, "size must be a whole number"),
        ("/store", {"presign": "1", "size": "many"}, 400, "size must be a whole number"),
        (
            "/store",
            {"presign": "1", "size": "20000001"},
            413,
            "size is over the limit of 20000000 bytes",
        ),
        ("/store", {"presign": "1", "size": "9", "type": "a/b"}, 400, "type must be one of image/"),
        ("/store", {"presign": "maybe", "size": "9"}, 400, "presign must be true or false"),
        ("/resize", {"width": "9"}, 400, "img is required, or its file as file"),
        ("/crop", {"width": "9"}, 400, "img is required, or its file as file"),
        ("/resize", {"img": PHOTO_LINK}, 400, "width is required, or height, or both"),
        ("/crop", {"img": PHOTO_LINK}, 400, "width is required, or height, or both"),
        (
            "/crop",
            {"img": PHOTO_LINK, "width": "0", "height": "0"},
            400,
            "width is required, or height, or both",
        ),
        ("/resize", {"img": PHOTO_LINK, "width": "-1"}, 400, "width must be a whole number"),
        ("/resize", {"img": PHOTO_LINK, "width": "1.5"}, 400, "width must be a whole number"),
        ("/resize", {"img": PHOTO_LINK, "height": "65536"}, 400, "height must be a whole number"),
        ("/crop", {"img": PHOTO_LINK, "width": "9", "x": "-1"}, 400, "x must be a whole number"),
        ("/crop", {"img": PHOTO_LINK, "width": "9", "y": "a"}, 400, "y must be a whole number"),
        (
            "/crop",
            {"img": PHOTO_LINK, "width": "9", "x": "640"},
            400,
            "img is 640x426 pixels: nothing of it is in the rectangle",
        ),
        (
            "/crop",
            {"file": PHOTO, "width": "9", "y": "426"},
            400,
            "file is 640x426 pixels: nothing of it is in the rectangle",
        ),
        (
            "/resize",
            {"img": PHOTO_LINK, "width": "5001", "height": "5000"},
            413,
            "img would be 5001x5000 pixels, over the limit of 25000000 pixels",
        ),
        (
            "/resize",
            {"file": PHOTO, "width": "65535"},
            413,
            "file would be 65535x65535 pixels, over the limit of 25000000 pixels",
        ),
        (
            "/resize",
            {"file": PHOTO, "width": "65501", "height": "1"},
            413,
            "file is 640x426 and would be 65501x1 pixels, over the limit of 65500 pixels a side",
        ),
        ("/resize", {"file": NO_IMAGE, "width": "9"}, 415, f"file is not an image {KNOWN}"),
        ("/crop", {"file": PAGE[:-100], "width": "9"}, 415, "file is damaged or cut short"),
        ("/resize", {"img": "a", "width": "9"}, 400, "img must begin with http:// or https://"),
        ("/crop", {"img": "http://127.0.0.1/", "width": "9"}, 400, "img "),
        ("/crop", {"img": PHOTO_LINK, "width": "9", "blob": "x"}, 400, "blob must be true or fals"),
        ("/imgdiff", {"src": PAGE_LINK}, 400, "target is required"),
        ("/imgdiff", {"target": PAGE}, 400, "src is required"),
        ("/imgdiff", {"src": PAGE, "target": b""}, 400, "target is required"),
        ("/imgdiff", {"src": PAGE, "target": NO_IMAGE}, 415, f"target is not an image {KNOWN}"),
        ("/imgdiff", {"src": PAGE[:-100], "target": PAGE}, 415, "src is damaged or cut short"),
        ("/imgdiff", {"src": PAGE, "target": PHOTO}, 400, "src is 1280x800 and target is 640x426"),
    ],
)
def test_refusals(
    post: Post, s3: S3Client, path: str, fields: dict[str, str | bytes], status: int, error: str
) -> None:
    before = stored(s3)
    form: dict[str, str | File] = {
        name: file(value) if isinstance(value, bytes) else value for name, value in fields.items()
    }

    body = said(post(path, {**form, "key": KEY}))

    assert body == {"status": status, "error": body["error"]}
    assert body["error"].startswith(error)
    assert stored(s3) == before


@pytest.mark.parametrize(
    ("path", "name", "upload"),
    [
        ("/imgdiff", "src", "src"),
        ("/imgdiff", "target", "target"),
        ("/store", "url", "file"),
        ("/resize", "img", "file"),
        ("/crop", "img", "file"),
    ],
)
def test_an_image_is_sent_in_one_way(
    post: Post, s3: S3Client, path: str, name: str, upload: str
) -> None:
    before = stored(s3)
    fields = {**PAIR, "img": PAGE_LINK, "url": PAGE_LINK, "width": "9", "key": KEY}

    body = said(post(path, {upload: file(PAGE)}, query=fields))

    assert body == {"status": 400, "error": f"{name} is given more than once"}
    assert stored(s3) == before


@pytest.mark.parametrize(
    ("content_type", "sent", "error"),
    [
        ("application/json", b"[]", "the body must be a JSON object"),
        ("application/json", b"{", "the body is not valid JSON"),
        ("application/json", b"\xff\xfe\x00", "the body is not valid JSON"),
        ("application/json", b"[" * 100_000, "the body is not valid JSON"),
        ("application/json", b'{"img": ["a"]}', "img must be a single value"),
        ("application/json", b'{"src": {"a": 1}}', "src must be a single value"),
        ("application/octet-stream", PAGE, "the body must be application/json, "),
        ("image/png", PAGE, "the body must be application/json, "),
        ("text/plain", b"img=a", "the body must be application/json, "),
        ("", b"img=a", "the body must be application/json, "),
        ("multipart/form-data", b"--x--", "the body is not valid multipart/form-data"),
        ("multipart/form-data; boundary=x", b"--x", "the body is not valid multipart/form-data"),
    ],
)
def test_bodies_that_are_refused(
    post: Post, s3: S3Client, content_type: str, sent: bytes, error: str
) -> None:
    before = stored(s3)
    for path in PATHS:
        body = said(post(path, sent, content_type=content_type, query={"key": KEY}))
        assert body == {"status": 400, "error": body["error"]}
        assert body["error"].startswith(error)
    assert stored(s3) == before


@pytest.mark.parametrize("path", PATHS)
def test_an_upload_over_the_limit_says_what_to_do_instead(
    post: Post, s3: S3Client, path: str
) -> None:
    before = stored(s3)

    body = said(post(path, {"key": KEY, "file": file(bytes(MAX_INLINE_BYTES))}))

    assert body["status"] == 413
    for words in (str(MAX_INLINE_BYTES), "POST /store", "presign=true", "size"):
        assert words in body["error"]
    assert stored(s3) == before


def test_an_upload_up_to_the_limit_is_taken(post: Post, s3: S3Client) -> None:
    data = PAGE.ljust(MAX_INLINE_BYTES - 1000, b"\0")
    assert content(s3, said(post("/store", {"key": KEY, "file": file(data)}))) == data


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/store", "GET", "POST"),
        ("/store", "PUT", "POST"),
        ("/resize", "DELETE", "GET, POST"),
        ("/crop", "PATCH", "GET, POST"),
        ("/imgdiff", "PUT", "GET, POST"),
    ],
)
def test_other_methods(get: Get, path: str, method: str, allowed: str) -> None:
    reply = get(path, {"key": KEY}, method=method)
    assert said(reply)["status"] == 405
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_another_origin_may_post(get: Get, path: str) -> None:
    reply = get(path, method="OPTIONS", headers={"Origin": "https://app.example.com"})
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "POST" in reply.headers["access-control-allow-methods"]
    assert "content-type" in reply.headers["access-control-allow-headers"]
