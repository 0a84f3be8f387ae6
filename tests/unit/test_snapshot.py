"""What a snapshot of an initialised function holds: nothing that may not be restored twice."""

import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest

from tests.unit.test_imports import ENVIRONMENT, ROOT

[*_RUNTIME] = (ROOT / ".tools" / "ric" / "lib").glob("python*/site-packages")
HANDLERS = pytest.mark.parametrize("module", ["api", "worker"])
pytestmark = pytest.mark.skipif(
    not _RUNTIME and "REQUIRE_ORACLES" not in os.environ,
    reason="Lambda's runtime client is not installed: make .tools/ric/ready",
)

# What happens while the function starts, by the interpreter's own account. To see whether there is
# IPv6, urllib3 binds a socket, and closes it.
WATCH = """
import os, sys
happened = []
harmless = ("socket.__new__", "socket.bind")
def watch(event, arguments):
    told = ("socket.", "subprocess.", "os.fork", "_thread.start", "tempfile.")
    if event.startswith(told) and event not in harmless:
        happened.append(event)
sys.addaudithook(watch)
opened = set(os.listdir("/proc/self/fd"))
"""
START = """
import importlib
from awslambdaric import lambda_runtime_hooks_runner as hooks
handler = importlib.import_module(f"imgdiff.{sys.argv[1]}").lambda_handler
hooks.run_before_snapshot()
"""
HELD = """
import gc, json, ssl, socket, threading
import botocore.client, botocore.credentials
alive = (botocore.client.BaseClient, botocore.credentials.Credentials,
         botocore.credentials.CredentialResolver, ssl.SSLContext, socket.socket)
print(json.dumps({
    "happened": happened,
    "files": sorted(set(os.listdir("/proc/self/fd")) - opened),
    "threads": threading.active_count(),
    "alive": [type(each).__name__ for each in gc.get_objects() if isinstance(each, alive)],
}))
"""
# Every value that modules of ours and of powertools reach, with names in place of what is code.
STATE = """
import ctypes, json, types
packages = ("imgdiff", "aws_lambda_powertools")
told, seen = {}, set()
def tell(path, value):
    if isinstance(value, (str, bytes, int, float, complex, type(None))):
        told[path] = repr(value)
    elif id(value) in seen or isinstance(value, (types.ModuleType, type, ctypes.CDLL)):
        pass
    elif isinstance(value, (list, tuple, dict, set, frozenset)):
        seen.add(id(value))
        if isinstance(value, dict):
            items = [(str(key), each) for key, each in value.items()]
        elif isinstance(value, (list, tuple)):
            items = enumerate(value)
        else:
            items = [(repr(each), each) for each in value]
        for key, each in items:
            tell(f"{path}[{key}]", each)
    elif hasattr(value, "cache_info"):
        told[path] = repr(value.cache_info())
    elif not isinstance(value, types.FunctionType):
        seen.add(id(value))
        for key, each in getattr(value, "__dict__", {}).items():
            tell(f"{path}.{key}", each)
for name, module in sorted(sys.modules.items()):
    if name.partition(".")[0] in packages:
        for key, value in vars(module).items():
            if not key.startswith("__"):
                tell(f"{name}.{key}", value)
print(json.dumps(told))
"""
# Two processes of one memory stand for two environments of one snapshot: `random`, which the
# interpreter seeds again in a process of its own, goes on from where it was.
RESTORED = """
import json, random
from types import SimpleNamespace
from urllib3.filepost import choose_boundary
from imgdiff.media import new_id
drawn = random.getstate()
for _ in range(2):
    if not (process := os.fork()):
        random.setstate(drawn)
        hooks.run_after_restore()
        context = SimpleNamespace(
            function_name="f", memory_limit_in_mb=1769, invoked_function_arn="a",
            aws_request_id="r", get_remaining_time_in_millis=lambda: 29_000,
        )
        answer = handler(json.load(open(sys.argv[2])), context)
        print(json.dumps({
            "answer": answer, "id": new_id("png"), "boundary": choose_boundary(),
            "random": random.random(),
        }), flush=True)
        os._exit(0)
    assert os.waitpid(process, 0)[1] == 0
"""


def environment(kind: str) -> dict[str, str]:
    """What a function is started with."""
    return {
        **ENVIRONMENT,
        "PYTHONPATH": os.pathsep.join([ENVIRONMENT["PYTHONPATH"], *map(str, _RUNTIME)]),
        "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "ERROR",
    }


def run(code: str, *arguments: str, kind: str = "snap-start", **environ: str) -> list[Any]:
    """What code writes of a function that has started, lines of JSON."""
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**environment(kind), **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in result.stdout.splitlines()]


@HANDLERS
def test_it_holds_no_connection_no_credential_and_no_thread(module: str) -> None:
    [held] = run(WATCH + START + HELD, module)

    assert held == {"happened": [], "files": [], "threads": 1, "alive": []}


@HANDLERS
def test_two_starts_come_to_the_same(module: str) -> None:
    first, second = (
        run("import sys\n" + START + STATE, module, PYTHONHASHSEED=seed)[0] for seed in "12"
    )

    assert len(first) > 100
    assert {name for name in first | second if first.get(name) != second.get(name)} == set()


@pytest.mark.parametrize(
    ("module", "event", "status"),
    [
        ("api", json.loads((ROOT / "events" / "health.json").read_text()), 200),
        ("worker", {"Event": "s3:TestEvent"}, None),
    ],
    ids=["api", "worker"],
)
def test_what_is_restored_from_it_answers_and_draws_for_itself(
    tmp_path: Path, module: str, event: dict[str, Any], status: int | None
) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event))
    first, second = run("import os, sys\n" + START + RESTORED, module, str(path))

    assert first["answer"].get("statusCode") == status
    for drawn in ("id", "boundary", "random"):
        assert first[drawn] != second[drawn], drawn


@HANDLERS
def test_it_holds_what_a_first_comparison_takes(module: str) -> None:
    loaded = "import json; print(json.dumps([*sys.modules]))"
    [modules] = run("import sys\n" + START + loaded, module)

    assert {"numpy", "imgdiff.engine.core", "imgdiff.fetch", "botocore.client"} <= {*modules}


@HANDLERS
def test_a_start_without_one_does_nothing_for_it(module: str) -> None:
    loaded = "import json; print(json.dumps([*sys.modules]))"
    [modules] = run(f"import sys, imgdiff.{module}\n{loaded}", kind="on-demand")

    assert not {"snapshot_restore_py", "numpy", "imgdiff.aws"} & {*modules}


def test_the_bound_on_memory_is_in_it() -> None:
    limit = "import json, resource; print(json.dumps(resource.getrlimit(resource.RLIMIT_DATA)))"
    [bound] = run("import sys\n" + START + limit, "api", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1000")

    assert bound == [943_718_400] * 2


@pytest.mark.parametrize("kind", ["snap-start", "on-demand"])
def test_lambdas_own_runtime_has_it_made_before_it_asks_for_the_snapshot(kind: str) -> None:
    asked: Queue[tuple[str, Any]] = Queue()
    event = (ROOT / "events" / "health.json").read_bytes()

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            numpy = "/numpy/" in Path(f"/proc/{runtime.pid}/maps").read_text()
            asked.put((self.path.removeprefix("/2018-06-01/runtime/"), numpy))
            self.answer(200, event)

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            asked.put((self.path.removeprefix("/2018-06-01/runtime/"), json.loads(content)))
            self.answer(202, b"")

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Lambda-Runtime-Aws-Request-Id", "one")
            self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi) as server:
        Thread(target=server.serve_forever).start()
        environ = environment(kind) | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_address[1]}"
        }
        command = [sys.executable, "-m", "awslambdaric", "imgdiff.api.lambda_handler"]
        with subprocess.Popen(command, env=environ) as runtime:
            try:
                found = [asked.get(timeout=60) for _ in range(3 if kind == "snap-start" else 2)]
            finally:
                runtime.kill()
                server.shutdown()

    *before, (answered, reply) = found
    snapshot = [("restore/next", True)] if kind == "snap-start" else []
    assert before == [*snapshot, ("invocation/next", kind == "snap-start")]
    assert (answered, reply["statusCode"]) == ("invocation/one/response", 200)
