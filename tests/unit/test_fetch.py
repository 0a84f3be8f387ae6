"""Fetching, over real sockets on loopback: from servers regular, slow, broken and hostile."""

import gc
import ipaddress
import logging
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain, cycle, repeat

import pytest
import trustme

from imgdiff.errors import (
    ImgdiffError,
    InvalidField,
    OriginFailed,
    OriginNotFound,
    OriginTimeout,
    TooLarge,
)
from imgdiff.fetch import Fetcher, connect, resolve
from tests.unit.origin import PUBLIC, Dialer, Do, Names, Origin, Script, Step, answer, drip

HOST = "images.example.com"
OTHER = "elsewhere.example.net"
INSIDE = "inside.example.org"
ADDRESS = f"http://{HOST}/a.png"
SECURE = f"https://{HOST}/a.png"
BODY = bytes(range(256)) * 1000

PATIENT = 10.0  # never used up
HASTY = 0.4  # used up on purpose
GRACE = 0.5  # what may pass after the deadline

WHOLE = answer(body=BODY)
CHUNKED = answer("200 OK", "Transfer-Encoding: chunked")
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"


class World:
    """A fetcher and all it can reach."""

    def __init__(self, stack: ExitStack, ca: trustme.CA, trust: ssl.SSLContext) -> None:
        self._stack = stack
        self._ca = ca
        self._trust = trust
        self._origins: dict[int, Origin] = {}
        self.names = Names({HOST: [[PUBLIC]], OTHER: [["8.8.8.8"]], INSIDE: [["10.0.0.1"]]})
        self.dialer = Dialer(self._origins)

    def origin(self, *scripts: Script, headless: bool = False) -> Origin:
        """Serve port 80."""
        return self._serve(80, Origin(*scripts, headless=headless))

    def tls_origin(self, *scripts: Script, certificate: trustme.LeafCert | None = None) -> Origin:
        """Serve port 443."""
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or self._ca.issue_cert(HOST)).configure_cert(tls)
        return self._serve(443, Origin(*scripts, tls=tls))

    def raw_tls_origin(self, *scripts: Script) -> Origin:
        """Serve port 443 without knowing TLS."""
        return self._serve(443, Origin(*scripts, headless=True))

    def fetch(
        self, address: str = ADDRESS, *, timeout: float = PATIENT, max_bytes: int = 1_000_000
    ) -> bytes:
        fetcher = Fetcher(
            max_bytes=max_bytes,
            timeout=timeout,
            resolve=self.names,
            connect=self.dialer,
            tls=self._trust,
        )
        return fetcher.fetch(address)

    def _serve(self, port: int, origin: Origin) -> Origin:
        self._origins[port] = self._stack.enter_context(origin)
        return origin


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trust(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    ca.configure_trust(context)
    return context


@pytest.fixture
def world(ca: trustme.CA, trust: ssl.SSLContext) -> Iterator[World]:
    with ExitStack() as stack:
        yield World(stack, ca, trust)


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Fail unless what is inside ends at the deadline of ``seconds``, give or take."""
    started = time.monotonic()
    yield
    assert seconds - 0.05 <= time.monotonic() - started < seconds + GRACE


@contextmanager
def at_once() -> Iterator[None]:
    """Fail unless what is inside ends long before the deadline of a patient fetch."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < PATIENT / 4


def redirect(location: str, status: int = 302) -> Script:
    return [answer(f"{status} Moved", f"Location: {location}")]


def ok(body: bytes = BODY) -> Script:
    return [answer(body=body)]


def head_of(request: bytes) -> tuple[str, list[tuple[str, str]]]:
    first, *lines = request.decode("ascii").removesuffix("\r\n\r\n").split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return first, [(name.lower(), value) for name, value in pairs]


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


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
@pytest.mark.parametrize("address", [ADDRESS, SECURE])
def test_proxies_of_the_environment_are_ignored(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    world.origin(ok())
    world.tls_origin(ok())
    with Origin([answer(body=b"by proxy")], headless=True) as proxy:
        monkeypatch.setenv(variable, f"http://127.0.0.1:{proxy.port}")

        assert world.fetch(address) == BODY
        assert proxy.requests == []


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


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "GZIP", "unknown"])
def test_encoding_not_asked_for_is_failure(world: World, encoding: str) -> None:
    world.origin([answer("200 OK", f"Content-Encoding: {encoding}", body=BODY)])

    with pytest.raises(OriginFailed, match="encoding not asked for"):
        world.fetch()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"\r\n"], id="empty line"),
        pytest.param([b"\x89PNG\r\n\x1a\n" + BODY], id="no http"),
        pytest.param([b"HTTP/1.1\r\n\r\n"], id="no status"),
        pytest.param([b"HTTP/1.1 OK 200\r\n\r\n"], id="no number"),
        pytest.param([b"HTTP/1.1 2000 OK\r\n\r\n"], id="four digits"),
        pytest.param([b"HTTP/1.1 -200 OK\r\n\r\n"], id="negative"),
        pytest.param([b"HTTP/2 200 OK\r\n\r\n"], id="other version"),
        pytest.param([b"SSH-2.0-OpenSSH_9.9\r\n"], id="other protocol"),
        pytest.param([b"HTTP/1.1 200 " + b"x" * (1 << 17)], id="endless status line"),
        pytest.param(chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"x" * 1000)), id="endless header"),
        pytest.param(chain([b"HTTP/1.1 200 OK\r\n"], repeat(b"A: b\r\n")), id="endless headers"),
        pytest.param([answer("200 OK", "Content-Length: 5, 6", body=b"12345")], id="two lengths"),
        pytest.param([answer("200 OK", "Content-Length: 1000", body=b"short")], id="short body"),
        pytest.param([CHUNKED], id="no chunk"),
        pytest.param([CHUNKED, b"5\r\n123"], id="short chunk"),
        pytest.param([CHUNKED, b"5\r\n12345\r\n"], id="no last chunk"),
        pytest.param([CHUNKED, b"five\r\n12345\r\n0\r\n\r\n"], id="chunk size in words"),
        pytest.param([CHUNKED, b"\r\n12345\r\n0\r\n\r\n"], id="no chunk size"),
        pytest.param([CHUNKED, b"-5\r\n12345\r\n0\r\n\r\n"], id="negative chunk size"),
        pytest.param(chain([CHUNKED], repeat(b"0" * 1000)), id="endless chunk size"),
        pytest.param([CHUNKED, b"1;" + b"x" * (1 << 17)], id="endless chunk extension"),
        pytest.param([Do.RESET], id="reset at once"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-", Do.RESET], id="reset in the head"),
        pytest.param([answer("200 OK", "Content-Length: 9"), Do.RESET], id="reset later"),
        pytest.param([UNTIL_CLOSED, BODY, 0.1, Do.RESET], id="reset instead of close"),
    ],
)
def test_broken_protocol_is_failure(world: World, script: Script) -> None:
    world.origin(script)

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch()


def test_chunk_without_end_is_not_gathered(world: World) -> None:
    # -1 means "all there is" to whoever reads that many bytes.
    world.origin([CHUNKED, b"-1\r\n", *repeat(bytes(1 << 16), 64), Do.HOLD])

    with at_once(), pytest.raises((OriginFailed, TooLarge)):
        world.fetch(timeout=2, max_bytes=1000)


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


def test_redirect_may_lead_to_https(world: World) -> None:
    world.origin(redirect(SECURE))
    secure = world.tls_origin(ok())

    assert world.fetch() == BODY
    assert world.dialer.connects == [(PUBLIC, 80), (PUBLIC, 443)]
    assert secure.names == [HOST]


def test_three_redirects_are_followed(world: World) -> None:
    origin = world.origin(redirect("/1"), redirect("/2"), redirect("/3"), ok())

    assert world.fetch() == BODY
    assert [head_of(request)[0].split()[1] for request in origin.requests] == [
        *("/a.png", "/1", "/2", "/3"),
    ]


def test_four_redirects_are_not(world: World) -> None:
    world.origin(*(redirect(f"/{n}") for n in range(1, 5)), ok())

    with pytest.raises(OriginFailed, match="redirects more than 3 times"):
        world.fetch()
    assert len(world.dialer.connects) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        f"http://{INSIDE}/",
        f"//{INSIDE}/",
    ],
)
def test_redirect_inside_is_refused_without_connecting(world: World, location: str) -> None:
    world.names = Names(
        {
            HOST: [[PUBLIC]],
            INSIDE: [["10.0.0.1"]],
            **{host: [[host]] for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1")},
        }
    )
    world.origin(redirect(location), ok())

    with pytest.raises(InvalidField, match="must be a public address"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "location",
    [
        f"http://{OTHER}/ü.png",
        f"http://{OTHER}/a b.png",
        f"http://{OTHER}/a\tb.png",
        f"http://{OTHER}/a\x01b.png",
        f"http://{OTHER}\\@{INSIDE}/",
        f"http://user:password@{OTHER}/",
        f"http://{OTHER}:22/",
        f"http://{OTHER}:8080/",
        f"http://{OTHER}:port/",
        f"http://{OTHER}./",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://[::1]/",
        "http://[/",
        "//[x]/",
        "file:///etc/passwd",
        "ftp://ftp.example.com/a.png",
        "gopher://example.com/",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "",
        "/" + "x" * 2048,
    ],
)
def test_redirect_to_a_refused_address_is_refused(world: World, location: str) -> None:
    world.origin(redirect(location), ok())

    with pytest.raises(InvalidField):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_two_locations_are_refused(world: World) -> None:
    world.origin([answer("302 Found", "Location: /b.png", f"Location: http://{OTHER}/")], ok())

    with pytest.raises(InvalidField):
        world.fetch()


def test_redirect_from_https_to_http_is_refused(world: World) -> None:
    world.tls_origin(redirect(ADDRESS))
    world.origin(ok())

    with pytest.raises(InvalidField, match="redirects from https to http"):
        world.fetch(SECURE)
    assert world.dialer.connects == [(PUBLIC, 443)]


# --- names and addresses


def test_refused_address_is_not_even_resolved(world: World) -> None:
    with pytest.raises(InvalidField):
        world.fetch("http://user@images.example.com/")
    assert world.names.asked == []


def test_unknown_host_is_not_found(world: World) -> None:
    with pytest.raises(OriginNotFound, match="names a host that does not exist"):
        world.fetch("http://nobody.example.com/")
    assert world.dialer.connects == []


def test_host_without_addresses_is_not_found(world: World) -> None:
    world.names = Names({HOST: [[]]})

    with pytest.raises(OriginNotFound, match="names a host that does not exist"):
        world.fetch()
    assert world.dialer.connects == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["0.0.0.0"],
        ["169.254.169.254"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, "8.8.8.8", "172.16.0.1", "1.1.1.1"],
        [PUBLIC, "::1"],
        [PUBLIC, "::ffff:93.184.215.14"],
        [PUBLIC, "fd00:ec2::254"],
        [PUBLIC, "64:ff9b::a00:1"],
        [PUBLIC, "fe80::1%eth0"],
        [PUBLIC, ""],
    ],
)
def test_host_is_refused_unless_all_its_addresses_are_public(
    world: World, addresses: list[str]
) -> None:
    world.names = Names({HOST: [addresses]})

    with pytest.raises(InvalidField, match="must be a public address"):
        world.fetch()
    assert world.dialer.connects == []


def test_name_is_resolved_once_and_the_checked_address_connected_to(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC, "8.8.8.8"], ["127.0.0.1"]]})
    world.origin(ok())

    assert world.fetch() == BODY
    assert world.names.asked == [HOST]
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_every_hop_is_resolved_and_checked_anew(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC], ["8.8.8.8"], ["127.0.0.1"]]})
    world.origin(redirect("/1"), redirect("/2"), ok())

    with pytest.raises(InvalidField, match="must be a public address"):
        world.fetch()
    assert world.names.asked == [HOST] * 3
    assert world.dialer.connects == [(PUBLIC, 80), ("8.8.8.8", 80)]


def test_system_resolver_reads_addresses() -> None:
    assert resolve("127.0.0.1") == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "192.168.0.1"])
def test_fetcher_as_shipped_refuses_what_is_not_public(host: str) -> None:
    with pytest.raises(InvalidField, match="must be a public address"):
        Fetcher(max_bytes=1000, timeout=PATIENT).fetch(f"http://{host}/")


def test_fetcher_as_shipped_refuses_a_label_that_no_name_server_knows() -> None:
    with pytest.raises((InvalidField, OriginNotFound)):
        Fetcher(max_bytes=1000, timeout=PATIENT).fetch(f"http://{'a' * 64}.example.com/")


def test_system_connector_connects_within_a_timeout() -> None:
    with Origin([b"hello"]) as origin, connect("127.0.0.1", origin.port, 3) as connection:
        assert connection.gettimeout() == 3
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(5) == b"hello"


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


@pytest.mark.parametrize("length", [1001, 10**12, 10**4000])
def test_announced_length_over_the_limit_is_refused_before_any_body(
    world: World, length: int
) -> None:
    world.origin([answer("200 OK", f"Content-Length: {length}"), Do.HOLD])

    with at_once(), pytest.raises(TooLarge):
        world.fetch(max_bytes=1000)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda: chain([UNTIL_CLOSED], repeat(b"x" * 1000)), id="until closed"),
        pytest.param(
            lambda: chain([CHUNKED], repeat(b"3e8\r\n" + b"x" * 1000 + b"\r\n")), id="chunks"
        ),
        pytest.param(
            lambda: chain([CHUNKED, b"fffffffffffffff\r\n"], repeat(b"x" * 1000)), id="one chunk"
        ),
    ],
)
def test_endless_body_is_cut_at_the_limit(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with at_once(), pytest.raises(TooLarge, match="over the limit of 100000 bytes"):
        world.fetch(max_bytes=100_000)


# --- time


def test_slow_resolver_is_not_waited_for(world: World) -> None:
    done = threading.Event()

    def dawdle(_: str) -> list[str]:
        done.wait(PATIENT)
        return [PUBLIC]

    fetcher = Fetcher(max_bytes=1000, timeout=HASTY, resolve=dawdle, connect=world.dialer)
    try:
        with in_time(HASTY), pytest.raises(OriginTimeout):
            fetcher.fetch(ADDRESS)
    finally:
        done.set()
    assert world.dialer.connects == []


def test_refused_connection_is_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    def refused(_address: str, _port: int, timeout: float) -> socket.socket:
        return connect("127.0.0.1", port, timeout)

    names = Names({HOST: [[PUBLIC]]})
    fetcher = Fetcher(max_bytes=1000, timeout=PATIENT, resolve=names, connect=refused)
    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        fetcher.fetch(ADDRESS)


def test_connection_that_does_not_come_about_is_timeout() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # a full backlog leaves further connections unanswered
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(server.getsockname())

        def unanswered(_address: str, _port: int, timeout: float) -> socket.socket:
            return connect("127.0.0.1", server.getsockname()[1], timeout)

        names = Names({HOST: [[PUBLIC]]})
        fetcher = Fetcher(max_bytes=1000, timeout=HASTY, resolve=names, connect=unanswered)
        with in_time(HASTY), pytest.raises(OriginTimeout):
            fetcher.fetch(ADDRESS)


@pytest.mark.parametrize(("timeout", "low", "high"), [(25, 2.9, 3), (2, 1.5, 2)])
def test_connecting_has_three_seconds_and_never_more_than_are_left(
    timeout: float, low: float, high: float
) -> None:
    limits: list[float] = []

    def unanswered(_address: str, _port: int, timeout: float) -> socket.socket:
        limits.append(timeout)
        raise TimeoutError

    names = Names({HOST: [[PUBLIC]]})
    fetcher = Fetcher(max_bytes=1000, timeout=timeout, resolve=names, connect=unanswered)
    with pytest.raises(OriginTimeout):
        fetcher.fetch(ADDRESS)
    (limit,) = limits
    assert low <= limit <= high


def test_connection_that_comes_too_late_is_given_back(world: World) -> None:
    origin = world.origin([Do.HOLD], headless=True)

    def late(address: str, port: int, timeout: float) -> socket.socket:
        connection = world.dialer(address, port, timeout)
        connection.sendall(b"x")
        time.sleep(HASTY)
        return connection

    fetcher = Fetcher(max_bytes=1000, timeout=HASTY, resolve=world.names, connect=late)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with in_time(HASTY), pytest.raises(OriginTimeout):
            fetcher.fetch(ADDRESS)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert origin.hung_up.wait(2)


SLOW: dict[str, Callable[[], Script]] = {
    "silence": lambda: [Do.HOLD],
    "silence in the status line": lambda: [b"HTTP/1.1 2", Do.HOLD],
    "silence in the head": lambda: [b"HTTP/1.1 200 OK\r\nA: b\r\n", Do.HOLD],
    "silence after the head": lambda: [UNTIL_CLOSED, Do.HOLD],
    "silence in the body": lambda: [answer("200 OK", "Content-Length: 9", body=b"x"), Do.HOLD],
    "silence in a chunk": lambda: [CHUNKED, b"5\r\n12", Do.HOLD],
    "silence after chunks": lambda: [CHUNKED, b"1\r\nx\r\n0\r\n", Do.HOLD],
    "late answer": lambda: [HASTY + 0.2, answer(body=BODY)],
    "dripping status line": lambda: drip(b"HTTP/1.1 200 OK" + b" " * 100),
    "dripping head": lambda: chain([b"HTTP/1.1 200 OK\r\n"], drip(cycle(b"A: b\r\n"))),
    "dripping header": lambda: chain([b"HTTP/1.1 200 OK\r\nA: "], drip(cycle(b"b"))),
    "dripping status line of 404": lambda: drip(b"HTTP/1.1 404 Not Found" + b" " * 100),
    "dripping head of 404": lambda: chain([b"HTTP/1.1 404 No\r\n"], drip(cycle(b"A: b\r\n"))),
    "dripping redirect": lambda: chain(
        [b"HTTP/1.1 302 Found\r\nLocation: http://"], drip(cycle(b"a"))
    ),
    "dripping body": lambda: chain([answer("200 OK", "Content-Length: 999")], drip(cycle(b"x"))),
    "dripping body until closed": lambda: chain([UNTIL_CLOSED], drip(cycle(b"x"))),
    "dripping chunks": lambda: chain([CHUNKED], drip(cycle(b"1\r\nx\r\n"))),
    "dripping chunk size": lambda: chain([CHUNKED], drip(cycle(b"0"))),
    "dripping trailers": lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\n"], drip(cycle(b"A: b\r\n"))),
    "dripping continue": lambda: drip(cycle(b"HTTP/1.1 100 Continue\r\n\r\n"), 0.01),
}


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_slow_answer_is_cut_at_the_deadline(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY)


ENDLESS: dict[str, Callable[[], Script]] = {
    "continue": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "trailers": lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\n"], repeat(b"A: b\r\n" * 100)),
    "chunk extensions": lambda: chain(
        [CHUNKED],
        repeat(b"1;" + b"a" * 1000 + b"\r\nx\r\n"),
    ),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_endless_framing_is_cut_at_the_deadline(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY, max_bytes=1_000_000_000)


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_endless_framing_counts_as_size(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with at_once(), pytest.raises(TooLarge):
        world.fetch(max_bytes=1000)


@pytest.mark.parametrize(
    "name", ["silence", "dripping head", "dripping body", "dripping body until closed"]
)
def test_slow_answer_over_tls_is_cut_at_the_deadline(world: World, name: str) -> None:
    world.tls_origin(SLOW[name]())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, timeout=HASTY)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Do.HOLD], id="silence"),
        pytest.param(chain([b"\x16\x03\x03\x40\x00"], drip(cycle(b"\x02"))), id="dripping"),
    ],
)
def test_slow_tls_handshake_is_cut_at_the_deadline(world: World, script: Script) -> None:
    world.raw_tls_origin(script)

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, timeout=HASTY)


def test_all_hops_share_one_deadline(world: World) -> None:
    def late(number: int) -> Script:
        return [HASTY * 0.4, *redirect(f"/{number}")]

    world.origin(late(1), late(2), late(3), ok())

    with in_time(HASTY), pytest.raises(OriginTimeout):
        world.fetch(timeout=HASTY)
    assert len(world.dialer.connects) == 3


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
@pytest.mark.parametrize(
    "head",
    [
        pytest.param([answer("404 No", body=b"x")], id="not found"),
        pytest.param([answer("302 No", "Location: ftp://a.b/")], id="refused"),
        pytest.param([answer(body=BODY)], id="too large"),
        pytest.param([UNTIL_CLOSED, BODY], id="too large, streamed"),
        pytest.param([b"garbage\r\n\r\n"], id="garbage"),
        pytest.param([CHUNKED, b"garbage\r\n"], id="garbage in the body"),
    ],
)
def test_connection_is_closed_whatever_was_answered(
    world: World, head: list[Step], address: str
) -> None:
    script: list[Step] = [*head, Do.HOLD]
    origin = world.tls_origin(script) if address == SECURE else world.origin(script)

    # The error is held on to, and still holds nothing open.
    with at_once(), pytest.raises(ImgdiffError) as raised:
        world.fetch(address, max_bytes=1000)
    assert origin.hung_up.wait(2), raised


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
def test_connection_is_closed_after_the_body(world: World, address: str) -> None:
    script: list[Step] = [answer(body=BODY), Do.HOLD]
    origin = world.tls_origin(script) if address == SECURE else world.origin(script)

    with at_once():
        assert world.fetch(address) == BODY
    assert origin.hung_up.wait(2)


def test_no_thread_stays(world: World) -> None:
    world.origin(redirect("/1"), ok())
    before = threading.active_count()

    world.fetch()

    limit = time.monotonic() + 2
    while threading.active_count() > before and time.monotonic() < limit:
        time.sleep(0.01)
    assert threading.active_count() <= before


# --- TLS


def test_tls_names_the_host_and_checks_it(world: World) -> None:
    origin = world.tls_origin(ok())

    assert world.fetch(f"https://{HOST}/a%20b.png?c") == BODY
    assert origin.names == [HOST]
    assert world.dialer.connects == [(PUBLIC, 443)]
    first, headers = head_of(origin.requests[0])
    assert first == "GET /a%20b.png?c HTTP/1.1"
    assert ("host", HOST) in headers


def test_tls_with_a_bare_address_checks_the_address(world: World, ca: trustme.CA) -> None:
    world.names = Names({PUBLIC: [[PUBLIC]]})
    certificate = ca.issue_cert(str(ipaddress.ip_address(PUBLIC)))
    origin = world.tls_origin(ok(), certificate=certificate)

    assert world.fetch(f"https://{PUBLIC}/") == BODY
    assert origin.names == [None]


def test_certificate_of_a_later_hop_is_checked_against_that_hop(world: World) -> None:
    origin = world.tls_origin(redirect(f"https://{OTHER}/"), ok())

    with pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)
    assert origin.names == [HOST, OTHER]
    assert len(origin.requests) == 1


def _wrong_host(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert(OTHER, f"www.{HOST}")


def _checked_address(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert(PUBLIC)


def _untrusted(_: trustme.CA) -> trustme.LeafCert:
    return trustme.CA().issue_cert(HOST)


def _expired(ca: trustme.CA) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return ca.issue_cert(
        HOST, not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
    )


def _not_yet_valid(ca: trustme.CA) -> trustme.LeafCert:
    now = datetime.now(UTC)
    return ca.issue_cert(
        HOST, not_before=now + timedelta(days=1), not_after=now + timedelta(days=9)
    )


@pytest.mark.parametrize(
    "issue", [_wrong_host, _checked_address, _untrusted, _expired, _not_yet_valid]
)
def test_wrong_certificate_is_failure(
    world: World, ca: trustme.CA, issue: Callable[[trustme.CA], trustme.LeafCert]
) -> None:
    origin = world.tls_origin(ok(), certificate=issue(ca))

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)
    assert origin.requests == []


def test_certificate_of_the_tests_is_not_trusted_as_shipped(world: World) -> None:
    origin = world.tls_origin(ok())

    fetcher = Fetcher(max_bytes=1000, timeout=PATIENT, resolve=world.names, connect=world.dialer)
    with pytest.raises(OriginFailed):
        fetcher.fetch(SECURE)
    assert origin.requests == []


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([], id="closed"),
        pytest.param([Do.RESET], id="reset"),
        pytest.param([answer(body=BODY)], id="http"),
        pytest.param([b"\x15\x03\x03\x00\x02\x02\x28"], id="alert"),
        pytest.param([b"\x16\x03\x03\x40\x00" + b"\x02" * 0x4000], id="garbage"),
    ],
)
def test_broken_tls_handshake_is_failure(world: World, script: Script) -> None:
    world.raw_tls_origin(script)

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)


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
