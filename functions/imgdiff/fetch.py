"""Fetching an image over HTTP(S): bounded in time, bytes and redirects, from allowed servers only.

The host is resolved once a hop, every address it has must be allowed, and the connection goes to
the address that was checked. A watchdog cuts the connection at the deadline, whatever the server
sends until then. No sentence tells an outsider what a name resolves to, or why a server failed.
"""

import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Buffer, Callable, Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from ipaddress import ip_address

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as HTTPTimeoutError

from imgdiff.addresses import Guard, Location, is_ip
from imgdiff.errors import (
    ImgdiffError,
    InvalidField,
    OriginFailed,
    OriginNotFound,
    OriginTimeout,
    TooLarge,
)

type Resolver = Callable[[str, socket.AddressFamily], list[str]]
type Connector = Callable[[str, int, float], socket.socket]

_MAX_REDIRECTS = 3
_CONNECT_SECONDS = 3.0
_IDLE_SECONDS = 5.0
_CHUNK = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The HTTP libraries also let a ValueError of their parsing through.
_NETWORK_ERRORS = (OSError, HTTPError, HTTPException, ValueError)
# More than servers send, and little enough for the HTTP library: it takes half a minute for 6 MB.
_HEAD_BYTES = 1 << 15
# What a body may grow by on its way: the framing of its chunks.
_FRAMING_BYTES = 1 << 20

# Its warnings carry the whole address, which may hold a secret of the caller's.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


def resolve(host: str, family: socket.AddressFamily) -> list[str]:
    """The IP addresses of a host; raises OSError where it has none."""
    found = socket.getaddrinfo(host, None, family, socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A TCP socket that is connected to this address; raises OSError where it can't be."""
    connection = socket.create_connection((address, port), timeout)
    try:
        peer = connection.getpeername()[0]
    except OSError:  # it was reset meanwhile
        peer = ""
    if not peer or ip_address(peer) != ip_address(address):
        connection.close()
        raise OSError("connected to another address")
    return connection


class Fetcher:
    """Fetches images that strangers name.

    Parameters
    ----------
    guard : Guard
        What may be fetched.
    max_bytes : int
        Largest body accepted.
    timeout : callable
        Seconds that one image may take from now on, all hops included.
    resolve : callable
        Host name and address family to IP addresses.
    connect : callable
        IP address, port and timeout in seconds to a connected socket.
    tls : ssl.SSLContext, optional
        Whom to trust; the system's certificate authorities by default.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        max_bytes: int,
        timeout: Callable[[], float],
        resolve: Resolver = resolve,
        connect: Connector = connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = guard
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._resolve = resolve
        self._connect = connect
        self._tls = tls or ssl.create_default_context()

    def fetch(self, address: str) -> bytes:
        """The bytes at an address.

        Raises
        ------
        InvalidField
            The address, or one it redirects to, is refused.
        OriginNotFound
            The host has no address, or one that is not allowed, or answers 4xx.
        OriginFailed
            The server can't be reached, breaks the protocol or answers anything but 200.
        OriginTimeout
            It took longer than the timeout.
        TooLarge
            The body is larger than ``max_bytes``.
        """
        deadline = time.monotonic() + self._timeout()
        location = self._guard.locate(address)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._hop(location, deadline)
            if isinstance(answer, bytes):
                return answer
            location = answer
        raise OriginFailed(f"redirects more than {_MAX_REDIRECTS} times")

    def _hop(self, location: Location, deadline: float) -> bytes | Location:
        """One request: the body, or where it redirects to."""
        address = self._checked_address(location.host, deadline)
        watchdog = _Watchdog(deadline)
        try:
            limit = min(_CONNECT_SECONDS, watchdog.remaining())
            with (
                self._connect(address, location.port, limit) as plain,
                watchdog.guard(plain),
                self._secure(plain, location) as stream,
            ):
                answer = self._exchange(stream, location, watchdog)
        except (ImgdiffError, *_NETWORK_ERRORS) as error:
            if watchdog.expired() or isinstance(error, (TimeoutError, HTTPTimeoutError)):
                raise OriginTimeout("took too long to arrive") from error
            if isinstance(error, ImgdiffError):
                raise
            raise OriginFailed("could not be fetched: its server failed") from error
        # A connection cut by the watchdog can look like the regular end of a body.
        if watchdog.expired():
            raise OriginTimeout("took too long to arrive")
        return answer

    def _checked_address(self, host: str, deadline: float) -> str:
        if is_ip(host):
            if not self._guard.allows(host):
                raise InvalidField("must be a public address")
            return host
        family = socket.AF_UNSPEC if self._guard.ipv6 else socket.AF_INET
        try:
            addresses = _within(deadline, lambda: self._resolve(host, family))
        except TimeoutError as error:
            raise OriginTimeout("took too long to arrive") from error
        except (OSError, UnicodeError) as error:
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise OriginFailed("names a host that can't be looked up just now") from error
            addresses = []
        # Telling one from the other would tell which names exist inside.
        if not addresses or not all(map(self._guard.allows, addresses)):
            raise OriginNotFound("names no public host")
        return addresses[0]

    def _secure(self, plain: socket.socket, location: Location) -> socket.socket:
        if location.scheme == "http":
            return plain
        return self._tls.wrap_socket(plain, server_hostname=location.host)

    def _exchange(
        self, stream: socket.socket, location: Location, watchdog: "_Watchdog"
    ) -> bytes | Location:
        idle = min(_IDLE_SECONDS, watchdog.remaining())
        connection = HTTPConnection(location.host, location.port, timeout=idle)
        meter = _Meter(stream, watchdog)
        meter.limit(_HEAD_BYTES, OSError("the head is too large"))
        connection.sock = _Metered(stream, meter)
        connection.request(
            "GET",
            location.path,
            headers={
                "Host": location.authority,
                "Accept": "image/*, */*;q=0.1",
                "Accept-Encoding": "identity",
                "User-Agent": "imgdiff",
                "Connection": "close",
            },
            preload_content=False,
            decode_content=False,
        )
        with closing(connection.getresponse()) as response:
            too_much = TooLarge("is larger than can be fetched")
            meter.limit(2 * self._max_bytes + _FRAMING_BYTES, too_much)
            if response.status in _REDIRECTS and "location" in response.headers:
                return self._guard.follow(location, response.headers["location"].strip())
            return self._body(response)

    def _body(self, response: HTTPResponse) -> bytes:
        if 400 <= response.status < 500:
            raise OriginNotFound(f"could not be fetched: its server answered {response.status}")
        if response.status != 200:
            raise OriginFailed(f"could not be fetched: its server answered {response.status}")
        if (response.headers.get("content-encoding") or "identity").lower() != "identity":
            raise OriginFailed("could not be fetched: its server sent an encoding not asked for")
        too_large = TooLarge(f"is over the limit of {self._max_bytes} bytes")
        if (response.length_remaining or 0) > self._max_bytes:
            raise too_large
        body = bytearray()
        for chunk in response.stream(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > self._max_bytes:
                raise too_large
        if not body:
            raise OriginFailed("could not be fetched: its server sent nothing")
        return bytes(body)


class _Metered:
    """A connection that is read through a meter.

    It has what the HTTP library asks of a socket. Closing is left to whoever opened the socket.
    """

    def __init__(self, stream: socket.socket, meter: "_Meter") -> None:
        self._meter = meter
        self.sendall = stream.sendall
        self.settimeout = stream.settimeout

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._meter)

    def close(self) -> None:
        pass


class _Meter(io.RawIOBase):
    """Ends when a connection has brought too much, whatever its framing says of it, or too late."""

    def __init__(self, stream: socket.socket, watchdog: "_Watchdog") -> None:
        self._stream = stream
        self._watchdog = watchdog

    def limit(self, left: int, too_much: Exception) -> None:
        self._left = left
        self._too_much = too_much

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        # What came before the cut can be read after it: megabytes, that may be slow to parse.
        self._watchdog.remaining()
        count = self._stream.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise self._too_much
        return count


class _Watchdog:
    """Cuts a connection at a deadline, however busy it looks."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def expired(self) -> bool:
        return time.monotonic() >= self._deadline

    def remaining(self) -> float:
        """Seconds left; raises TimeoutError where there are none."""
        seconds = self._deadline - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        return seconds

    @contextmanager
    def guard(self, connection: socket.socket) -> Iterator[None]:
        # TLS takes the socket's descriptor over; a duplicate still reaches the connection.
        remaining = self.remaining()
        duplicate = connection.dup()
        timer = threading.Timer(remaining, _cut, [duplicate])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            duplicate.close()


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it may have ended by itself
        connection.shutdown(socket.SHUT_RDWR)


def _within[T](deadline: float, work: Callable[[], T]) -> T:
    """Run what can't be interrupted, and stop waiting for it at the deadline."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 - the waiting thread raises it
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future.result(timeout=max(0.0, deadline - time.monotonic()))
