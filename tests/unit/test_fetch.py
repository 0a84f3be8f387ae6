"""Fetching from regular servers, over real sockets on loopback."""

import logging
import socket
from collections.abc import Callable, Iterator

import pytest

from imgdiff.errors import ImgdiffError, OriginFailed, OriginNotFound, OriginTimeout, TooLarge
from imgdiff.fetch import connect
from tests.security.conftest import (
    ADDRESS,
    BODY,
    CHUNKED,
    HASTY,
    HOST,
    INSIDE,
    OTHER,
    SECURE,
    UNTIL_CLOSED,
    World,
    at_once,
    head_of,
    ok,
    redirect,
)
from tests.security.origin import PUBLIC, Do, Origin, Script, answer

WHOLE = answer(body=BODY)


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


# --- what a regular server gets and gives


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([answer(body=BODY)], id="length"),
        pytest.param([UNTIL_CLOSED, BODY], id="until closed"),
        pytest.param([b"HTTP/1.0 200 OK\r\n\r\n", BODY], id="http 1.0"),
        pytest.param(
            [
                *(CHUNKED, b"3e8;a=b\r\n", BODY[:1000], b"\r\n"),
                *(b"%X\r\n" % len(BODY[1000:]), BODY[1000:], b"\r\n"),
                b"0\r\nX-Trailer: 1\r\n\r\n",
            ],
            id="chunks",
        ),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", answer(body=BODY)], id="continue"),
        pytest.param([answer("200 Fine", "Content-Encoding: Identity", body=BODY)], id="identity"),
        pytest.param([WHOLE[:20], 0.05, WHOLE[20:99], 0.05, WHOLE[99:]], id="in pieces"),
    ],
)
def test_body_is_whole(world: World, script: Script) -> None:
    world.origin(script)

    assert world.fetch() == BODY


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([answer(body=b"")], id="length"),
        pytest.param([UNTIL_CLOSED], id="until closed"),
        pytest.param([CHUNKED, b"0\r\n\r\n"], id="chunked"),
    ],
)
def test_empty_body_is_failure(world: World, script: Script) -> None:
    world.origin(script)

    with at_once(), pytest.raises(OriginFailed, match="its server sent nothing"):
        world.fetch()


@pytest.mark.parametrize(
    ("address", "target"),
    [
        (f"http://{HOST}", "/"),
        (f"http://{HOST}/", "/"),
        (f"http://{HOST}?b=1&a=2", "/?b=1&a=2"),
        (f"http://{HOST}/a%2Fb%c3%A9/?q=%26&q=a+b&r=&s", "/a%2Fb%c3%A9/?q=%26&q=a+b&r=&s"),
        (f"http://{HOST}//a/../b/./c;d?http://x.example/?", "//a/../b/./c;d?http://x.example/?"),
        (f"http://{HOST}/a[1]|{{2}}^`'\"<>.png", "/a[1]|{2}^`'\"<>.png"),
        (f"http://{HOST}/a.png?b#c?d", "/a.png?b"),
    ],
)
def test_path_and_query_are_sent_as_given(world: World, address: str, target: str) -> None:
    origin = world.origin(ok())

    world.fetch(address)

    assert head_of(origin.requests[0])[0] == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    ("address", "connect_to", "host"),
    [
        (f"http://{HOST}/", (PUBLIC, 80), HOST),
        (f"HTTP://{HOST.upper()}/", (PUBLIC, 80), HOST),
        (f"http://{HOST}:80/", (PUBLIC, 80), HOST),
        (f"http://{HOST}:443/", (PUBLIC, 443), f"{HOST}:443"),
    ],
)
def test_host_is_named_and_its_address_connected_to(
    world: World, address: str, connect_to: tuple[str, int], host: str
) -> None:
    origin = world.origin(ok()) if connect_to[1] == 80 else world.raw_tls_origin(ok())

    world.fetch(address)

    assert world.dialer.connects == [connect_to]
    assert ("host", host) in head_of(origin.requests[0])[1]


def test_request_asks_for_the_plain_image_once(world: World) -> None:
    origin = world.origin(ok())

    world.fetch()

    (request,) = origin.requests
    headers = head_of(request)[1]
    assert sorted(name for name, _ in headers) == [
        "accept",
        "accept-encoding",
        "connection",
        "host",
        "user-agent",
    ]
    assert dict(headers)["accept-encoding"] == "identity"
    assert dict(headers)["connection"] == "close"
    assert dict(headers)["accept"].startswith("image/*")


# --- answers that are no image


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 418, 429, 451, 499])
def test_4xx_is_not_found(world: World, status: int) -> None:
    world.origin([answer(f"{status} No", body=BODY)])

    with pytest.raises(OriginNotFound, match=f"answered {status}"):
        world.fetch()


@pytest.mark.parametrize(
    "status", [101, 103, 201, 204, 205, 206, 226, 300, 304, 305, 306, 399, 500, 502, 503, 504, 599]
)
def test_anything_else_but_200_is_failure(world: World, status: int) -> None:
    world.origin([answer(f"{status} Else", body=b"x")])

    with pytest.raises(OriginFailed, match=f"answered {status}"):
        world.fetch()


def test_redirect_to_nowhere_is_failure(world: World) -> None:
    world.origin([answer("302 Found")])

    with pytest.raises(OriginFailed, match="answered 302"):
        world.fetch()


# --- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    ("location", "host", "target"),
    [
        ("b.png", HOST, "/deep/b.png"),
        ("../b.png?c=d", HOST, "/b.png?c=d"),
        ("/b.png", HOST, "/b.png"),
        ("?c=%20", HOST, "/deep/a.png?c=%20"),
        (f"//{OTHER}/b.png", OTHER, "/b.png"),
        (f"http://{OTHER}/b.png#top", OTHER, "/b.png"),
        (f"http://{OTHER}", OTHER, "/"),
    ],
)
def test_redirect_is_followed(
    world: World, status: int, location: str, host: str, target: str
) -> None:
    origin = world.origin(redirect(location, status), ok())

    assert world.fetch(f"http://{HOST}/deep/a.png?x=y") == BODY

    first, headers = head_of(origin.requests[1])
    assert first == f"GET {target} HTTP/1.1"
    assert ("host", host) in headers
    assert world.dialer.connects == [(PUBLIC, 80), ({HOST: PUBLIC, OTHER: "8.8.8.8"}[host], 80)]


# --- size


SIZED: list[Callable[[bytes], Script]] = [
    lambda body: [answer(body=body)],
    lambda body: [UNTIL_CLOSED, body],
    lambda body: [CHUNKED, b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"],
]


@pytest.mark.parametrize("sized", SIZED, ids=["length", "until closed", "chunked"])
def test_limit_is_the_largest_body_accepted(world: World, sized: Callable[[bytes], Script]) -> None:
    world.origin(sized(BODY), sized(BODY + b"x"))

    assert world.fetch(max_bytes=len(BODY)) == BODY
    with pytest.raises(TooLarge, match=f"over the limit of {len(BODY)} bytes"):
        world.fetch(max_bytes=len(BODY))


# --- time


@pytest.mark.parametrize(("timeout", "low", "high"), [(25, 2.9, 3), (2, 1.5, 2)])
def test_connecting_has_three_seconds_and_never_more_than_are_left(
    world: World, timeout: float, low: float, high: float
) -> None:
    limits: list[float] = []

    def unanswered(_address: str, _port: int, timeout: float) -> socket.socket:
        limits.append(timeout)
        raise TimeoutError

    with pytest.raises(OriginTimeout):
        world.fetch(timeout=timeout, connect=unanswered)
    (limit,) = limits
    assert low <= limit <= high


def test_system_connector_connects_within_a_timeout() -> None:
    with Origin([b"hello"]) as origin, connect("127.0.0.1", origin.port, 3) as connection:
        assert connection.gettimeout() == 3
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(5) == b"hello"


# --- what callers and logs read


def test_log_has_no_address(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.origin([b"HTTP/1.1 200 OK\r\nA header without a colon\r\n\r\n", BODY])

    with caplog.at_level(logging.DEBUG):
        world.fetch(f"{ADDRESS}?signature=secret")
    for secret in ("secret", HOST, PUBLIC, "127.0.0.1"):
        assert secret not in caplog.text


def sentences() -> dict[str, tuple[str, Script]]:
    words = "backend-7.internal at 10.1.2.3 says SELECT"
    return {
        "4xx": (ADDRESS, [answer(f"404 {words}", f"X-Served-By: {words}", body=words.encode())]),
        "5xx": (ADDRESS, [answer(f"500 {words}", body=words.encode())]),
        "encoding": (ADDRESS, [answer(f"200 {words}", f"Content-Encoding: {words}")]),
        "garbage": (ADDRESS, [words.encode()]),
        "chunk": (ADDRESS, [CHUNKED, words.encode() + b"\r\n"]),
        "short": (ADDRESS, [answer("200 OK", "Content-Length: 999", body=words.encode())]),
        "too large": (ADDRESS, [answer("200 OK", "Content-Length: 9999999", body=words.encode())]),
        "private": (ADDRESS, redirect(f"http://{INSIDE}/")),
        "refused": (ADDRESS, redirect("http://10.1.2.3:99/SELECT")),
        "unknown": (ADDRESS, redirect("http://backend-7.internal/SELECT")),
        "timeout": (ADDRESS, [Do.HOLD]),
        "handshake": (SECURE, [words.encode()]),
    }


@pytest.mark.parametrize(("address", "script"), sentences().values(), ids=sentences())
def test_sentence_carries_neither_addresses_nor_words_of_servers(
    world: World, address: str, script: Script
) -> None:
    origin = world.raw_tls_origin(script) if address == SECURE else world.origin(script)

    with pytest.raises(ImgdiffError) as raised:
        world.fetch(address, timeout=HASTY)
    sentence = str(raised.value)
    assert raised.value.field is None
    assert "\n" not in sentence
    for secret in (
        *(PUBLIC, "127.0.0.1", "10.0.0.1", str(origin.port), HOST, INSIDE),
        *("backend-7", "10.1.2.3", "SELECT", "Errno", "Error", "socket", "urllib3", "0x"),
    ):
        assert secret not in sentence
