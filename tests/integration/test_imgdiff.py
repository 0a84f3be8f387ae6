"""GET /imgdiff, GET /media/{id} and GET /health: what a caller gets when all is well."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import requests
from PIL import Image
from types_boto3_s3 import S3Client

from imgdiff.composition import Services
from imgdiff.engine import compare
from imgdiff.formats import PNG
from imgdiff.media import Links
from imgdiff.operations import MAX_INLINE_BYTES
from local.stack import KEY
from tests.integration.conftest import BASE_URL, Get, Invoke, load, sample, stored

SAMPLES = Path(__file__).parent.parent.parent / "samples"
PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png"), "key": KEY}
FIELDS = {
    *("status", "link", "ssl_link", "id", "diff", "width", "height", "mse", "rmse", "mae"),
    *("psnr", "max_error", "changed_pixels", "changed_ratio", "bbox"),
}


@pytest.fixture(scope="module")
def expected() -> dict[str, object]:
    """The engine's own figures for the page pair."""
    source, target = (SAMPLES / f"page-{which}.png" for which in ("source", "target"))
    comparison = compare(source.read_bytes(), target.read_bytes())
    return {
        name: getattr(comparison, name) for name in (*FIELDS, "image") if hasattr(comparison, name)
    }


def test_figures_and_link(invoke: Invoke, s3: S3Client, expected: dict[str, object]) -> None:
    before = stored(s3)
    reply = invoke(load("imgdiff"))
    body = reply.json()

    assert (reply.status, body["status"]) == (200, 200)
    assert reply.headers["content-type"] == "application/json"
    assert set(body) == FIELDS
    assert body["link"] == body["ssl_link"] == f"{BASE_URL}/media/{body['id']}"
    assert {name: body[name] for name in expected if name != "image"} == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in expected.items()
        if name != "image"
    }
    assert stored(s3) - before == {f"media/{body['id']}"}
    found = s3.get_object(Bucket="imgdiff-media", Key=f"media/{body['id']}")
    assert found["ContentType"] == "image/png"
    assert found["Body"].read() == expected["image"]


def test_identical_images_have_no_box_and_no_psnr(get: Get) -> None:
    body = get("/imgdiff", {**PAGE, "target": PAGE["src"]}).json()
    assert (body["diff"], body["psnr"], body["bbox"]) == (0, None, None)


def test_every_link_is_new(get: Get) -> None:
    assert get("/imgdiff", PAGE).json()["id"] != get("/imgdiff", PAGE).json()["id"]


def test_blob_answers_the_image_and_stores_nothing(invoke: Invoke, s3: S3Client) -> None:
    before = stored(s3)
    reply = invoke(load("imgdiff-blob"))

    photos = [(SAMPLES / f"photo-{which}.jpg").read_bytes() for which in ("source", "target")]
    expected = compare(*photos)
    assert reply.status == 200
    assert reply.headers["content-type"] == "image/png"
    assert reply.body == expected.image
    assert float(reply.headers["x-imgdiff-diff"]) == expected.diff
    assert reply.headers["x-imgdiff-changed-pixels"] == str(expected.changed_pixels)
    assert stored(s3) == before


def test_style_none_answers_figures_alone_and_stores_nothing(get: Get, s3: S3Client) -> None:
    before = stored(s3)
    whole = get("/imgdiff", PAGE).json()
    kept = stored(s3)
    reply = get("/imgdiff", {**PAGE, "style": "none"}).json()

    assert len(kept - before) == 1
    assert stored(s3) == kept
    assert reply == {
        name: value for name, value in whole.items() if name not in ("id", "link", "ssl_link")
    }


def test_style_none_has_no_image_to_answer(get: Get) -> None:
    reply = get("/imgdiff", {**PAGE, "style": "none", "blob": "true"})

    assert reply.status == 400
    assert reply.json()["error"] == "style none makes no image that blob could answer"


@pytest.mark.parametrize("value", ["true", "True", "TRUE", "1", "yes", "on"])
def test_blob_spelled_true(get: Get, value: str) -> None:
    assert get("/imgdiff", {**PAGE, "blob": value}).headers["content-type"] == "image/png"


@pytest.mark.parametrize("value", ["false", "False", "0", "no", "off", ""])
def test_blob_spelled_false(get: Get, value: str) -> None:
    assert get("/imgdiff", {**PAGE, "blob": value}).headers["content-type"] == "application/json"


def test_blob_too_large_for_a_reply_is_stored(get: Get, services: Services, s3: S3Client) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (2600, 2600), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG", compress_level=1)
    media_id = services.media.put(file.getvalue(), PNG)
    link = f"{BASE_URL}/media/{media_id}"

    reply = get("/imgdiff", {"src": link, "target": link, "key": KEY, "blob": "true"})

    assert reply.status == 303
    assert reply.headers["x-imgdiff-diff"] == "0.0"
    result = Links(BASE_URL).media_id(reply.headers["location"])
    assert s3.head_object(Bucket="imgdiff-media", Key=f"media/{result}")["ContentLength"] > (
        MAX_INLINE_BYTES
    )


@pytest.mark.parametrize(
    "header",
    [
        {"WWW-Authenticate": KEY},
        {"x-amzn-remapped-www-authenticate": KEY},
        {"X-Api-Key": KEY},
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer {KEY}"},
    ],
)
def test_key_in_a_header(get: Get, header: dict[str, str]) -> None:
    query = {name: value for name, value in PAGE.items() if name != "key"}
    assert get("/imgdiff", query, headers=header).status == 200


def test_key_in_the_query_comes_first(get: Get) -> None:
    assert get("/imgdiff", PAGE, headers={"X-Api-Key": "another"}).status == 200
    assert get("/imgdiff", {**PAGE, "key": "another"}, headers={"X-Api-Key": KEY}).status == 401


def test_own_address_behind_a_cdn(invoke: Invoke) -> None:
    event = load("imgdiff")
    domain = event["requestContext"]["domainName"]
    event["rawQueryString"] = event["rawQueryString"].replace(BASE_URL, f"https://{domain}")
    body = invoke(event).json()
    assert body["status"] == 200
    assert body["link"].startswith(f"{BASE_URL}/media/")


def test_media_redirects_to_a_presigned_address(invoke: Invoke) -> None:
    reply = invoke(load("media"))
    assert reply.status == 302
    assert "X-Amz-Expires=300" in reply.headers["location"]
    assert reply.headers["cache-control"] == "no-store"
    picture = requests.get(reply.headers["location"], timeout=5)
    assert picture.content == (SAMPLES / "page-source.png").read_bytes()
    assert picture.headers["content-type"] == "image/png"


def test_health(invoke: Invoke) -> None:
    reply = invoke(load("health"))
    assert (reply.status, json.loads(reply.body)) == (200, {"status": 200})


@pytest.mark.parametrize("path", ["/imgdiff", "/media/x", "/health", "/nowhere"])
def test_preflight(get: Get, path: str) -> None:
    reply = get(path, method="OPTIONS", headers={"Origin": "https://app.example.com"})
    assert reply.status == 204
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "GET" in reply.headers["access-control-allow-methods"]
    assert "x-api-key" in reply.headers["access-control-allow-headers"]


def test_addresses_may_contain_commas_and_encoded_signs(get: Get) -> None:
    reply = get("/imgdiff", {**PAGE, "src": "http://127.0.0.1/a,b.png?x=1%2C2&y=%20"})
    assert reply.json()["error"] == "src must be a public address"
