"""Workers that hang, end and raise."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing import active_children

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from local.front import event
from local.stack import environment
from local.workers import FunctionFailed, Process, Workers

HANDLER = "imgdiff.api.lambda_handler"


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    for name, value in environment("http://127.0.0.1:9", "http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    running = Workers(partial(Process, HANDLER, seconds=30), seconds=30, number=8)
    yield running
    running.stop()


def works(workers: Workers) -> bool:
    page = event(Request(EnvironBuilder("/").get_environ()))
    return bool(workers.invoke(page)["statusCode"] == 200)


def started() -> set[int]:
    return {process.pid for process in active_children() if process.pid}


def test_a_worker_that_hangs_is_replaced(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    assert works(workers)
    (hung,) = started()
    os.kill(hung, signal.SIGSTOP)
    with monkeypatch.context() as hasty:
        [worker] = workers._started
        hasty.setattr(worker, "_seconds", 0.1)
        with pytest.raises(TimeoutError):
            works(workers)
    assert works(workers)
    assert hung not in started()


def test_a_worker_that_ends_fails_its_own_request_only(workers: Workers) -> None:
    assert works(workers)
    (first,) = started()
    os.kill(first, signal.SIGSTOP)
    with ThreadPoolExecutor() as clients:
        unlucky = clients.submit(works, workers)
        while workers._idle.qsize() == 8:
            time.sleep(0.01)
        assert works(workers)
        (second,) = started() - {first}
        os.kill(first, signal.SIGKILL)
        with pytest.raises((EOFError, OSError)):
            unlucky.result(timeout=30)
    assert works(workers)
    assert works(workers)
    assert second in started()


def test_a_worker_that_ended_idle_is_not_noticed(workers: Workers) -> None:
    assert works(workers)
    (ended,) = active_children()
    ended.kill()
    ended.join(timeout=30)
    assert works(workers)


def test_what_the_handler_raises_is_told_and_it_goes_on(workers: Workers) -> None:
    with pytest.raises(FunctionFailed) as raised:
        workers.invoke({})
    assert raised.value.answer["errorType"] == "KeyError"
    (worker,) = started()
    assert works(workers)
    assert started() == {worker}


def test_no_worker_in_time() -> None:
    with pytest.raises(TimeoutError):
        works(Workers(partial(Process, HANDLER, seconds=30), seconds=0.1, number=0))
