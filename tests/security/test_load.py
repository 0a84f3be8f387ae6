"""The service under more clients than it serves at once, of whom not all mean well."""

import io
import json
import random
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from itertools import repeat, takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from PIL import Image
from urllib3 import encode_multipart_formdata

from local.stack import KEY, SAMPLES, sample_id
from tests.local.service import ROOT, Service, start, stop

CLIENTS = 64
SECONDS = 10
WARM_UP_SECONDS = 5

# Right answers that are waited for where the machine is slow, and for how long.
RIGHT = 200
PATIENCE_SECONDS = 240
# How much more memory than after the warm-up is flat, some of it images that were stored.
GROWTH = 1.15
GROWTH_BYTES = 30_000_000

# The gateway's, for what is in excess; the service's own, where storage is slow as the machine is.
REFUSAL = re.compile(
    rb'{"message": "Service Unavailable"}|'
    rb'{"status": 503, "error": "storage is busy, try again in a second"}'
)


@dataclass(frozen=True)
class Call:
    """A request, the status it is answered with, and what the answer tells at least."""

    status: int
    method: str
    target: str
    body: bytes = b""
    content_type: str = ""
    told: dict[str, object] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        if not self.body:
            return {}
        return {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}


@dataclass(frozen=True)
class Answer:
    """What a client gets."""

    status: int
    headers: HTTPMessage
    body: bytes

    def fixed(self) -> object:
        """All of it that is the same each time."""
        if self.headers["content-type"] == "application/json":
            reply = json.loads(self.body)
            return self.status, {name: reply[name] for name in reply.keys() - LINKS}
        figures = {name: value for name, value in self.headers.items() if "imgdiff" in name}
        return self.status, self.headers["content-type"], figures, self.body

    def ids(self, url: str) -> list[str]:
        """What no other answer has: its own id and that of the image it stored."""
        found = self.headers.get_all("x-request-id", [])
        if b'"id"' in self.body:
            reply = json.loads(self.body)
            assert reply["link"] == reply["ssl_link"] == f"{url}/media/{reply['id']}"
            found.append(reply["id"])
        return found


LINKS = {"link", "ssl_link", "id"}


def get(status: int, path: str, **fields: str) -> Call:
    return Call(status, "GET", f"{path}?{urlencode({'key': KEY} | fields)}")


def post(status: int, path: str, told: dict[str, object] | None = None, **files: bytes) -> Call:
    parts = {name: (name, content) for name, content in files.items()}
    body, content_type = encode_multipart_formdata({"key": KEY, **parts})
    return Call(status, "POST", path, body, content_type, told or {})


def png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, "PNG")
    return file.getvalue()


# Their addresses as the function knows them, whatever the port of this machine.
MEDIA = [f"https://127.0.0.1/media/{sample_id(name)}" for name in SAMPLES]
GONE = f"https://127.0.0.1/media/{'0' * 32}.png"
PAGE = (ROOT / "samples" / SAMPLES[0]).read_bytes()
BLACK = np.zeros((48, 64, 3))
CORNER = np.copy(BLACK)
CORNER[:12, :16] = 255
NOISE = np.random.default_rng(1).integers(0, 256, (600, 400, 3))
CORNER_CHANGED: dict[str, object] = {
    "diff": 1 / 16,
    "mse": 255**2 / 16,
    "max_error": 255.0,
    "changed_pixels": 192,
    "bbox": [0, 0, 16, 12],
}

CALLS = {
    "media": get(200, "/imgdiff", src=MEDIA[0], target=MEDIA[1]),
    "photos": get(200, "/imgdiff", src=MEDIA[2], target=MEDIA[3], blob="true"),
    "uploads": post(200, "/imgdiff", CORNER_CHANGED, src=png(BLACK), target=png(CORNER)),
    "the same twice": post(200, "/imgdiff", {"diff": 0.0, "bbox": None}, src=PAGE, target=PAGE),
    "large uploads": post(200, "/imgdiff?blob=true", src=png(NOISE), target=png(NOISE ^ 1)),
    "store": post(200, "/store", {"width": 64, "height": 48}, file=png(CORNER)),
    "crop": get(200, "/crop", img=MEDIA[0], width="64", blob="true"),
    "health": get(200, "/health"),
    "wrong key": get(401, "/imgdiff", src=MEDIA[0], target=MEDIA[1], key="guessed"),
    "not an image": post(415, "/imgdiff", src=b"<html>", target=png(BLACK)),
    "damaged image": post(415, "/imgdiff", src=PAGE[:-2000], target=PAGE),
    "sizes that differ": get(400, "/imgdiff", src=MEDIA[0], target=MEDIA[2]),
    "private address": get(400, "/imgdiff", src="http://10.0.0.1/a.png", target=MEDIA[0]),
    "expired media": get(404, "/imgdiff", src=GONE, target=MEDIA[0]),
    "no such route": get(404, "/nothing"),
    "over the function's limit": post(413, "/store", file=bytes(5_000_000)),
    "over the gateway's limit": post(413, "/store", file=bytes(7_000_000)),
}


class Crowd:
    """Clients that send these calls at once, and what they were answered."""

    def __init__(self, url: str, expected: dict[str, object]) -> None:
        self._url = url
        self._expected = expected
        self.right: list[str] = []
        self.refused: list[str] = []
        self.wrong: list[object] = []
        self.ids: list[str] = []

    def rush(self, seconds: float) -> None:
        """Let all clients send for so long, and on until enough of them were answered."""
        began = time.monotonic()
        enough = len(self.right) + RIGHT

        def goes_on() -> bool:
            passed = time.monotonic() - began
            return passed < seconds or (len(self.right) < enough and passed < PATIENCE_SECONDS)

        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self._send, range(CLIENTS), repeat(goes_on)))

    def _send(self, number: int, goes_on: Callable[[], bool]) -> None:
        chance = random.Random(number)
        # Half of the clients would keep their connection.
        calls_each = 10 if number % 2 else 1
        while goes_on():
            with closing(connect(self._url)) as connection:
                names = chance.sample(list(CALLS), calls_each)
                for name in takewhile(lambda _: goes_on(), names):
                    call = CALLS[name]
                    match chance.randrange(20):
                        case 0:
                            hang_up(connection, call, chance)
                        case 1 if call.body:
                            self._judge(name, ask(connection, call, drips(call.body)))
                        case _:
                            self._judge(name, ask(connection, call))

    def _judge(self, name: str, answer: Answer) -> None:
        if answer.fixed() == self._expected[name]:
            self.right.append(name)
            self.ids += answer.ids(self._url)
        elif answer.status == 503 and REFUSAL.fullmatch(answer.body):
            assert answer.headers["retry-after"] == "1"
            self.refused.append(name)
            time.sleep(0.1)
        else:
            self.wrong.append((name, answer.status, answer.body[:200]))


def connect(url: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(url).netloc, timeout=120)


def ask(connection: HTTPConnection, call: Call, body: Iterable[bytes] = ()) -> Answer:
    connection.request(call.method, call.target, body or call.body, call.headers)
    with connection.getresponse() as response:
        return Answer(response.status, response.headers, response.read())


def drips(body: bytes) -> Iterator[bytes]:
    size = len(body) // 10 + 1
    for sent in range(0, len(body), size):
        time.sleep(0.1)
        yield body[sent : sent + size]


def hang_up(connection: HTTPConnection, call: Call, chance: random.Random) -> None:
    """Leave in the middle of the head or the body, or when all is sent."""
    lines = [f"{call.method} {call.target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name}: {value}" for name, value in call.headers.items()]
    whole = "\r\n".join([*lines, "", ""]).encode() + call.body
    connection.connect()
    connection.sock.sendall(whole[: chance.choice([20, len(whole) // 2, len(whole)])])
    connection.close()


def ask_quietly(url: str) -> dict[str, object]:
    """The answers when there is nobody else."""
    answers = {}
    with closing(connect(url)) as connection:
        for name, call in CALLS.items():
            answer = ask(connection, call)
            assert answer.status == call.status, (name, answer.body[:200])
            assert not call.told or json.loads(answer.body).items() >= call.told.items(), name
            answers[name] = answer.fixed()
    return answers


@dataclass(frozen=True)
class Usage:
    """What the service takes of the machine, as Linux tells it."""

    workers: set[int]
    memory: int
    """Resident bytes of the front and its workers."""
    handles: int
    """Descriptors and threads of the front."""


def usage(front: int) -> Usage:
    running = workers(front)
    texts = [Path(f"/proc/{pid}/status").read_text() for pid in (front, *running)]
    sizes = [int(size) for text in texts for size in re.findall(r"VmRSS:\s+(\d+) kB", text)]
    handles = [entry for of in ("fd", "task") for entry in Path(f"/proc/{front}/{of}").iterdir()]
    return Usage(running, 1024 * sum(sizes), len(handles))


def workers(front: int) -> set[int]:
    """The front's children that run the handler."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        # Others end meanwhile.
        with suppress(OSError):
            parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == front and b"spawn_main" in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    # Else glibc raises it, and gives back less and less of what is freed.
    monkeypatch.setenv("MALLOC_MMAP_THRESHOLD_", "131072")
    running = start(0)
    yield running
    assert stop(running.process, signal.SIGINT) == 0


def test_load(service: Service) -> None:
    front = service.process.pid
    expected = ask_quietly(service.url)
    crowd = Crowd(service.url, expected)
    crowd.rush(WARM_UP_SECONDS)
    assert ask_quietly(service.url) == expected
    before = usage(front) if Path("/proc").is_dir() else None
    crowd.rush(SECONDS)

    assert crowd.wrong == []
    assert len(crowd.right) >= 2 * RIGHT
    assert set(crowd.right) == CALLS.keys()
    assert crowd.refused
    assert len(set(crowd.ids)) == len(crowd.ids)
    assert ask_quietly(service.url) == expected

    if before is None:
        pytest.skip("Memory, workers and descriptors are read from Linux's /proc.")
    after = usage(front)
    assert after.workers == before.workers
    assert after.memory < GROWTH * before.memory + GROWTH_BYTES
    # Connections of clients that left end when their requests do.
    give_up = time.monotonic() + 20
    while usage(front).handles > before.handles:
        assert time.monotonic() < give_up
        ask_quietly(service.url)
