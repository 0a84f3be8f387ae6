"""An origin on loopback that plays a script to every connection, and the way to it.

Addresses that may be fetched are public, so a `Dialer` takes the address that was checked, notes
it, and connects to an `Origin` on loopback in its place. All else is as in the field: sockets, TLS,
time.
"""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Self

PUBLIC = "93.184.215.14"

NO_NAME = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

_LONGEST = 5.0  # seconds that a script may run, so that no test hangs on an endless one


class Do(Enum):
    """What a script can ask for besides sending and pausing."""

    HOLD = "wait until the other side hangs up"
    RESET = "hang up with a TCP reset"


type Step = bytes | float | Do  # send these bytes, pause for seconds, do this
type Script = Iterable[Step]


class Origin:
    """Plays one script per connection, in the order of connections.

    Further connections are hung up on, and so are those whose script runs for long. With ``tls``,
    scripts begin after the handshake, else when the head of a request has arrived; ``headless``
    ones begin at the first bytes, whatever they are.

    Attributes
    ----------
    host : str
        Where it listens.
    port : int
    requests : list of bytes
        What every connection sent before its script began.
    names : list of str or None
        The server names that TLS handshakes asked for.
    hung_up : threading.Event
        Set when a script holds and the other side has hung up.
    """

    def __init__(
        self,
        *scripts: Script,
        tls: ssl.SSLContext | None = None,
        headless: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._scripts = iter(scripts)
        self._tls = tls
        self._headless = headless
        self._stopping = threading.Event()
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._thread = threading.Thread(target=self._serve, name="origin")
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.names: list[str | None] = []
        self.hung_up = threading.Event()
        if tls:
            tls.sni_callback = lambda _socket, name, _context: self.names.append(name)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._stopping.set()
            for held in filter(None, (self._listener, self._connection)):
                with suppress(OSError):
                    held.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._listener.close()
        assert not self._thread.is_alive(), "a script did not end"

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # the listener was shut down
            connection.settimeout(_LONGEST)
            # The other side may go at any time: that is what many scripts are for.
            with suppress(OSError):
                self._answer(connection)
            connection.close()

    def _answer(self, plain: socket.socket) -> None:
        script = next(self._scripts, ())
        with self._lock:
            # TLS takes the descriptor over; the duplicate is what can be shut down.
            self._connection = plain.dup()
        try:
            with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as stream:
                self.requests.append(self._head(stream))
                end = time.monotonic() + _LONGEST
                for step in script:
                    if self._stopping.is_set() or time.monotonic() > end:
                        return
                    self._play(stream, step)
        finally:
            with self._lock:
                self._connection.close()
                self._connection = None

    def _head(self, stream: socket.socket) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            received = stream.recv(1 << 16)
            head += received
            if not received or self._headless:
                break
        return head

    def _play(self, stream: socket.socket, step: Step) -> None:
        match step:
            case bytes():
                stream.sendall(step)
            case Do.HOLD:
                with suppress(ConnectionResetError):
                    while stream.recv(1 << 16):
                        pass
                if not self._stopping.is_set():
                    self.hung_up.set()
            case Do.RESET:
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # The duplicate would keep the connection from ending here.
                with self._lock:
                    if self._connection:
                        self._connection.close()
                stream.close()
            case _:
                self._stopping.wait(step)


class Dialer:
    """Connects to the origin of a port, whatever the address, and notes what it was asked for.

    Attributes
    ----------
    connects : list of (str, int)
        Addresses and ports, in order.
    """

    def __init__(self, origins: Mapping[int, Origin]) -> None:
        self._origins = origins
        self.connects: list[tuple[str, int]] = []

    def __call__(self, address: str, port: int, timeout: float) -> socket.socket:
        self.connects.append((address, port))
        origin = self._origins[port]
        return socket.create_connection((origin.host, origin.port), timeout)


class Names:
    """A name server: every host has its answers in turn, the last one for good.

    An answer is addresses or what the lookup fails with; hosts without answers do not exist.

    Attributes
    ----------
    asked : list of (str, socket.AddressFamily)
        Hosts and the family of the addresses asked for, in order.
    """

    def __init__(self, answers: Mapping[str, Sequence[list[str] | OSError]]) -> None:
        self._answers = {host: list(turns) for host, turns in answers.items()}
        self.asked: list[tuple[str, socket.AddressFamily]] = []

    def __call__(self, host: str, family: socket.AddressFamily) -> list[str]:
        self.asked.append((host, family))
        turns = self._answers.get(host, [NO_NAME])
        answer = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(answer, OSError):
            raise type(answer)(*answer.args)  # anew, with a traceback of its own
        return answer

    @property
    def hosts(self) -> list[str]:
        """Hosts that were asked for, in order."""
        return [host for host, _ in self.asked]


def answer(status: str = "200 OK", *headers: str, body: bytes = b"") -> bytes:
    """A whole answer with its length, unless ``headers`` say how the body is sent."""
    framed = any(
        header.lower().startswith(("content-length:", "transfer-encoding:")) for header in headers
    )
    lines = [f"HTTP/1.1 {status}", *headers]
    if not framed:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1") + body


def drip(data: Iterable[int], pause: float = 0.04) -> Iterator[Step]:
    """Byte after byte, with a pause after each."""
    for byte in data:
        yield bytes([byte])
        yield pause
