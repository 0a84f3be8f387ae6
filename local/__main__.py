"""``python -m local``: start the service, show it at work, and serve until interrupted."""

import json
import os
import signal
import sys
import threading
from typing import Any
from urllib.parse import urlencode

import urllib3
from werkzeug.serving import make_server

from local import batches
from local.front import TIMEOUT_SECONDS, WORKERS, application
from local.inbox import Poller, wire
from local.runtime import BUILT, Emulator, built
from local.stack import INBOX, KEY, RESULTS, SAMPLES, Stack, enter, fill, sample_id
from local.template import AT_ONCE, resources
from local.workers import Process, Worker, Workers

HOST = "127.0.0.1"


def main() -> None:
    """Run the service on ``PORT`` (3000), with the embedded AWS on the port above it.

    That listens on ``AWS_HOST``, where containers of this machine can't reach its loopback.
    The functions run in processes of this Python, or with ``RUNTIME=lambda`` as they were built,
    under Lambda's own runtime.
    """
    port = int(os.environ.get("PORT", "3000"))
    runtime = os.environ.get("RUNTIME", "python")
    if runtime not in ("python", "lambda"):
        sys.exit(f"RUNTIME is {runtime!r}, not python or lambda")
    # SystemExit from these, so that whatever ends the service also ends its workers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    signal.signal(signal.SIGINT, lambda *_: sys.exit())

    template = resources()

    api = _workers("ApiFunction", runtime, number=WORKERS)
    worker, batch = (
        _workers(name, runtime, number=AT_ONCE) for name in ("WorkerFunction", "BatchFunction")
    )
    batches_run = threading.Event()

    def invoke(event: dict[str, Any]) -> dict[str, Any]:
        if event["rawPath"].startswith("/batches"):
            batches_run.wait(timeout=TIMEOUT_SECONDS)
        return api.invoke(event)

    server = make_server(HOST, port, application(invoke), threaded=True)
    base_url = f"http://{HOST}:{server.server_port}"
    try:
        stack = Stack(os.environ.get("AWS_HOST", HOST), port and port + 1)
    except OSError:
        sys.exit(f"Port {port + 1}, for the AWS endpoint, is in use: choose others with PORT=…")
    enter(stack.endpoint, base_url)
    fill()
    poller = Poller(
        wire(template),
        worker.invoke,
        most=template["WorkerFunction"]["Events"]["Inbox"]["Properties"]["BatchSize"],
    )

    def run_batches() -> None:
        batches.run(template["BatchStateMachine"]["Definition"], batch.invoke)
        batches_run.set()
        poller.start(AT_ONCE)

    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        _introduce(base_url, stack)
        # Only now, as it takes seconds: who is faster waits, in the front or in the queue.
        threading.Thread(target=run_batches, daemon=True).start()
        signal.pause()
    finally:
        poller.stop()
        server.shutdown()
        for workers in (api, worker, batch):
            workers.stop()
        stack.stop()


def _workers(name: str, runtime: str, *, number: int) -> Workers:
    function = resources()[name]
    seconds = function["Timeout"]

    def start() -> Worker:
        # The environment is in force when the first starts.
        if runtime == "lambda":
            return Emulator(built(name, BUILT, os.environ))
        return Process(function["Handler"], seconds=seconds)

    return Workers(start, seconds=seconds, number=number)


def _introduce(base_url: str, stack: Stack) -> None:
    links = [f"{base_url}/media/{sample_id(name)}" for name in SAMPLES]
    query = {"src": links[0], "target": links[1], "key": KEY}
    put = f"aws --no-sign-request --endpoint-url {stack.endpoint} s3 cp samples"
    print(
        f"\nimgdiff is at {base_url}, its AWS endpoint at {stack.endpoint}\n\n"
        f"  key      {KEY}\n"
        f"  samples  {links[0]}\n"
        + "".join(f"           {link}\n" for link in links[1:])
        + "\nCompare a pair of files:\n\n"
        f"  {put}/page-source.png s3://{INBOX}/source/page.png\n"
        f"  {put}/page-target.png s3://{INBOX}/target/page.png\n\n"
        f"The result is s3://{RESULTS}/results/page.png.json then, the picture beside it.\n"
        "\nCompare two images:\n\n"
        f"  curl '{base_url}/imgdiff?{urlencode(query, safe=':/')}'\n",
        flush=True,
    )
    # On a busy machine, the worker that this starts takes its time.
    reply = urllib3.request("GET", f"{base_url}/imgdiff", fields=query, timeout=60, retries=False)
    print(json.dumps(reply.json(), indent=2))
    print(
        "\nOpen the link in a browser to see the difference. Ctrl-C ends the service.", flush=True
    )


if __name__ == "__main__":
    main()
