"""The options of /imgdiff: one definition for the API, the metadata of S3 and batches."""

import io
import json
import time
from typing import Any

import pytest
from PIL import Image
from types_boto3_s3 import S3Client

from imgdiff.composition import Services
from imgdiff.operations import MAX_INLINE_BYTES
from local import stack
from local.stack import KEY
from local.workers import Context
from tests.integration.conftest import EVENTS, File, Get, Post, sample, stored
from tests.integration.test_batches import lines, put, start, task
from tests.unit.engine.test_profiles import P3

pytestmark = pytest.mark.usefixtures("machine")

type Json = dict[str, Any]

SAMPLES = EVENTS.parent / "samples"
PAGE = {"src": sample("page-source.png"), "target": sample("page-target.png")}
RECTANGLES = (
    "rectangles x,y,width,height joined by semicolons, in whole pixels or shares such as 12.5%"
)
STYLES = (
    *("highlight", "mask", "absolute", "heatmap", "overlay", "side_by_side", "blink", "none"),
)
PLAIN = {
    *("status", "link", "ssl_link", "id", "diff", "width", "height", "mse", "rmse", "mae"),
    *("psnr", "max_error", "changed_pixels", "changed_ratio", "bbox"),
}
ASKED: dict[str, tuple[dict[str, str], set[str]]] = {
    "metrics": (
        {"metrics": "dhash,ssim,ms_ssim,pixelmatch,ciede2000"},
        {
            *("ssim", "ssim_min_channel", "ms_ssim", "pixelmatch", "pixelmatch_ratio"),
            *("ciede2000", "ciede2000_p95", "ciede2000_noticeable", "dhash"),
        },
    ),
    "passed": ({"max_diff": "0.5", "max_changed_ratio": "1e-2"}, {"passed", "failed_on"}),
    "threshold": (
        {"threshold": "0.05", "include_aa": "yes", "fail_status": "200"},
        {"passed", "failed_on", "pixelmatch", "pixelmatch_ratio"},
    ),
    "similarity": (
        {"min_ssim": "0.5"},
        {"passed", "failed_on", "ssim", "ssim_min_channel"},
    ),
    "places": (
        {"ignore": "0,0,100%,64;0,90%,1280,10%", "include": "10%,0,80%,100%"},
        {"counted_pixels"},
    ),
    "regions": ({"regions": "true"}, {"regions", "regions_total"}),
    "fit": ({"fit": "pad"}, {"sizes", "fitted"}),
    "pictures": (
        {"style": "overlay", "format": "webp", "highlight_color": "#00ff00", "color": "unmanaged"},
        set(),
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_each_adds_to_the_reply_and_changes_nothing(get: Get, case: str) -> None:
    asked, added = ASKED[case]
    bare = get("/imgdiff", {**PAGE, "key": KEY}).json()
    reply = get("/imgdiff", {**PAGE, **asked, "key": KEY}).json()

    assert reply.keys() == PLAIN | added
    if case != "places":
        unchanged = PLAIN - {"link", "ssl_link", "id"}
        assert {name: reply[name] for name in unchanged} == {name: bare[name] for name in unchanged}


@pytest.mark.parametrize("case", ASKED)
def test_one_definition(get: Get, s3: S3Client, services: Services, case: str) -> None:
    from imgdiff.worker import lambda_handler

    asked, _ = ASKED[case]
    of_api = get("/imgdiff", {**PAGE, **asked, "key": KEY}).json()

    for half in ("source", "target"):
        s3.put_object(
            Bucket=stack.INBOX,
            Key=f"{half}/options/{case}",
            Body=(SAMPLES / f"page-{half}.png").read_bytes(),
            Metadata={name.replace("_", "-"): value for name, value in asked.items()},
        )
    described = {"bucket": {"name": stack.INBOX}, "object": {"key": f"target/options/{case}"}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": described}
    context: Any = Context("invocation", deadline=time.time() + 60)
    lambda_handler({**event, "time": "2026-01-01T00:00:00Z"}, context)
    found = s3.get_object(Bucket=stack.RESULTS, Key=f"results/options/{case}.json")
    of_pair = json.loads(found["Body"].read())

    batch = start(services, put(s3, f"options-{case}", {**PAGE, **asked}))
    prepared = task("prepare", batch)
    items = json.loads(
        s3.get_object(Bucket=prepared["items"]["bucket"], Key=prepared["items"]["key"])[
            "Body"
        ].read()
    )
    task("compare", batch, items)
    task("summarise", batch)
    [of_line] = lines(s3, batch.name)

    links = {"link", "ssl_link", "id"}
    expected = {name: value for name, value in of_api.items() if name not in links}
    for other in (of_pair, of_line):
        assert {name: other[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        (
            "metrics",
            "ssim,psnr",
            "metrics must be some of ssim, ms_ssim, pixelmatch, ciede2000, dhash, not 'psnr'",
        ),
        ("threshold", "1.1", "threshold must be a number from 0 to 1, not '1.1'"),
        ("threshold", "nan", "threshold must be a number from 0 to 1, not 'nan'"),
        ("max_diff", "-0.1", "max_diff must be a number from 0 to 1, not '-0.1'"),
        ("max_changed_ratio", "5%", "max_changed_ratio must be a number from 0 to 1, not '5%'"),
        ("min_ssim", "-1.5", "min_ssim must be a number from -1 to 1, not '-1.5'"),
        ("include_aa", "maybe", "include_aa must be true or false, not 'maybe'"),
        ("fail_status", "500", "fail_status must be one of 200, 409, 412, 417, 422"),
        (
            "ignore",
            "1,2,3",
            f"ignore must be {RECTANGLES}, not '1,2,3'",
        ),
        (
            "include",
            "1.5,2,3,4",
            f"include must be {RECTANGLES}, not '1.5,2,3,4'",
        ),
        ("ignore", "0,0,100%,100%", "ignore, include and mask leave nothing to compare"),
        ("fit", "stretch", "fit must be one of fail, pad, crop, resize"),
        (
            "style",
            "psychedelic",
            f"style must be one of {', '.join(STYLES)}",
        ),
        ("format", "bmp", "format must be one of png, webp, jpeg, gif"),
        ("format", "gif", "format must be png or webp or jpeg for highlight"),
        (
            "highlight_color",
            "red",
            "highlight_color must be six hexadecimal digits such as f1001e, not 'red'",
        ),
        ("color", "srgb", "color must be one of managed, unmanaged"),
        ("regions", "all", "regions must be true or false, not 'all'"),
    ],
)
def test_what_is_not_allowed_says_what_is(
    get: Get, s3: S3Client, field: str, value: str, sentence: str
) -> None:
    before = stored(s3)
    reply = get("/imgdiff", {**PAGE, field: value, "key": KEY})

    assert (reply.status, reply.json()) == (400, {"status": 400, "error": sentence})
    assert stored(s3) == before


def test_a_mask(get: Get, post: Post) -> None:
    white = Image.new("L", (1280, 800))
    white.paste(255, (0, 0, 1280, 100))
    file = io.BytesIO()
    white.save(file, "PNG")
    link = post("/store", {"file": ("m.png", file.getvalue()), "key": KEY}).json()["link"]

    of_link = get("/imgdiff", {**PAGE, "mask": link, "key": KEY}).json()
    of_file = post("/imgdiff", {**PAGE, "mask": ("m.png", file.getvalue()), "key": KEY}).json()
    included = get("/imgdiff", {**PAGE, "include": "0,0,100%,100", "key": KEY}).json()

    links = ("link", "ssl_link", "id")
    for reply in (of_link, of_file, included):
        for name in links:
            del reply[name]
    assert of_link == of_file == included
    assert included["counted_pixels"] == 128_000


@pytest.mark.parametrize("status", [409, 422])
def test_what_fails_has_the_status_that_was_asked_for(get: Get, s3: S3Client, status: int) -> None:
    reply = get("/imgdiff", {**PAGE, "max_diff": "0", "fail_status": str(status), "key": KEY})
    body = reply.json()

    assert (reply.status, body["status"]) == (status, status)
    assert (body["passed"], body["failed_on"]) == (False, ["max_diff"])
    assert f"media/{body['id']}" in stored(s3)


def test_what_passes_is_200(get: Get) -> None:
    reply = get("/imgdiff", {**PAGE, "max_diff": "1", "fail_status": "422", "key": KEY})

    assert (reply.status, reply.json()["passed"], reply.json()["failed_on"]) == (200, True, [])


@pytest.mark.parametrize(("most", "status", "passed"), [("0", 422, "false"), ("1", 200, "true")])
def test_a_blob_says_whether_it_passed(get: Get, most: str, status: int, passed: str) -> None:
    asked = {"blob": "true", "max_diff": most, "fail_status": "422", "style": "mask"}
    reply = get("/imgdiff", {**PAGE, **asked, "key": KEY})

    assert reply.status == status
    assert reply.headers["x-imgdiff-passed"] == passed
    assert "x-imgdiff-passed" in reply.headers["access-control-expose-headers"]
    assert Image.open(io.BytesIO(reply.body)).size == (1280, 800)


def test_a_large_blob_that_fails_does_not_look_as_if_it_had_passed(
    get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_INLINE_BYTES > 1000
    monkeypatch.setattr("imgdiff.api.MAX_INLINE_BYTES", 1000)
    asked = {"blob": "true", "max_diff": "0", "key": KEY}

    assert get("/imgdiff", {**PAGE, **asked}).status == 303
    reply = get("/imgdiff", {**PAGE, **asked, "fail_status": "422"})

    assert (reply.status, reply.json()["passed"]) == (422, False)
    assert get("/media/" + reply.json()["id"]).status == 302


@pytest.mark.parametrize(
    ("style", "asked", "content_type"),
    [
        *((style, "", "image/png") for style in ("highlight", "mask", "absolute", "heatmap")),
        *((style, "", "image/png") for style in ("overlay", "side_by_side")),
        ("blink", "", "image/webp"),
        ("blink", "gif", "image/gif"),
        ("absolute", "webp", "image/webp"),
        ("side_by_side", "jpeg", "image/jpeg"),
    ],
)
def test_pictures(get: Get, s3: S3Client, style: str, asked: str, content_type: str) -> None:
    fields = {**PAGE, "style": style, "format": asked, "key": KEY}
    blob = get("/imgdiff", {**fields, "blob": "true"})
    body = get("/imgdiff", fields).json()

    assert blob.headers["content-type"] == content_type
    kept = s3.get_object(Bucket="imgdiff-media", Key=f"media/{body['id']}")
    assert (kept["ContentType"], kept["Body"].read()) == (content_type, blob.body)
    image = Image.open(io.BytesIO(blob.body))
    assert getattr(image, "n_frames", 1) == (2 if style == "blink" else 1)


def test_sizes_that_differ_can_be_made_to_fit(get: Get) -> None:
    asked = {"src": PAGE["src"], "target": sample("photo-target.jpg"), "key": KEY}

    for fit, size in (("pad", (1280, 800)), ("crop", (640, 426)), ("resize", (1280, 800))):
        reply = get("/imgdiff", {**asked, "fit": fit}).json()

        assert (reply["width"], reply["height"]) == size
        assert (reply["sizes"], reply["fitted"]) == (
            {"src": [1280, 800], "target": [640, 426]},
            fit,
        )
    same = get("/imgdiff", {**PAGE, "fit": "crop", "key": KEY}).json()
    assert (same["fitted"], same["sizes"]["src"]) == ("none", [1280, 800])


def test_conversions_are_told(post: Post) -> None:
    plain, tagged = io.BytesIO(), io.BytesIO()
    image = Image.new("RGB", (8, 8), "#ff4020")
    image.save(plain, "PNG")
    image.save(tagged, "PNG", icc_profile=P3)
    files: dict[str, str | File] = {
        "src": ("a.png", plain.getvalue()),
        "target": ("b.png", tagged.getvalue()),
        "key": KEY,
    }

    managed = post("/imgdiff", files).json()
    unmanaged = post("/imgdiff", {**files, "color": "unmanaged"}).json()

    assert managed["conversions"] == {"src": [], "target": ["Display P3 to sRGB"]}
    assert managed["diff"] > 0
    assert (unmanaged["diff"], "conversions" in unmanaged) == (0, False)


def test_the_mask_of_a_pair_is_an_object(s3: S3Client) -> None:
    from imgdiff.worker import lambda_handler

    white = Image.new("L", (1280, 800))
    white.paste(255, (0, 0, 1280, 100))
    file = io.BytesIO()
    white.save(file, "PNG")
    s3.put_object(Bucket=stack.INBOX, Key="masks/top.png", Body=file.getvalue())
    answers = []
    for mask in (f"s3://{stack.INBOX}/masks/top.png", "https://example.com/top.png", "s3://x/y"):
        for half in ("source", "target"):
            s3.put_object(
                Bucket=stack.INBOX,
                Key=f"{half}/masked.png",
                Body=(SAMPLES / f"page-{half}.png").read_bytes(),
                Metadata={"mask": mask},
            )
        described = {"bucket": {"name": stack.INBOX}, "object": {"key": "target/masked.png"}}
        event = {"source": "aws.s3", "detail-type": "Object Created", "detail": described}
        context: Any = Context("invocation", deadline=time.time() + 60)
        lambda_handler({**event, "time": "2026-01-01T00:00:00Z"}, context)
        found = s3.get_object(Bucket=stack.RESULTS, Key="results/masked.png.json")
        answers.append(json.loads(found["Body"].read()))

    assert answers[0]["counted_pixels"] == 128_000
    assert answers[1]["error"] == "mask must be s3://BUCKET/KEY"
    assert answers[2]["status"] == 400
