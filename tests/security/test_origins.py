"""Servers that drip, stall, reset, lie and never end are left in time, with the right error."""

import gc
import gzip
import select
import socket
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import ExitStack, suppress
from itertools import chain, cycle, repeat
from typing import Any

import pytest

from imgdiff import fetch
from imgdiff.errors import ImgdiffError, OriginFailed, OriginTimeout, TooLarge
from imgdiff.fetch import Connector, connect
from tests.security.conftest import (
    ADDRESS,
    BODY,
    CHUNKED,
    HASTY,
    SECURE,
    UNTIL_CLOSED,
    World,
    at_once,
    in_time,
    ok,
    redirect,
)
from tests.security.origin import PUBLIC, Do, Origin, Script, Step, answer, drip

BRIEF = 0.2  # silence that is too long, in place of five seconds


def serve(world: World, address: str, *scripts: Script) -> Origin:
    return world.tls_origin(*scripts) if address == SECURE else world.origin(*scripts)


# --- what is no HTTP, or not all of it

HEADERS = b"HTTP/1.1 200 OK\r\n"

BROKEN: dict[str, Callable[[], Script]] = {
    "nothing": list,
    "empty line": lambda: [b"\r\n"],
    "no http": lambda: [b"\x89PNG\r\n\x1a\n" + BODY],
    "no status": lambda: [b"HTTP/1.1\r\n\r\n"],
    "no number": lambda: [b"HTTP/1.1 OK 200\r\n\r\n"],
    "four digits": lambda: [b"HTTP/1.1 2000 OK\r\n\r\n"],
    "negative": lambda: [b"HTTP/1.1 -200 OK\r\n\r\n"],
    "other version": lambda: [b"HTTP/2 200 OK\r\n\r\n"],
    "other protocol": lambda: [b"SSH-2.0-OpenSSH_9.9\r\n"],
    "endless status line": lambda: chain([b"HTTP/1.1 200 "], repeat(b"x" * 1000)),
    "endless header": lambda: chain([HEADERS], repeat(b"x" * 1000)),
    "endless headers": lambda: chain([HEADERS], repeat(b"A: b\r\n")),
    "endless large headers": lambda: chain([HEADERS], repeat(b"A: " + b"b" * 60_000 + b"\r\n")),
    "endless folded header": lambda: chain([HEADERS, b"A: b\r\n"], repeat(b" b\r\n")),
    "endless continue": lambda: repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "endless early hints": lambda: repeat(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
    # Lines of 64 kB are 20,000 headers each to the HTTP library, which took half a minute for them.
    "headers within lines": lambda: [HEADERS, *repeat(b"a:\r" * 21_000 + b"\n", 99), b"\r\n"],
    "lines within lines": lambda: [HEADERS, *repeat(b"a\r" * 32_000 + b"\n", 99), b"\r\n"],
    "cut short in the head": lambda: [b"HTTP/1.1 200 OK\r\nContent-Le"],
    "two lengths": lambda: [answer("200 OK", "Content-Length: 5, 6", body=b"12345")],
    "two lengths, apart": lambda: [
        answer("200 OK", "Content-Length: 5", "Content-Length: 6", body=b"12345")
    ],
    "short body": lambda: [answer("200 OK", "Content-Length: 1000", body=b"short")],
    "no body": lambda: [answer("200 OK", "Content-Length: 1000")],
    "no chunk": lambda: [CHUNKED],
    "short chunk": lambda: [CHUNKED, b"5\r\n123"],
    "no last chunk": lambda: [CHUNKED, b"5\r\n12345\r\n"],
    "chunk without its end": lambda: [CHUNKED, b"5\r\n12345"],
    "chunk longer than its size": lambda: [CHUNKED, b"5\r\n1234567\r\n0\r\n\r\n"],
    "chunk size in words": lambda: [CHUNKED, b"five\r\n12345\r\n0\r\n\r\n"],
    "chunk size in a fraction": lambda: [CHUNKED, b"5.0\r\n12345\r\n0\r\n\r\n"],
    "chunk size beyond hexadecimal": lambda: [CHUNKED, b"g\r\n12345\r\n0\r\n\r\n"],
    "chunk size with a zero byte": lambda: [CHUNKED, b"5\x00\r\n12345\r\n0\r\n\r\n"],
    "no chunk size": lambda: [CHUNKED, b"\r\n12345\r\n0\r\n\r\n"],
    "no chunk size but an extension": lambda: [CHUNKED, b";a=b\r\n12345\r\n0\r\n\r\n"],
    "negative chunk size": lambda: [CHUNKED, b"-5\r\n12345\r\n0\r\n\r\n"],
    "huge chunk size": lambda: [CHUNKED, b"f" * 60 + b"\r\n12345\r\n0\r\n\r\n"],
    "chunk size of many digits": lambda: [CHUNKED, b"0" * 5000 + b"5\r\n12345"],
    "endless chunk size": lambda: chain([CHUNKED], repeat(b"0" * 1000)),
    "endless chunk extension": lambda: chain([CHUNKED, b"1;"], repeat(b"x" * 1000)),
    "endless trailer": lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\nA: "], repeat(b"x" * 1000)),
    "chunks that are none": lambda: [CHUNKED, BODY],
    "reset at once": lambda: [Do.RESET],
    "reset in the status line": lambda: [b"HTTP/1.1 2", Do.RESET],
    "reset in the head": lambda: [b"HTTP/1.1 200 OK\r\nContent-", Do.RESET],
    "reset after the head": lambda: [answer("200 OK", "Content-Length: 9"), Do.RESET],
    "reset in the body": lambda: [answer("200 OK", "Content-Length: 9", body=b"x"), 0.1, Do.RESET],
    "reset instead of close": lambda: [UNTIL_CLOSED, BODY, 0.1, Do.RESET],
    "reset in a chunk size": lambda: [CHUNKED, b"5", 0.1, Do.RESET],
    "reset in a chunk": lambda: [CHUNKED, b"5\r\n123", 0.1, Do.RESET],
    "reset in the trailers": lambda: [CHUNKED, b"1\r\nx\r\n0\r\nA: ", 0.1, Do.RESET],
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_broken_answer_is_failure(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with (
        at_once(),
        pytest.raises(OriginFailed, match=r"its server (failed|answered 103|sent nothing)"),
    ):
        world.fetch()


@pytest.mark.parametrize(
    "name", ["nothing", "short body", "no last chunk", "headers within lines", "reset in the head"]
)
def test_broken_answer_over_tls_is_failure(world: World, name: str) -> None:
    world.tls_origin(BROKEN[name]())

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)


def test_chunk_without_end_is_not_gathered(world: World) -> None:
    # -1 means "all there is" to whoever reads that many bytes.
    world.origin([CHUNKED, b"-1\r\n", *repeat(bytes(1 << 16), 64), Do.HOLD])

    with at_once(), pytest.raises((OriginFailed, TooLarge)):
        world.fetch(timeout=2, max_bytes=1000)


def test_refused_connection_is_failure(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(connect=lambda *_: connect(host, port, 1))


# --- what claims to be something else


@pytest.mark.parametrize(
    "encoding",
    [
        *("gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "compress", "aes128gcm", "unknown"),
        *("identity, gzip", "gzip, identity", "gzip, gzip", "identity;q=1"),
    ],
)
def test_encoding_not_asked_for_is_failure(world: World, encoding: str) -> None:
    world.origin([answer("200 OK", f"Content-Encoding: {encoding}", body=gzip.compress(BODY))])

    with pytest.raises(OriginFailed, match="encoding not asked for"):
        world.fetch()


def test_second_encoding_is_seen(world: World) -> None:
    encodings = ("Content-Encoding: identity", "Content-Encoding: gzip")
    world.origin([answer("200 OK", *encodings, body=gzip.compress(BODY))])

    with pytest.raises(OriginFailed, match="encoding not asked for"):
        world.fetch()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_encoding_of_the_transfer_is_not_undone(world: World, encoding: str) -> None:
    packed = gzip.compress(BODY)
    world.origin([answer("200 OK", f"Transfer-Encoding: {encoding}", body=packed)])

    assert world.fetch() == packed


@pytest.mark.parametrize("rest", [b"more", answer(body=BODY), b"x" * 1_000_000])
def test_body_ends_where_its_length_says(world: World, rest: bytes) -> None:
    world.origin([answer("200 OK", "Content-Length: 5", body=b"12345"), rest])

    assert world.fetch() == b"12345"


def test_body_ends_with_the_last_chunk(world: World) -> None:
    world.origin([CHUNKED, b"5\r\n12345\r\n0\r\n\r\n", b"5\r\n67890\r\n0\r\n\r\n", Do.HOLD])

    assert world.fetch() == b"12345"


# --- what is too much


@pytest.mark.parametrize("length", [1001, 10**12, 10**4000])
def test_announced_length_over_the_limit_is_refused_before_any_body(
    world: World, length: int
) -> None:
    world.origin([answer("200 OK", f"Content-Length: {length}"), Do.HOLD])

    with at_once(), pytest.raises(TooLarge):
        world.fetch(max_bytes=1000)


ENDLESS: dict[str, Callable[[], Script]] = {
    "until closed": lambda: chain([UNTIL_CLOSED], repeat(b"x" * 1000)),
    "length of no number": lambda: chain(
        [answer("200 OK", "Content-Length: many")], repeat(b"x" * 1000)
    ),
    "negative length": lambda: chain([answer("200 OK", "Content-Length: -1")], repeat(b"x" * 1000)),
    "chunks": lambda: chain([CHUNKED], repeat(b"3e8\r\n" + b"x" * 1000 + b"\r\n")),
    "one chunk": lambda: chain([CHUNKED, b"fffffffffffffff\r\n"], repeat(b"x" * 1000)),
    "chunks and a length": lambda: chain(
        [answer("200 OK", "Content-Length: 5", "Transfer-Encoding: chunked")],
        repeat(b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
    ),
}


@pytest.mark.parametrize("script", ENDLESS.values(), ids=ENDLESS)
def test_endless_body_is_cut_at_the_limit(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with at_once(), pytest.raises(TooLarge, match="over the limit of 100000 bytes"):
        world.fetch(max_bytes=100_000)


ENDLESS_FRAMING: dict[str, Callable[[], Script]] = {
    "trailers": lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\n"], repeat(b"A: b\r\n" * 100)),
    "chunk extensions": lambda: chain([CHUNKED], repeat(b"1;" + b"a" * 1000 + b"\r\nx\r\n")),
}


@pytest.mark.parametrize("script", ENDLESS_FRAMING.values(), ids=ENDLESS_FRAMING)
def test_endless_framing_counts_as_size(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with at_once(), pytest.raises(TooLarge):
        world.fetch(max_bytes=1000)


@pytest.mark.parametrize("script", ENDLESS_FRAMING.values(), ids=ENDLESS_FRAMING)
def test_endless_framing_is_cut_at_the_deadline(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY, max_bytes=1_000_000_000)


def test_what_came_before_the_deadline_is_not_worked_off_after_it(world: World) -> None:
    # The system takes in megabytes ahead, and still hands them out when the connection is cut.
    world.origin([CHUNKED, b"1\r\nx\r\n" * 100_000, Do.HOLD])
    reads = 0

    class Late(socket.socket):
        def recv_into(self, *arguments: Any) -> int:
            nonlocal reads
            reads += 1
            time.sleep(HASTY)
            return super().recv_into(*arguments)

    def late(address: str, port: int, timeout: float) -> socket.socket:
        connection = Late(fileno=world.dialer(address, port, timeout).detach())
        connection.settimeout(timeout)
        return connection

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY, connect=late)
    assert reads == 1


# --- what is too slow

SLOW: dict[str, Callable[[], Script]] = {
    "silence": lambda: [Do.HOLD],
    "silence in the status line": lambda: [b"HTTP/1.1 2", Do.HOLD],
    "silence in the head": lambda: [b"HTTP/1.1 200 OK\r\nA: b\r\n", Do.HOLD],
    "silence after a continue": lambda: [b"HTTP/1.1 100 Continue\r\n\r\n", Do.HOLD],
    "silence after the head": lambda: [UNTIL_CLOSED, Do.HOLD],
    "silence in the body": lambda: [answer("200 OK", "Content-Length: 9", body=b"x"), Do.HOLD],
    "silence in a chunk size": lambda: [CHUNKED, b"5", Do.HOLD],
    "silence in a chunk": lambda: [CHUNKED, b"5\r\n12", Do.HOLD],
    "silence after a chunk": lambda: [CHUNKED, b"5\r\n12345\r\n", Do.HOLD],
    "silence in the trailers": lambda: [CHUNKED, b"1\r\nx\r\n0\r\n", Do.HOLD],
    "late answer": lambda: [HASTY + 0.2, answer(body=BODY)],
}
DRIPPING: dict[str, Callable[[], Script]] = {
    "status line": lambda: drip(b"HTTP/1.1 200 OK" + b" " * 100),
    "head": lambda: chain([HEADERS], drip(cycle(b"A: b\r\n"))),
    "header": lambda: chain([HEADERS, b"A: "], drip(cycle(b"b"))),
    "status line of 404": lambda: drip(b"HTTP/1.1 404 Not Found" + b" " * 100),
    "head of 404": lambda: chain([b"HTTP/1.1 404 No\r\n"], drip(cycle(b"A: b\r\n"))),
    "redirect": lambda: chain([b"HTTP/1.1 302 Found\r\nLocation: http://"], drip(cycle(b"a"))),
    "body": lambda: chain([answer("200 OK", "Content-Length: 999")], drip(cycle(b"x"))),
    "body until closed": lambda: chain([UNTIL_CLOSED], drip(cycle(b"x"))),
    "chunks": lambda: chain([CHUNKED], drip(cycle(b"1\r\nx\r\n"))),
    "chunk size": lambda: chain([CHUNKED], drip(cycle(b"0"))),
    "chunk extension": lambda: chain([CHUNKED, b"1;"], drip(cycle(b"a"))),
    "trailers": lambda: chain([CHUNKED, b"1\r\nx\r\n0\r\n"], drip(cycle(b"A: b\r\n"))),
    "continue": lambda: drip(cycle(b"HTTP/1.1 100 Continue\r\n\r\n"), 0.01),
}


@pytest.mark.parametrize(
    "script",
    [*SLOW.values(), *DRIPPING.values()],
    ids=[*SLOW, *(f"dripping {d}" for d in DRIPPING)],
)
def test_slow_answer_is_cut_at_the_deadline(world: World, script: Callable[[], Script]) -> None:
    world.origin(script())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY)


@pytest.mark.parametrize(
    "script",
    [SLOW["silence"], DRIPPING["head"], DRIPPING["body"], DRIPPING["body until closed"]],
    ids=["silence", "dripping head", "dripping body", "dripping body until closed"],
)
def test_slow_answer_over_tls_is_cut_at_the_deadline(
    world: World, script: Callable[[], Script]
) -> None:
    world.tls_origin(script())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, timeout=HASTY)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Do.HOLD], id="silence"),
        pytest.param([b"\x16\x03\x03", Do.HOLD], id="silence in a record"),
        pytest.param(chain([b"\x16\x03\x03\x40\x00"], drip(cycle(b"\x02"))), id="dripping"),
    ],
)
def test_slow_handshake_is_cut_at_the_deadline(world: World, script: Script) -> None:
    world.raw_tls_origin(script)

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, timeout=HASTY)


def trickling(connect: Connector, whole: int) -> Connector:
    """Connect through a relay that hands on what comes byte after byte, after ``whole`` bytes."""

    def relay(inner: socket.socket, far: socket.socket) -> None:
        left = whole
        with inner, far, suppress(OSError):
            while True:
                ready, _, _ = select.select([inner, far], [], [])
                if inner in ready:
                    asked = inner.recv(1 << 16)
                    if not asked:
                        return
                    far.sendall(asked)
                if far in ready:
                    answered = far.recv(left or 1)
                    if not answered:
                        return
                    inner.sendall(answered)
                    left -= min(left, len(answered))
                    time.sleep(0 if left else 0.01)

    def through(address: str, port: int, timeout: float) -> socket.socket:
        near, inner = socket.socketpair()
        near.settimeout(timeout)
        far = connect(address, port, timeout)
        threading.Thread(target=relay, args=[inner, far], daemon=True).start()
        return near

    return through


@pytest.mark.parametrize("whole", [0, 1 << 14], ids=["handshake", "record"])
def test_dripping_tls_is_cut_at_the_deadline(world: World, whole: int) -> None:
    world.tls_origin(ok())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, timeout=HASTY, connect=trickling(world.dialer, whole))


def test_server_that_never_accepts_is_cut_at_the_deadline(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()

        with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
            world.fetch(timeout=HASTY, connect=lambda *_: connect(host, port, 1))


def test_connection_that_does_not_come_about_is_timeout(world: World) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        host, port = server.getsockname()
        for _ in range(4):  # a full backlog leaves further connections unanswered
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex((host, port))

        with in_time(HASTY), pytest.raises(OriginTimeout):
            world.fetch(
                timeout=HASTY, connect=lambda _address, _port, timeout: connect(host, port, timeout)
            )


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
@pytest.mark.parametrize("head", [HEADERS, CHUNKED], ids=["in the head", "after the head"])
def test_silence_that_begins_late_is_cut_at_the_deadline(
    world: World, address: str, head: bytes
) -> None:
    # Each read alone would have as much time as there was at first.
    seconds = 0.9
    serve(world, address, [seconds - 0.2, head, Do.HOLD])

    with in_time(seconds), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(address, timeout=seconds)


def test_redirects_and_drips_have_no_more_time_together(world: World) -> None:
    world.origin([HASTY / 2, *redirect("/1")], DRIPPING["body"]())

    with in_time(HASTY), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(timeout=HASTY)


@pytest.mark.parametrize("timeout", [0, -1])
@pytest.mark.parametrize("address", [ADDRESS, SECURE, f"http://{PUBLIC}/"])
def test_without_time_nothing_is_connected_to(world: World, address: str, timeout: float) -> None:
    with at_once(), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(address, timeout=timeout)
    assert world.dialer.connects == []


# --- what is silent for too long, with time left


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
@pytest.mark.parametrize("name", [name for name in SLOW if name.startswith("silence")])
def test_silence_has_a_limit_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, address: str
) -> None:
    monkeypatch.setattr(fetch, "_IDLE_SECONDS", BRIEF)
    origin = serve(world, address, SLOW[name]())

    with in_time(BRIEF), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(address)
    assert origin.hung_up.wait(5)


def test_silence_in_a_handshake_has_that_of_connecting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_CONNECT_SECONDS", BRIEF)
    world.raw_tls_origin([Do.HOLD])

    with in_time(BRIEF), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE)


def test_parts_of_a_record_are_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_IDLE_SECONDS", BRIEF)
    world.tls_origin(ok())

    with at_once(), pytest.raises(OriginTimeout, match="took too long"):
        world.fetch(SECURE, connect=trickling(world.dialer, 1 << 14))


def test_slow_but_steady_is_not_silence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_IDLE_SECONDS", 0.5)
    world.origin(drip(answer(body=b"12345"), 0.02))

    assert world.fetch() == b"12345"


def test_limits_are_those_that_are_told() -> None:
    assert (fetch._CONNECT_SECONDS, fetch._IDLE_SECONDS, fetch._MAX_REDIRECTS) == (3, 5, 3)


# --- what is left behind


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
@pytest.mark.parametrize(
    "head",
    [
        pytest.param([answer("404 No", body=b"x")], id="not found"),
        pytest.param([answer("302 No", "Location: ftp://a.b/")], id="refused"),
        pytest.param([answer(body=BODY)], id="too large"),
        pytest.param([UNTIL_CLOSED, BODY], id="too large, streamed"),
        pytest.param([b"garbage\r\n\r\n"], id="garbage"),
        pytest.param([HEADERS + b"a" * 100_000], id="too large a head"),
        pytest.param([CHUNKED, b"garbage\r\n"], id="garbage in the body"),
    ],
)
def test_connection_is_closed_whatever_was_answered(
    world: World, head: list[Step], address: str
) -> None:
    origin = serve(world, address, [*head, Do.HOLD])

    # The error is held on to, and still holds nothing open.
    with at_once(), pytest.raises(ImgdiffError) as raised:
        world.fetch(address, max_bytes=1000)
    assert origin.hung_up.wait(5), raised


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
def test_connection_is_closed_after_the_body(world: World, address: str) -> None:
    origin = serve(world, address, [answer(body=BODY), Do.HOLD])

    with at_once():
        assert world.fetch(address) == BODY
    assert origin.hung_up.wait(5)


def test_connection_that_comes_too_late_is_given_back(world: World) -> None:
    origin = world.origin([Do.HOLD], headless=True)

    def late(address: str, port: int, timeout: float) -> socket.socket:
        connection = world.dialer(address, port, timeout)
        connection.sendall(b"x")
        time.sleep(HASTY)
        return connection

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with in_time(HASTY), pytest.raises(OriginTimeout):
            world.fetch(timeout=HASTY, connect=late)
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert origin.hung_up.wait(5)


@pytest.mark.parametrize("address", [ADDRESS, SECURE])
@pytest.mark.parametrize(
    "script",
    [
        pytest.param(ok, id="body"),
        pytest.param(lambda: redirect("//127.0.0.1/"), id="refused"),
        pytest.param(BROKEN["no chunk"], id="broken"),
        pytest.param(DRIPPING["body"], id="cut"),
    ],
)
def test_no_thread_and_no_socket_stay(
    world: World, script: Callable[[], Script], address: str
) -> None:
    origin = serve(world, address, chain(script(), [Do.HOLD]))
    threads = set(threading.enumerate())

    with warnings.catch_warnings(record=True) as caught, suppress(ImgdiffError):
        warnings.simplefilter("always")
        world.fetch(address, timeout=HASTY)
    gc.collect()

    assert [str(warning.message) for warning in caught] == []
    end = time.monotonic() + 5
    while (stay := set(threading.enumerate()) - threads) and time.monotonic() < end:
        time.sleep(0.01)
    assert stay == set()
    assert origin.requests
