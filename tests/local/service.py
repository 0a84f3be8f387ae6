"""A running service, started as ``make run`` starts it."""

import os
import random
import re
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO

import requests

from local.stack import KEY

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Service:
    """A running service."""

    process: subprocess.Popen[str]
    said: str

    @property
    def url(self) -> str:
        return self.found(r"imgdiff is at (\S+),")

    @property
    def samples(self) -> list[str]:
        return re.findall(r"^\s+(?:samples\s+)?(http\S+/media/\S+)$", self.said, re.MULTILINE)

    def found(self, pattern: str) -> str:
        match = re.search(pattern, self.said)
        assert match, self.said
        return match[1]

    def imgdiff(self, **fields: str) -> requests.Response:
        pair = {"src": self.samples[0], "target": self.samples[1], "key": KEY}
        return requests.get(f"{self.url}/imgdiff", params=pair | fields, timeout=30)


def start(port: int) -> Service:
    """Start the service and read what it says until it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        env={**os.environ, "PORT": str(port), "PYTHONPATH": str(ROOT / "functions")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    said = ""
    for line in process.stdout:
        said += line
        if "Ctrl-C ends the service" in line:
            break
    # Unread, its further words would fill the pipe and halt it.
    Thread(target=_drain, args=[process.stdout], daemon=True).start()
    return Service(process, said)


def free_port() -> int:
    """A port that is free, as is the one above it.

    Below those that systems hand out by themselves, so that nothing takes it in the meantime.
    """
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), ExitStack() as probes:
            for each in (port, port + 1):
                probes.enter_context(socket.create_server(("127.0.0.1", each)))
            return port


def stop(process: subprocess.Popen[str], how: signal.Signals) -> int:
    """Interrupt the service and wait for its end."""
    process.send_signal(how)
    try:
        return process.wait(timeout=15)
    finally:
        process.kill()
        process.wait()


def _drain(stream: IO[str]) -> None:
    with stream:
        for _ in stream:
            pass
