"""``python -m benchmarks.request``: what a whole warm request takes, and which part of it.

The real handler answers in this process. An origin of images and an embedded AWS answer it from
another, over sockets on loopback.
"""

import argparse
import cProfile
import io
import json
import os
import pstats
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import urllib3
from PIL import Image

from imgdiff import composition
from imgdiff.addresses import Guard
from imgdiff.engine import compare
from imgdiff.fetch import Fetcher, connect
from local.stack import KEY, Stack, enter, fill
from local.workers import Context

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
ORIGIN = "images.example.com"
PUBLIC_ADDRESS = "93.184.215.14"
_SHOWN = 20
_PARTS = {
    "key": "Key check",
    "fetch": "Fetch",
    "engine": "Decode, compare, encode",
    "put": "Put",
    "other": "All else",
}

type Event = dict[str, Any]
type Files = dict[str, bytes]
type Handler = Callable[[Event, Any], dict[str, Any]]
type Span = tuple[float, float]


def workloads() -> dict[str, tuple[bytes, bytes]]:
    """Pairs of image files, by what they are."""
    samples = ROOT / "samples"
    page = [(samples / f"page-{which}.png").read_bytes() for which in ("source", "target")]
    return {
        "PNG 64x64": _noisy_pair((64, 64), "PNG"),
        "PNG page 1280x800": (page[0], page[1]),
        "JPEG photo 4000x3000": _noisy_pair((4000, 3000), "JPEG"),
    }


def _noisy_pair(size: tuple[int, int], kind: str) -> tuple[bytes, bytes]:
    with Image.open(ROOT / "samples" / "photo-source.jpg") as photo:
        pixels = np.asarray(photo.resize(size)).astype(np.int16)
    noise = np.random.default_rng(1).normal(0, 4, pixels.shape).astype(np.int16)
    source = (pixels + noise).clip(0, 255).astype(np.uint8)
    target = source.copy()
    target[: size[1] // 4, : size[0] // 4] = 0
    return _encoded(source, kind), _encoded(target, kind)


def _encoded(pixels: np.ndarray[Any, Any], kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


class Origin(BaseHTTPRequestHandler):
    """Serves files from memory."""

    def __init__(self, files: Files, *request: Any) -> None:
        self._files = files
        super().__init__(*request)

    def do_GET(self) -> None:
        """Send a file."""
        content = self._files[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


def serve(files: Files, parent: Connection) -> None:
    """Serve the files and an embedded AWS until the parent hangs up."""
    origin = ThreadingHTTPServer((HOST, 0), partial(Origin, files))
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    stack = Stack(HOST, 0)
    parent.send((origin.server_port, stack.endpoint))
    try:
        parent.recv()
    except EOFError:
        stack.stop()
        origin.shutdown()


@contextmanager
def surroundings(files: Files) -> Iterator[tuple[int, str]]:
    """Serve from another process; the origin's port, and where AWS answers."""
    here, there = get_context("spawn").Pipe()
    process = get_context("spawn").Process(target=serve, args=(files, there))
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        here.close()
        process.join()


class Spans:
    """When the parts of a request began and ended."""

    def __init__(self) -> None:
        self.found: dict[str, list[Span]] = defaultdict(list)

    def watch(self, adapter: object, method: str, part: str) -> None:
        """Note the time of every call of an adapter's method."""
        call = getattr(adapter, method)

        def timed(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.found[part].append((started, time.perf_counter()))

        setattr(adapter, method, timed)

    def parts(self, whole: Span) -> dict[str, float]:
        """Milliseconds of each part; what lies between the fetches and the put is the engine's."""
        [key], fetches, [put] = self.found["key"], self.found["fetch"], self.found["put"]
        self.found.clear()
        fetched = max(end for _, end in fetches)
        seconds = {
            "whole": whole[1] - whole[0],
            "key": key[1] - key[0],
            "fetch": fetched - min(start for start, _ in fetches),
            "engine": put[0] - fetched,
            "put": put[1] - put[0],
        }
        seconds["other"] = 2 * seconds["whole"] - sum(seconds.values())
        return {part: 1000 * took for part, took in seconds.items()}


def prepare(origin_port: int) -> Spans:
    """Lead the fetcher, which refuses loopback, to the origin; watch the adapters."""
    services = composition.services()
    services.fetcher = Fetcher(
        Guard(),
        max_bytes=services.settings.max_image_bytes,
        timeout=lambda: services.settings.fetch_timeout_seconds,
        resolve=lambda *_: [PUBLIC_ADDRESS],
        connect=lambda _address, _port, timeout: connect(HOST, origin_port, timeout),
    )
    spans = Spans()
    spans.watch(services.keys, "find", "key")
    spans.watch(services.fetcher, "fetch", "fetch")
    spans.watch(services.media, "put", "put")
    return spans


def event(number: int) -> Event:
    """The event that asks to compare the pair of this number."""
    asked: Event = json.loads((ROOT / "events" / "imgdiff.json").read_text())
    source, target = (f"http://{ORIGIN}{path}" for path in _paths(number))
    query = {"src": source, "target": target, "key": KEY}
    return asked | {"rawQueryString": urlencode(query), "queryStringParameters": query}


def _paths(number: int) -> tuple[str, str]:
    return f"/{number}/source", f"/{number}/target"


def ask(handler: Handler, asked: Event) -> Mapping[str, Any]:
    """Invoke the handler once."""
    reply = handler(asked, Context("invocation", time.time() + 30))
    if reply["statusCode"] != 200:
        sys.exit(f"The handler answered {reply}")
    body: dict[str, Any] = json.loads(reply["body"])
    return body


def measure(handler: Handler, spans: Spans, asked: Event, runs: int) -> dict[str, float]:
    """Medians of every part's milliseconds."""
    taken = []
    for run in range(runs + 2):
        started = time.perf_counter()
        ask(handler, asked)
        parts = spans.parts((started, time.perf_counter()))
        if run > 1:
            taken.append(parts)
    return {part: statistics.median(parts[part] for parts in taken) for part in taken[0]}


def bare_put(endpoint: str, content: bytes, runs: int) -> float:
    """The median milliseconds of a PUT to the embedded AWS with no library of ours on the way."""
    address = urlsplit(endpoint)
    taken = []
    with urllib3.HTTPConnectionPool(address.hostname or "", address.port) as pool:
        for _ in range(runs):
            started = time.perf_counter()
            pool.request("PUT", f"/{os.environ['MEDIA_BUCKET']}/bare", body=content)
            taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def profile(handler: Handler, asked: Event, runs: int) -> list[str]:
    """Tell which functions of ours outside the engine take time, and which packages do."""
    profiler = cProfile.Profile()
    for _ in range(runs):
        profiler.runcall(ask, handler, asked)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]]
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    functions = []
    packages: dict[str, float] = defaultdict(float)
    for (file, _, name), (_, calls, own, whole, _) in stats.items():
        package, place = _place(file)
        packages[package] += 1000 * own / runs
        if package == "imgdiff":
            functions.append((1000 * own / runs, 1000 * whole / runs, calls / runs, place, name))
    return [
        "\n| Function | Calls | Own ms | With what it calls |\n|---|--:|--:|--:|",
        *(
            f"| `{place}` `{name}` | {calls:.0f} | {own:.3f} | {whole:.2f} |"
            for own, whole, calls, place, name in sorted(functions, reverse=True)[:_SHOWN]
        ),
        "\n| Package | Own ms |\n|---|--:|",
        *(
            f"| {package} | {own:.2f} |"
            for package, own in sorted(packages.items(), key=lambda item: -item[1])[:_SHOWN]
        ),
    ]


def _place(file: str) -> tuple[str, str]:
    parts = Path(file).parts
    if "site-packages" in parts:
        rest = parts[parts.index("site-packages") + 1 :]
        return rest[0], "/".join(rest)
    if "imgdiff" in parts and "functions" in parts:
        rest = parts[parts.index("functions") + 2 :]
        return "imgdiff.engine" if rest[0] == "engine" else "imgdiff", "/".join(rest)
    return "built in" if file == "~" else "standard library", file


def main() -> None:
    """Measure every workload."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.request", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="requests of each workload")
    runs: int = parser.parse_args().runs
    pairs = workloads()
    files = {
        path: content
        for number, pair in enumerate(pairs.values())
        for path, content in zip(_paths(number), pair, strict=True)
    }
    with surroundings(files) as (origin_port, endpoint):
        enter(endpoint, f"https://{ORIGIN}")
        os.environ |= {"POWERTOOLS_LOG_LEVEL": "INFO", "POWERTOOLS_METRICS_DISABLED": "false"}
        fill()
        spans = prepare(origin_port)
        # What the handler logs goes where it costs the least.
        with Path(os.devnull).open("w") as log, redirect_stdout(log):
            from imgdiff.api import lambda_handler

            handler: Handler = lambda_handler
            rows = [measure(handler, spans, event(number), runs) for number in range(len(pairs))]
            profiled = profile(handler, event(0), runs)
        puts = [bare_put(endpoint, compare(*pair).image or b"", runs) for pair in pairs.values()]
    print(f"\nA warm request, ms and share, medians of {runs}:\n")
    print(f"| | Whole | {' | '.join(_PARTS.values())} | Bare PUT |")
    print("|---|--:|" + "--:|" * (len(_PARTS) + 1))
    for name, row, put in zip(pairs, rows, puts, strict=True):
        cells = (f"{row[part]:.1f} ({row[part] / row['whole']:.0%})" for part in _PARTS)
        print(f"| {name} | {row['whole']:.1f} | {' | '.join(cells)} | {put:.1f} |")
    print(
        "\nThe origin, S3 and DynamoDB answer from another process on this machine; the last two "
        "are emulated,\nso what they take says little of AWS. A bare PUT is what the emulator "
        "takes for the same image\nwithout an AWS library before it."
    )
    print(f"\n{next(iter(pairs))} under a profiler, which slows it, per request:")
    print("\n".join(profiled))


if __name__ == "__main__":
    main()
