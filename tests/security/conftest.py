"""A fetcher, and a small internet on loopback that is all it can reach."""

import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Self

import pytest
import trustme

from imgdiff.addresses import Guard
from imgdiff.fetch import Connector, Fetcher, Resolver
from tests.security.origin import PUBLIC, Dialer, Names, Origin, Script, answer

HOST = "images.example.com"
OTHER = "elsewhere.example.net"
INSIDE = "inside.example.org"
ADDRESS = f"http://{HOST}/a.png"
SECURE = f"https://{HOST}/a.png"
BODY = bytes(range(256)) * 1000

CHUNKED = answer("200 OK", "Transfer-Encoding: chunked")
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"

PATIENT = 20.0  # never used up
HASTY = 0.3  # used up on purpose
GRACE = 0.5  # what may pass after the deadline


@cache
def authority() -> trustme.CA:
    return trustme.CA()


@cache
def trust() -> ssl.SSLContext:
    """What trusts `authority` besides the system's."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


class World:
    """A fetcher and all it can reach.

    Attributes
    ----------
    guard : Guard
        What the fetcher may fetch.
    names : Names
        What it looks names up with.
    dialer : Dialer
        What it connects with.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._origins: dict[int, Origin] = {}
        self.guard = Guard()
        self.names = Names({HOST: [[PUBLIC]], OTHER: [["8.8.8.8"]], INSIDE: [["10.0.0.1"]]})
        self.dialer = Dialer(self._origins)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def origin(self, *scripts: Script, port: int = 80, headless: bool = False) -> Origin:
        """Serve a port."""
        return self._serve(port, Origin(*scripts, headless=headless))

    def tls_origin(
        self,
        *scripts: Script,
        certificate: trustme.LeafCert | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> Origin:
        """Serve port 443."""
        tls = tls or ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (certificate or authority().issue_cert(HOST)).configure_cert(tls)
        return self._serve(443, Origin(*scripts, tls=tls))

    def raw_tls_origin(self, *scripts: Script) -> Origin:
        """Serve port 443 without knowing TLS."""
        return self.origin(*scripts, port=443, headless=True)

    def fetch(
        self,
        address: str = ADDRESS,
        *,
        timeout: float = PATIENT,
        max_bytes: int = 1_000_000,
        resolve: Resolver | None = None,
        connect: Connector | None = None,
    ) -> bytes:
        fetcher = Fetcher(
            self.guard,
            max_bytes=max_bytes,
            timeout=lambda: timeout,
            resolve=resolve or self.names,
            connect=connect or self.dialer,
            tls=trust(),
        )
        return fetcher.fetch(address)

    def _serve(self, port: int, origin: Origin) -> Origin:
        self._origins[port] = self._stack.enter_context(origin)
        return origin


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        yield world


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
