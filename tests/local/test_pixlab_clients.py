"""The calls of PixLab's public clients and samples, byte for byte, over real sockets.

PHP's are written out as its curl sends them, Java's as OkHttp does; Python's are made by requests
itself.
"""

import io
import json
import socket
import time
from dataclasses import dataclass
from http.client import HTTPResponse
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
import requests
from PIL import Image

from local.stack import KEY, SAMPLES
from tests.local.service import ROOT, Service

PAGE, _, PHOTO, _ = ((ROOT / "samples" / name).read_bytes() for name in SAMPLES)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
BOUNDARY = "------------------------118246cdd0d04229"


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    content_type: str | None
    body: bytes


class Socket:
    """A connection that sends what it is told and nothing else."""

    def __init__(self, service: Service) -> None:
        self.host = urlsplit(service.url).netloc
        name, _, port = self.host.partition(":")
        self.connection = socket.create_connection((name, int(port)), timeout=30)

    def send(self, head: str, body: bytes = b"") -> Answer:
        """Send a request, its body when the server asks for that if the head expects it."""
        lines = head.format(host=self.host, length=len(body)).splitlines()
        self.connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        if "Expect: 100-continue" in head:
            self.connection.settimeout(1)
            interim = b""
            while len(interim) < len(CONTINUE):
                interim += self.connection.recv(len(CONTINUE) - len(interim))
            assert interim == CONTINUE
            self.connection.settimeout(30)
        self.connection.sendall(body)
        with self.connection, HTTPResponse(self.connection) as response:
            response.begin()
            # The header as it is: PHP's client compares the whole of it.
            return Answer(response.status, response.headers["content-type"], response.read())


@pytest.fixture
def wire(service: Service) -> Socket:
    return Socket(service)


def multipart(*parts: tuple[str, bytes], boundary: str = BOUNDARY) -> bytes:
    """Parts by their headers."""
    written = [
        f"--{boundary}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"
        for headers, content in parts
    ]
    return b"".join(written) + f"--{boundary}--\r\n".encode()


def field(name: str, value: str) -> tuple[str, bytes]:
    return f'Content-Disposition: form-data; name="{name}"', value.encode()


def php_file(path: str, content: bytes) -> tuple[str, bytes]:
    """PHP's curl tells the whole path, and no type that helps."""
    headers = (
        f'Content-Disposition: form-data; name="file"; filename="{path}"\r\n'
        "Content-Type: application/octet-stream"
    )
    return headers, content


def php_post(command: str) -> str:
    """The head of a request with JSON."""
    return (
        f"POST /{command}? HTTP/1.1\nHost: {{host}}\nAccept: */*\n"
        "Content-Type: application/json\nContent-Length: {length}"
    )


def php_upload(command: str, *, large: bool = False) -> str:
    """The head of a request with a file; past 1 MB, curl asks before it sends the body."""
    return (
        f"POST /{command}? HTTP/1.1\nHost: {{host}}\nAccept: */*\nContent-Length: {{length}}\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    ) + "\nExpect: 100-continue" * large


def php_json(fields: dict[str, object]) -> bytes:
    """As PHP's json_encode: no spaces, slashes escaped."""
    return json.dumps(fields, separators=(",", ":")).replace("/", "\\/").encode()


def php_get(command: str, *pairs: tuple[str, str]) -> str:
    """As PHP's http_build_query has it, the key last."""
    query = urlencode([*pairs, ("key", KEY)])
    return f"GET /{command}?{query} HTTP/1.1\nHost: {{host}}\nAccept: */*"


def succeeded(answer: Answer) -> dict[str, object]:
    """What PHP's client makes of an answer that it takes for success."""
    assert answer.content_type == "application/json"
    reply: dict[str, object] = json.loads(answer.body)
    assert reply["status"] == answer.status == 200
    return reply


def failed(answer: Answer, status: int) -> str:
    assert answer.content_type == "application/json"
    reply = json.loads(answer.body)
    assert reply == {"status": status, "error": reply["error"]}
    assert answer.status == status
    return str(reply["error"])


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def noise(width: int, height: int) -> bytes:
    """A file of a little more than a byte a pixel."""
    values = np.random.default_rng(1).integers(0, 256, (height, width), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)
    return file.getvalue()


# PHP: the client's get()


def test_php_get(service: Service, wire: Socket) -> None:
    source, target = service.samples[:2]
    reply = succeeded(wire.send(php_get("imgdiff", ("src", source), ("target", target))))
    assert reply["diff"] == service.imgdiff().json()["diff"]
    assert str(reply["link"]).startswith(f"{service.url}/media/")


@pytest.mark.parametrize(("spelled", "image"), [("1", True), ("0", False)])
def test_php_get_with_a_boolean(
    service: Service, wire: Socket, spelled: str, *, image: bool
) -> None:
    source, target = service.samples[:2]
    pair = (("src", source), ("target", target))
    answer = wire.send(php_get("imgdiff", *pair, ("blob", spelled)))
    if image:
        assert (answer.status, answer.content_type) == (200, "image/png")
        assert opened(answer.body).size == (1280, 800)
    else:
        succeeded(answer)


def test_php_get_crop(service: Service, wire: Socket) -> None:
    numbers = (("x", "164"), ("y", "95"), ("width", "145"), ("height", "145"))
    reply = succeeded(wire.send(php_get("crop", ("img", service.samples[2]), *numbers)))
    assert (reply["width"], reply["height"]) == (145, 145)
    assert str(reply["id"]).endswith(".jpg")


def test_php_get_fails(service: Service, wire: Socket) -> None:
    source, target = service.samples[0], service.samples[2]
    error = failed(wire.send(php_get("imgdiff", ("src", source), ("target", target))), 400)
    for word in ("1280x800", "640x426", "resize", "crop"):
        assert word in error


# PHP: the client's post()


def test_php_post(service: Service, wire: Socket) -> None:
    source, target = service.samples[:2]
    body = php_json({"src": source, "target": target, "key": KEY})
    reply = succeeded(wire.send(php_post("imgdiff"), body))
    assert reply["diff"] == service.imgdiff().json()["diff"]


def test_php_post_with_a_boolean(service: Service, wire: Socket) -> None:
    body = php_json({"img": service.samples[2], "width": 90, "blob": True, "key": KEY})
    answer = wire.send(php_post("resize"), body)
    assert (answer.status, answer.content_type) == (200, "image/jpeg")
    assert opened(answer.body).size == (90, 90)


def test_php_post_fails(wire: Socket) -> None:
    body = php_json({"img": "http://h/ü.png", "key": "no key of this service"})
    assert failed(wire.send(php_post("crop"), body), 401)


@pytest.mark.parametrize("name", ["/tmp/page.png", "C:\\fakepath\\page.png", "/tmp/grüße.png"])
def test_php_post_of_a_file(service: Service, wire: Socket, name: str) -> None:
    parts = (field("comment", "Super"), field("key", KEY), php_file(name, PAGE))
    reply = succeeded(wire.send(php_upload("store"), multipart(*parts)))
    assert reply["size"] == len(PAGE)
    assert requests.get(str(reply["link"]), timeout=10).content == PAGE
    assert service.imgdiff(src=str(reply["link"])).json()["status"] == 200


@pytest.mark.parametrize(("spelled", "image"), [("1", True), ("", False)])
def test_php_post_of_a_file_to_crop(wire: Socket, spelled: str, *, image: bool) -> None:
    numbers = (("x", "1"), ("y", "2"), ("width", "30"), ("height", "40"), ("blob", spelled))
    parts = (*(field(*pair) for pair in numbers), field("key", KEY), php_file("/a.jpg", PHOTO))
    answer = wire.send(php_upload("crop"), multipart(*parts))
    if image:
        assert answer.content_type == "image/jpeg"
        assert opened(answer.body).size == (30, 40)
    else:
        assert succeeded(answer)["height"] == 40


def test_php_post_of_a_large_file_waits_for_no_one(wire: Socket) -> None:
    data = noise(1500, 1000)
    body = multipart(field("key", KEY), php_file("/large.png", data))
    assert len(body) > 1 << 20

    started = time.monotonic()
    reply = succeeded(wire.send(php_upload("store", large=True), body))

    assert (reply["width"], reply["height"], reply["size"]) == (1500, 1000, len(data))
    assert time.monotonic() - started < 5


def test_php_post_of_a_file_over_the_limit(wire: Socket) -> None:
    body = multipart(field("key", KEY), php_file("/larger.png", bytes(4_500_000)))
    error = failed(wire.send(php_upload("store", large=True), body), 413)
    assert "presign" in error


def test_php_post_of_a_file_that_no_function_is_given(wire: Socket) -> None:
    body = multipart(field("key", KEY), php_file("/largest.png", bytes(5_000_000)))
    answer = wire.send(php_upload("store", large=True), body)
    assert answer.status == 413
    assert json.loads(answer.body) == {"message": "Request Entity Too Large"}


def test_php_post_of_what_is_no_image(wire: Socket) -> None:
    body = multipart(field("key", KEY), php_file("/page.png", b"<?php phpinfo();"))
    error = failed(wire.send(php_upload("store"), body), 415)
    assert error.startswith("file is not an image")


# Python: the samples


def test_python_img_diff(service: Service) -> None:
    source, target = service.samples[:2]
    query = {"src": source, "target": target, "key": KEY}
    reply = requests.get(f"{service.url}/imgdiff", params=query, timeout=30).json()
    assert reply["status"] == 200
    assert isinstance(reply["diff"], float)
    assert requests.get(reply["link"], timeout=10).headers["content-type"] == "image/png"


def test_python_upload_media(service: Service) -> None:
    with (ROOT / "samples" / SAMPLES[0]).open("rb") as file:
        reply = requests.post(
            f"{service.url}/store",
            files={"file": file},
            data={"comment": "Super Secret Stuff", "key": KEY},
            timeout=30,
        ).json()
    assert reply["status"] == 200
    assert requests.get(reply["link"], timeout=10).content == PAGE


def test_python_crop(service: Service) -> None:
    query: dict[str, str | int] = {"img": service.samples[2], "key": KEY}
    query |= {"x": 164, "y": 95, "width": 145, "height": 145}
    reply = requests.get(f"{service.url}/crop", params=query, timeout=30).json()
    assert reply["status"] == 200
    assert opened(requests.get(reply["link"], timeout=10).content).size == (145, 145)


@pytest.mark.parametrize(
    ("blob", "content_type"), [(True, "image/jpeg"), (False, "application/json")]
)
def test_python_booleans(service: Service, content_type: str, *, blob: bool) -> None:
    query: dict[str, str | int | bool] = {"img": service.samples[2], "width": 9, "blob": blob}
    answers = [
        requests.get(f"{service.url}/resize", params={**query, "key": KEY}, timeout=30),
        requests.post(f"{service.url}/resize", data={**query, "key": KEY}, timeout=30),
        requests.post(f"{service.url}/resize", json={**query, "key": KEY}, timeout=30),
    ]
    for answer in answers:
        assert answer.headers["content-type"] == content_type
        assert answer.status_code == 200


# Java: the samples


def test_java_img_diff(service: Service, wire: Socket) -> None:
    # OkHttp leaves in a query what need not be escaped there.
    query = f"src={service.samples[0]}&target={service.samples[1]}&key={KEY}"
    head = (
        f"GET /imgdiff?{query} HTTP/1.1\naccept: application/json\nHost: {{host}}\n"
        "Connection: Keep-Alive\nAccept-Encoding: gzip\nUser-Agent: okhttp/3.14.9"
    )
    assert succeeded(wire.send(head))["diff"] == service.imgdiff().json()["diff"]


def test_java_upload_media(wire: Socket) -> None:
    boundary = "9a1f6d2c-8f0e-4b53-9d1b-0f8a54b3a7d5"
    head = (
        "POST /store HTTP/1.1\naccept: application/json\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\nContent-Length: {{length}}\n"
        "Host: {host}\nConnection: Keep-Alive\nAccept-Encoding: gzip\nUser-Agent: okhttp/3.14.9"
    )
    parts = [
        (f"{headers}\r\nContent-Length: {len(content)}", content)
        for headers, content in (
            ('Content-Disposition: form-data; name="file"; filename="local_image.png"', PAGE),
            field("key", KEY),
            field("comment", "Super Secret Stuff"),
        )
    ]
    assert succeeded(wire.send(head, multipart(*parts, boundary=boundary)))["size"] == len(PAGE)


# The page of imgdiff: bring two images to one size, compare them, fetch the result.


def test_two_images_of_different_sizes(service: Service) -> None:
    def call(command: str, **fields: str | int) -> dict[str, str]:
        query = {**fields, "key": KEY}
        answer = requests.get(f"{service.url}/{command}", params=query, timeout=30)
        assert answer.headers["content-type"] == "application/json"
        reply: dict[str, str] = answer.json()
        return reply

    page, photo = (
        requests.post(
            f"{service.url}/store", files={"file": data}, data={"key": KEY}, timeout=30
        ).json()
        for data in (PAGE, PHOTO)
    )
    assert "resize" in call("imgdiff", src=page["link"], target=photo["link"])["error"]
    size = {"width": page["width"], "height": page["height"]}
    resized = call("resize", img=photo["link"], **size)
    reply = call("imgdiff", src=page["link"], target=resized["link"])
    assert [reply["width"], reply["height"]] == list(size.values())

    hop = requests.get(reply["ssl_link"], allow_redirects=False, timeout=10)
    assert hop.status_code == 302
    picture = requests.get(hop.headers["location"], timeout=10)
    assert picture.headers["content-type"] == "image/png"
    assert opened(picture.content).size == tuple(size.values())
