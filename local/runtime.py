"""Functions as they were built, under Lambda's own runtime, on one machine.

The runtime interface emulator, which comes with aws-sam-cli, starts Lambda's runtime client for
Python; that imports the handler and takes events over the runtime API, as on Lambda. The emulator
ends what overruns, refuses replies over 6 MB and starts a runtime that ended anew. It takes one
event at a time, and bounds no memory.
"""

import json
import os
import platform
import random
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import urllib3

from local.template import resources
from local.workers import Answer, Event, FunctionFailed

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}[platform.machine()]
_LAYER = {"x86_64": "DependenciesX8664", "arm64": "DependenciesArm64"}[ARCHITECTURE]

_ROOT = Path(__file__).parent.parent
# Where `make` has the stack built for this machine.
BUILT = _ROOT / ".aws-sam" / ARCHITECTURE
_TOOLS = _ROOT / ".tools"
CLIENT = _TOOLS / "ric" / "bin" / "python"
_EMULATOR = f"sam/lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{ARCHITECTURE}"
_START_SECONDS = 10
# What the emulator needs beyond the function's own time, a start of the runtime included.
_SPARE_SECONDS = 15


@dataclass(frozen=True)
class Function:
    """A function as Lambda is told of it.

    Parameters
    ----------
    code : Path
        Where it was built.
    packages : tuple of Path
        Where its layer's packages are, and whatever else is on Python's path.
    handler : str
        Its module and name.
    timeout : int
        Seconds after which it is ended.
    memory : int
        Its memory in MB.
    variables : mapping of str to str
    """

    code: Path
    packages: tuple[Path, ...]
    handler: str
    timeout: int
    memory: int
    variables: Mapping[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """All that it runs with; bytecode can't be written on Lambda either."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, self.packages)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self.code),
            "AWS_LAMBDA_FUNCTION_NAME": "imgdiff",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory),
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            **self.variables,
        }


def built(name: str, folder: Path, environment: Mapping[str, str]) -> Function:
    """A function of the template, as it was built for this machine.

    Parameters
    ----------
    name : str
        Its resource's name.
    folder : Path
        Where ``sam build`` built the stack.
    environment : mapping of str to str
        What stands in for the stack's resources here, and for what Lambda tells of itself and AWS.
        Of all else, the function gets the variables alone that the template gives it.
    """
    declared = resources()[name]
    variables = declared["Environment"]["Variables"]
    return Function(
        code=folder / name,
        packages=(folder / _LAYER / "python",),
        handler=declared["Handler"],
        timeout=declared["Timeout"],
        memory=int(declared["MemorySize"]),
        variables={
            **{each: environment.get(each, value) for each, value in variables.items()},
            **{each: value for each, value in environment.items() if each.startswith("AWS_")},
        },
    )


class Emulator:
    """A runtime of a function.

    Parameters
    ----------
    function : Function
    log : file, optional
        Where it tells of itself and the function logs; this process's output unless given.

    Raises
    ------
    FileNotFoundError
        There is no emulator on this machine.
    TimeoutError
        It does not start.
    """

    def __init__(self, function: Function, log: IO[Any] | None = None) -> None:
        emulator = next(_TOOLS.glob(_EMULATOR), None)
        if emulator is None or platform.system() != "Linux":
            raise FileNotFoundError("the emulator of Lambda's runtime needs Linux and sam")
        port, runtime_api = _free_ports()
        self._url = f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations"
        self._seconds = function.timeout + _SPARE_SECONDS
        command: list[str | Path] = [
            *(emulator, "--log-level", "info" if log else "error"),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
            *("--runtime-api-address", f"127.0.0.1:{runtime_api}"),
            *(CLIENT, "-m", "awslambdaric", function.handler),
        ]
        # In a session of its own: an interrupt at the terminal is for who started it.
        self._process = subprocess.Popen(  # noqa: S603 - the command is made here
            command,
            env=function.environment,
            cwd=function.code,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        self._wait_for(port)

    def run(self, event: Event) -> Answer:
        """Run the function on an event and return what it answers."""
        try:
            reply = urllib3.request(
                "POST",
                self._url,
                body=json.dumps(event),
                retries=False,
                timeout=self._seconds,
            )
        except urllib3.exceptions.HTTPError as error:
            self.stop()
            raise EOFError from error
        if reply.data.startswith(b"Task timed out"):
            raise FunctionFailed(
                {"errorType": "Sandbox.Timedout", "errorMessage": reply.data.decode()}
            )
        # It has no header that tells failures from answers, and no body where the runtime ended.
        answer: Answer = json.loads(reply.data or b'{"errorType": "Runtime.ExitError"}')
        if "errorType" in answer:
            raise FunctionFailed(answer)
        return answer

    def is_alive(self) -> bool:
        """Whether it takes further events."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process, of which the runtime is a child."""
        return self._process.pid

    def stop(self) -> None:
        """End it, and the runtime with it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=_START_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)

    def _wait_for(self, port: int) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self.is_alive() and time.monotonic() < deadline:
            with suppress(ConnectionRefusedError):
                return socket.create_connection(("127.0.0.1", port)).close()
            time.sleep(0.01)
        self.stop()
        raise TimeoutError("the emulator of Lambda's runtime does not start")


def _free_ports() -> tuple[int, int]:
    """Two that are free, of those that systems don't hand out by themselves."""
    while True:
        with suppress(OSError), ExitStack() as probes:
            ports = random.randrange(20_000, 32_000), random.randrange(20_000, 32_000)  # noqa: S311
            for port in ports:
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            return ports
