"""What runs a function on one machine.

As on Lambda, a worker takes one event at a time and is ended at its timeout, and further workers
start as they are needed.
"""

import signal
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import Empty, LifoQueue
from typing import Any, Protocol

# As starting on Lambda, this has a time of its own.
_START_SECONDS = 30

type Event = dict[str, Any]
type Answer = dict[str, Any]


class FunctionFailed(Exception):
    """The function failed, and Lambda's answer tells how.

    Parameters
    ----------
    answer : dict
        What Lambda answers then.
    """

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(answer["errorType"])
        self.answer = answer


class Worker(Protocol):
    """Runs one event at a time."""

    def run(self, event: Event) -> Answer:
        """Run the function on an event and return what it answers.

        Raises
        ------
        FunctionFailed
            It raised, or was ended.
        TimeoutError
            It was not done in time.
        EOFError, OSError
            The worker ended instead.
        """

    def is_alive(self) -> bool:
        """Whether it takes further events."""

    def stop(self) -> None:
        """End it."""


class Workers:
    """Workers of a function, started as they are needed.

    Parameters
    ----------
    start : callable
        Starts one.
    seconds : float
        How long an event waits for an idle worker.
    number : int
        How many there are at most.
    """

    def __init__(self, start: Callable[[], Worker], *, seconds: float, number: int) -> None:
        self._start = start
        self._seconds = seconds
        self._started: set[Worker] = set()
        # None for one that has not started: the last put is the first taken, as Lambda prefers
        # what is warm.
        self._idle: LifoQueue[Worker | None] = LifoQueue()
        for _ in range(number):
            self._idle.put(None)

    def invoke(self, event: Event) -> Answer:
        """Run the function on an event in an idle worker and return what it answers.

        Raises
        ------
        TimeoutError
            No worker was idle in time, or the one that took the event was not done in time.
        FunctionFailed
            The function raised, or was ended.
        EOFError, OSError
            The worker ended instead.
        """
        try:
            worker = self._idle.get(timeout=self._seconds)
        except Empty:
            raise TimeoutError from None
        try:
            if worker is None or not worker.is_alive():
                worker = self._replace(worker)
            answer = worker.run(event)
        except FunctionFailed:
            self._idle.put(worker)
            raise
        except Exception:
            self._idle.put(None)
            raise
        self._idle.put(worker)
        return answer

    def stop(self) -> None:
        """End the workers."""
        for worker in list(self._started):
            worker.stop()

    def _replace(self, ended: Worker | None) -> Worker:
        self._started.discard(ended)
        worker = self._start()
        self._started.add(worker)
        return worker


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    aws_request_id: str
    deadline: float
    function_name: str = "imgdiff-local"
    function_version: str = "$LATEST"
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:imgdiff-local"
    memory_limit_in_mb: int = 1769

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds left before Lambda would end the invocation."""
        return int((self.deadline - time.time()) * 1000)


class Process:
    """A process of this Python that runs a handler.

    Parameters
    ----------
    handler : str
        Its module and name, such as ``imgdiff.api.lambda_handler``.
    seconds : float
        When an invocation is ended.
    """

    def __init__(self, handler: str, *, seconds: float) -> None:
        self._seconds = seconds
        spawn = get_context("spawn")
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_work, args=(theirs, handler), daemon=True)
        self._process.start()
        theirs.close()
        self._receive(_START_SECONDS)

    def is_alive(self) -> bool:
        """Whether it takes further events."""
        return self._process.is_alive()

    def run(self, event: Event) -> Answer:
        """Run the handler on an event and return what it answers."""
        self._connection.send((event, self._seconds))
        answer: Answer
        failed, answer = self._receive(self._seconds)
        if failed:
            raise FunctionFailed(answer)
        return answer

    def stop(self) -> None:
        """End it."""
        self._process.kill()

    def _receive(self, seconds: float) -> Any:
        if not self._connection.poll(seconds):
            self.stop()
            raise TimeoutError
        return self._connection.recv()


def _work(connection: Connection, handler: str) -> None:
    # An interrupt at the terminal reaches every process; the workers are ended by the front.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    module, _, name = handler.rpartition(".")
    handle = getattr(import_module(module), name)

    connection.send("started")
    with suppress(EOFError):
        while True:
            event, seconds = connection.recv()
            context: Any = Context(uuid.uuid4().hex, time.time() + seconds)
            connection.send(_handle(handle, event, context))


def _handle(handle: Callable[..., Answer], event: Event, context: Any) -> tuple[bool, Answer]:
    try:
        return False, handle(event, context)
    except Exception as error:  # noqa: BLE001 - as Lambda does, whatever the handler raises
        return True, {"errorType": type(error).__name__, "errorMessage": str(error)}
