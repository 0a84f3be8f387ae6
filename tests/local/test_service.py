"""The service as ``make run`` starts it, used as a person would: over real sockets."""

import io
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from local.stack import KEY
from tests.local.service import ROOT, Service, free_port, start, stop


def test_it_shows_itself_at_work(service: Service) -> None:
    reply = json.loads(service.said[service.said.index("\n{\n") : service.said.rindex("}") + 1])
    assert reply["status"] == 200
    assert reply["diff"] > 0
    assert reply["link"].startswith(f"{service.url}/media/")
    assert KEY in service.said
    assert len(service.samples) == 4


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_printed_command_works(service: Service) -> None:
    command = shlex.split(service.found(r"(curl .*)"))
    reply = json.loads(subprocess.check_output([*command, "--silent"], text=True))
    assert reply["status"] == 200


def test_the_link_leads_to_the_picture(service: Service) -> None:
    reply = service.imgdiff().json()
    answer = requests.get(reply["link"], timeout=10)
    assert answer.headers["content-type"] == "image/png"
    assert [hop.status_code for hop in answer.history] == [302]

    picture = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    assert picture.shape == (reply["height"], reply["width"], 3)
    red = picture[..., 0] > picture[..., 1]
    assert np.count_nonzero(red) == reply["changed_pixels"]
    rows, columns = np.nonzero(red)
    assert reply["bbox"] == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_the_reply_in_the_readme_is_the_real_one(service: Service) -> None:
    readme = (ROOT / "README.md").read_text()
    told = json.loads(readme.partition("```json")[2].partition("```")[0])
    reply = service.imgdiff().json()
    assert list(told) == list(reply)
    for name in told.keys() - {"link", "ssl_link", "id"}:
        assert told[name] == reply[name]


def test_blob_is_the_same_picture(service: Service) -> None:
    stored = requests.get(service.imgdiff().json()["link"], timeout=10)
    blob = service.imgdiff(blob="True")
    assert blob.headers["content-type"] == "image/png"
    assert blob.content == stored.content


def test_content_type_is_exactly_json(service: Service) -> None:
    assert service.imgdiff().headers["content-type"] == "application/json"
    assert service.imgdiff(src="").headers["content-type"] == "application/json"


def test_key_as_pixlab_sends_it(service: Service) -> None:
    query = {"src": service.samples[2], "target": service.samples[3]}
    url = f"{service.url}/imgdiff"
    assert requests.get(url, query, timeout=10).status_code == 401
    reply = requests.get(url, query, headers={"WWW-Authenticate": KEY}, timeout=10)
    assert reply.json()["status"] == 200


def test_concurrent_requests(service: Service) -> None:
    pairs = [(0, 1), (1, 0), (2, 3), (0, 0), (0, 2), (3, 2)] * 5

    def call(pair: tuple[int, int]) -> dict[str, Any]:
        source, target = (service.samples[index] for index in pair)
        reply: dict[str, Any] = service.imgdiff(src=source, target=target).json()
        return reply

    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(call, pairs))
    figures = [(reply["status"], reply.get("diff")) for reply in replies]
    for index, pair in enumerate(pairs):
        assert figures[index] == figures[pairs.index(pair)]
    assert figures[0] == figures[1]
    assert figures[3] == (200, 0.0)
    assert figures[4][0] == 400
    assert len({reply["id"] for reply in replies if reply["status"] == 200}) == 25


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing", 404), ("/media/x", 404), ("/imgdiff", 401), ("/health", 200)]
)
def test_statuses(service: Service, path: str, status: int) -> None:
    reply = requests.get(service.url + path, timeout=10)
    assert reply.status_code == reply.json()["status"] == status
    assert reply.headers["x-request-id"]


def test_a_page_of_another_origin_may_call(service: Service) -> None:
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"}
    reply = requests.options(f"{service.url}/imgdiff", headers=headers, timeout=10)
    assert reply.status_code == 204
    assert reply.headers["access-control-allow-origin"] == "*"


def test_nothing_on_this_machine_is_fetched(service: Service) -> None:
    endpoint = service.found(r"AWS endpoint at (\S+)")
    reply = service.imgdiff(src=f"{endpoint}/imgdiff-media/")
    assert reply.json()["status"] == 400


def test_a_request_over_the_gateways_limit_is_refused(service: Service) -> None:
    reply = requests.post(f"{service.url}/imgdiff", data=b"x" * (6 * 1024 * 1024 + 1), timeout=30)
    assert reply.status_code == 413


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_port_can_be_chosen_and_is_free_again(how: signal.Signals) -> None:
    port = free_port()
    running = start(port)
    assert running.url == f"http://127.0.0.1:{port}"
    assert running.found(r"AWS endpoint at (\S+)") == f"http://127.0.0.1:{port + 1}"
    assert stop(running.process, how) == 0
    # Binding says so at once if anything of it still listens.
    socket.create_server(("127.0.0.1", port)).close()
    socket.create_server(("127.0.0.1", port + 1)).close()


def test_a_taken_port_of_the_aws_endpoint_is_said_plainly() -> None:
    port = free_port()
    with closing(socket.create_server(("127.0.0.1", port + 1))):
        failed = start(port)
        assert failed.process.wait(timeout=15) != 0
    assert f"Port {port + 1}, for the AWS endpoint, is in use" in failed.said
    assert "Traceback" not in failed.said


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds the workers in /proc")
def test_a_killed_worker_is_replaced(service: Service) -> None:
    for worker in workers(service.process.pid):
        os.kill(worker, signal.SIGKILL)
    first = requests.get(f"{service.url}/health", timeout=30)
    assert first.status_code in (200, 500)
    assert requests.get(f"{service.url}/health", timeout=30).json() == {"status": 200}


def workers(parent: int) -> list[int]:
    """The processes that run the handler."""
    started: list[int] = []
    for task in Path(f"/proc/{parent}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread may end meanwhile
            started += map(int, (task / "children").read_text().split())
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in started}
    found = [
        pid
        for pid, command in commands.items()
        if b"spawn_main" in command or b"awslambdaric" in command
    ]
    assert found
    return found


def test_a_taken_port_is_said_plainly(service: Service) -> None:
    port = service.url.rpartition(":")[2]
    failed = start(int(port))
    assert failed.process.wait(timeout=15) != 0
    failed.process.stdout.close()  # type: ignore[union-attr]
    assert f"port {port}" in failed.said.lower()
    assert "Traceback" not in failed.said
