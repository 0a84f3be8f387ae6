"""Fetching an image over HTTP(S): bounded in time, bytes and redirects, public addresses only.

The host is resolved once a hop, every address it has must be public, and the connection goes to
the address that was checked. A watchdog cuts the connection at the deadline, whatever the server
sends until then.
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

from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from imgdiff.addresses import Location, is_ipv4, is_public, locate
from imgdiff.errors import (
    ImgdiffError,
    InvalidField,
    OriginFailed,
    OriginNotFound,
    OriginTimeout,
    TooLarge,
)

type Resolver = Callable[[str], list[str]]
type Connector = Callable[[str, int, float], socket.socket]

_MAX_REDIRECTS = 3
_CONNECT_SECONDS = 3.0
_CHUNK = 1 << 16
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The HTTP libraries also let a ValueError of their parsing through.
_NETWORK_ERRORS = (OSError, HTTPError, HTTPException, ValueError)
# What a body may grow by on its way: headers and the framing of its chunks.
_FRAMING_BYTES = 1 << 20

# Its warnings carry the whole address, which may hold a secret of the caller's.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


def resolve(host: str) -> list[str]:
    """The IPv4 addresses of a host; raises OSError where it has none."""
    found = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


def connect(address: str, port: int, timeout: float) -> socket.socket:
    """A connected TCP socket."""
    return socket.create_connection((address, port), timeout)


class Fetcher:
    """Fetches images that strangers name.

    Parameters
    ----------
    max_bytes : int
        Largest body accepted.
    timeout : float
        Seconds that one image may take, all hops included.
    resolve : callable
        Host name to IP addresses.
    connect : callable
        IP address, port and timeout in seconds to a connected socket.
    tls : ssl.SSLContext, optional
        Whom to trust; the system's certificate authorities by default.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout: float,
        resolve: Resolver = resolve,
        connect: Connector = connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
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
            The host does not exist, or answers 4xx.
        OriginFailed
            The server can't be reached, breaks the protocol or answers anything but 200.
        OriginTimeout
            It took longer than the timeout.
        TooLarge
            The body is larger than ``max_bytes``.
        """
        deadline = time.monotonic() + self._timeout
        location = locate(address)
        for _ in range(_MAX_REDIRECTS + 1):
            answer = self._hop(location, deadline)
            if isinstance(answer, bytes):
                return answer
            location = answer
        raise OriginFailed(f"redirects more than {_MAX_REDIRECTS} times")

    def _hop(self, location: Location, deadline: float) -> bytes | Location:
        """One request: the body, or where it redirects to."""
        address = self._public_address(location.host, deadline)
        watchdog = _Watchdog(deadline)
        try:
            limit = min(_CONNECT_SECONDS, watchdog.remaining())
            with (
                self._connect(address, location.port, limit) as plain,
                watchdog.guard(plain),
                self._secure(plain, location) as stream,
            ):
                stream.settimeout(watchdog.remaining())
                answer = self._exchange(stream, location, watchdog.remaining())
        except (ImgdiffError, *_NETWORK_ERRORS) as error:
            if watchdog.expired() or isinstance(error, TimeoutError):
                raise OriginTimeout("took too long to arrive") from error
            if isinstance(error, ImgdiffError):
                raise
            raise OriginFailed("could not be fetched: its server failed") from error
        # A connection cut by the watchdog can look like the regular end of a body.
        if watchdog.expired():
            raise OriginTimeout("took too long to arrive")
        return answer

    def _public_address(self, host: str, deadline: float) -> str:
        try:
            addresses = [host] if is_ipv4(host) else _within(deadline, lambda: self._resolve(host))
        except TimeoutError as error:
            raise OriginTimeout("took too long to arrive") from error
        except (OSError, UnicodeError) as error:
            if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
                raise OriginFailed("names a host that can't be looked up just now") from error
            raise OriginNotFound("names a host that does not exist") from error
        if not addresses:
            raise OriginNotFound("names a host that does not exist")
        if not all(map(is_public, addresses)):
            raise InvalidField("must be a public address")
        return addresses[0]

    def _secure(self, plain: socket.socket, location: Location) -> socket.socket:
        if location.scheme == "http":
            return plain
        return self._tls.wrap_socket(plain, server_hostname=location.host)

    def _exchange(
        self, stream: socket.socket, location: Location, timeout: float
    ) -> bytes | Location:
        connection = HTTPConnection(location.host, location.port, timeout=timeout)
        connection.sock = _Metered(stream, 2 * self._max_bytes + _FRAMING_BYTES)
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
            if response.status in _REDIRECTS and "location" in response.headers:
                return location.follow(response.headers["location"].strip())
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
    """A connection that ends when it has brought too much, whatever its framing says of it.

    It has what the HTTP library asks of a socket. Closing is left to whoever opened the socket.
    """

    def __init__(self, stream: socket.socket, limit: int) -> None:
        self._stream = stream
        self._limit = limit
        self.sendall = stream.sendall
        self.settimeout = stream.settimeout

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Meter(self._stream, self._limit))

    def close(self) -> None:
        pass


class _Meter(io.RawIOBase):
    def __init__(self, stream: socket.socket, limit: int) -> None:
        self._stream = stream
        self._left = limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        count = self._stream.recv_into(buffer)
        self._left -= count
        if self._left < 0:
            raise TooLarge("is larger than can be fetched")
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
