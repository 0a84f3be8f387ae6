"""Those that compare: processes that stay and answer job after job, and commands."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self, override

from benchmarks.workloads import Task, Workload

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = ROOT / ".tools" / "bench"

OPAQUE = frozenset({"png", "jpg", "webp"})
EVERY_KIND = OPAQUE | {"rgba"}

IMGDIFF = "imgdiff"
ONE_THREAD = "imgdiff, one thread"
FIGURES = "imgdiff, one thread, no picture"


@dataclass(frozen=True, slots=True)
class Job:
    """Two files to compare, and where the picture goes."""

    source: Path
    target: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Run:
    """What one comparison took.

    Attributes
    ----------
    wall, cpu : float
        Seconds.
    size : int
        Bytes of the picture.
    mse : float or None
        Mean square error on the 0..255 scale, where the contender tells it.
    """

    wall: float
    cpu: float
    size: int
    mse: float | None


def _request(job: Job) -> dict[str, Any]:
    return {"source": str(job.source), "target": str(job.target), "output": str(job.output)}


class Contender(AbstractContextManager["Contender"]):
    """One that compares; it is ready for jobs inside a ``with``.

    Parameters
    ----------
    name : str
    argv : sequence of str
        The command line.
    kinds : set of str
        The kinds of pairs it can compare.
    output : str
        Suffix of the picture.
    only : set of str
        The workloads it is for, if not for all of its task.
    task : {"difference", "pixelmatch", "ssim"}
        What it finds of a pair.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        kinds: frozenset[str] = EVERY_KIND,
        *,
        output: str = "png",
        only: frozenset[str] = frozenset(),
        task: Task = "difference",
    ) -> None:
        self.name = name
        self.output = output
        self.task = task
        self._argv = argv
        self._kinds = kinds
        self._only = only

    def takes(self, workload: Workload, kind: str) -> bool:
        """Whether it compares the pairs of this workload."""
        chosen = not self._only or workload.name in self._only
        return chosen and kind in self._kinds and workload.task == self.task

    def run(self, job: Job) -> Run:
        """Compare once; the picture is always a new file."""
        job.output.unlink(missing_ok=True)
        wall, cpu, mse = self._compare(job)
        return Run(wall, cpu, job.output.stat().st_size if job.output.exists() else 0, mse)

    @abstractmethod
    def peak(self, job: Job, first: Job) -> tuple[int, float]:
        """Bytes of memory that the job takes at most, above what is idle, and about its seconds.

        A process that stays does the small job ``first`` before, so that all its code is loaded.
        """

    @abstractmethod
    def _compare(self, job: Job) -> tuple[float, float, float | None]: ...


class Server(Contender):
    """A process that stays; it reads a job from a line of JSON, and answers with another."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        kinds: frozenset[str] = EVERY_KIND,
        *,
        output: str = "png",
        only: frozenset[str] = frozenset(),
        task: Task = "difference",
        environment: Mapping[str, str] | None = None,
        request: Callable[[Job], dict[str, Any]] = _request,
    ) -> None:
        super().__init__(name, argv, kinds, output=output, only=only, task=task)
        self._environment = environment or {}
        self._request = request

    @override
    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **self._environment},
        )
        self._answer()
        return self

    @override
    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    @override
    def peak(self, job: Job, first: Job) -> tuple[int, float]:
        self.run(first)
        idle = memory(self._process.pid, "VmRSS")
        # From here on the kernel counts the peak anew.
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")
        wall = self.run(job).wall
        return max(0, memory(self._process.pid, "VmHWM") - idle), wall

    @override
    def _compare(self, job: Job) -> tuple[float, float, float | None]:
        request = json.dumps(self._request(job)) + "\n"
        assert self._process.stdin
        cpu, wall = processor_time(self._process.pid), time.perf_counter()
        self._process.stdin.write(request)
        self._process.stdin.flush()
        answer = self._answer()
        wall = time.perf_counter() - wall
        return wall, processor_time(self._process.pid) - cpu, answer.get("mse")

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "it has ended"}
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer


class Command(Contender):
    """A command that is started for each comparison.

    The words ``{source}``, ``{target}`` and ``{output}`` of its command line are the job's; it
    exits with ``differs`` where the images differ. ``mse`` finds that figure in what it says.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        kinds: frozenset[str] = EVERY_KIND,
        *,
        task: Task = "difference",
        differs: int,
        mse: Callable[[str], float] | None = None,
    ) -> None:
        super().__init__(name, argv, kinds, task=task)
        self._differs = differs
        self._mse = mse

    @override
    def __exit__(self, *_: object) -> None:
        pass

    @override
    def peak(self, job: Job, first: Job) -> tuple[int, float]:
        job.output.unlink(missing_ok=True)
        begin = time.perf_counter()
        process = self._start(job)
        peak = 0
        # Not the peak of its resource usage: that begins with what this process has.
        while process.poll() is None:
            peak = max(peak, memory(process.pid, "VmHWM"))
            time.sleep(0.0002)
        process.communicate()
        return peak, time.perf_counter() - begin

    @override
    def _compare(self, job: Job) -> tuple[float, float, float | None]:
        begin = time.perf_counter()
        process = self._start(job)
        assert process.stderr
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        if process.returncode not in {0, self._differs}:
            raise RuntimeError(f"{self.name}: {said or process.returncode}")
        return wall, usage.ru_utime + usage.ru_stime, self._mse(said) if self._mse else None

    def _start(self, job: Job) -> subprocess.Popen[str]:
        words = {
            "{source}": str(job.source), "{target}": str(job.target), "{output}": str(job.output)
        }  # fmt: skip
        return subprocess.Popen(
            [words.get(word, word) for word in self._argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )


def processor_time(process: int) -> float:
    """Seconds that all threads of a process have worked, as ``clock_getcpuclockid`` has it."""
    return time.clock_gettime((~process << 3) | 2)


def memory(process: int, field: str) -> int:
    """Bytes that the kernel tells of a process; 0 once it has ended."""
    found = re.search(rf"^{field}:\s+(\d+) kB", _status(process), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _status(process: int) -> str:
    try:
        return Path(f"/proc/{process}/status").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return ""


def contenders(peers: Path) -> list[Contender]:
    """All that are installed here, this project first.

    Parameters
    ----------
    peers : pathlib.Path
        The folder where npm has installed.
    """
    return [*_imgdiff(), *_python(), *_npm(peers), *_imagemagick()]


def missing(found: Sequence[Contender]) -> list[str]:
    """The peers beyond Python that are not among those found."""
    names = " ".join(each.name for each in found)
    beyond = ("odiff", "BlazeDiff command", "pixelmatch", "ImageMagick")
    return [peer for peer in beyond if peer not in names]


def imagemagick_version() -> str:
    """What ImageMagick says of itself."""
    if not (command := _imagemagick_command()):
        return "no ImageMagick"
    said = subprocess.run([*command, "-version"], capture_output=True, text=True, check=True)
    return " ".join(said.stdout.split()[1:3])


def _worker(name: str, *processors: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.worker", name, *map(str, processors)]


def _imgdiff() -> list[Contender]:
    processor = max(os.sched_getaffinity(0))
    single = {"OPENBLAS_NUM_THREADS": "1"}
    unchanged = frozenset({"full", "identical"})
    tasks: dict[str, Task] = {
        "imgdiff": "difference", "imgdiff_pixelmatch": "pixelmatch", "imgdiff_ssim": "ssim"
    }  # fmt: skip
    found: list[Contender] = []
    for work, task in tasks.items():
        only = unchanged if task == "difference" else frozenset[str]()
        figures = _worker(f"{work}_figures", processor)
        found += [
            Server(IMGDIFF, _worker(work), task=task),
            Server(ONE_THREAD, _worker(work, processor), environment=single, task=task),
            Server(FIGURES, figures, environment=single, only=only, task=task),
        ]
    return found


def _python() -> list[Contender]:
    png_and_jpeg = frozenset({"png", "rgba", "jpg"})
    codec = {"BLAZEDIFF_PNG_ENABLED": "1"}
    compressed = _worker("blazediff_compressed")
    return [
        Server("BlazeDiff", _worker("blazediff"), png_and_jpeg, environment=codec),
        Server("BlazeDiff, compressed", compressed, png_and_jpeg, environment=codec),
        Server("BlazeDiff, QOI", _worker("blazediff"), png_and_jpeg, environment=codec,
               output="qoi"),
        Server("pixelhog", _worker("pixelhog"), frozenset({"png", "rgba"})),
        Server("OpenCV", _worker("opencv"), OPAQUE),
        Server("numpy + Pillow", _worker("numpy"), OPAQUE),
        Server("scikit-image, grey", _worker("scikit_image_grey"), OPAQUE, task="ssim"),
        # Elsewhere it takes minutes, and is the slower one all the same.
        Server("scikit-image, RGB", _worker("scikit_image_rgb"), OPAQUE, task="ssim",
               only=frozenset({"hd-ssim"})),
    ]  # fmt: skip


def _npm(peers: Path) -> list[Contender]:
    modules = peers / "node_modules"
    files = ("{source}", "{target}", "{output}")
    odiff = next(iter(modules.glob("@odiff/*/odiff")), None)
    blazediff = next(iter(modules.glob("@blazediff/bin-*/blazediff")), None)
    node = shutil.which("node")
    png_and_jpeg = frozenset({"png", "rgba", "jpg"})
    found: list[Contender] = []
    if odiff:
        exact, lenient = ["--threshold=0"], ["--threshold=0.1", "--antialiasing"]
        server = [str(odiff), "--server"]
        found += [
            Command("odiff command", [str(odiff), *files, *exact], differs=22),
            Server("odiff server", server, request=partial(_odiff_request, threshold=0)),
            Command("odiff command", [str(odiff), *files, *lenient], differs=22, task="pixelmatch"),
            Server("odiff server", server, task="pixelmatch",
                   request=partial(_odiff_request, threshold=0.1, antialiasing=True)),
        ]  # fmt: skip
    if blazediff:
        argv = [str(blazediff), *files, "--threshold=0", "--compression=1"]
        found.append(Command("BlazeDiff command, compressed", argv, png_and_jpeg, differs=1))
    if node and (modules / "pixelmatch").exists():
        argv = [node, str(HERE / "pixelmatch.mjs"), str(peers)]
        exact_request = partial(_pixelmatch_request, threshold=0, includeAA=True)
        found += [
            Server("pixelmatch", argv, png_and_jpeg, request=exact_request),
            Server(
                "pixelmatch", argv, png_and_jpeg, request=_pixelmatch_request, task="pixelmatch"
            ),
        ]
    return found


def _pixelmatch_request(job: Job, **options: float) -> dict[str, Any]:
    return {**_request(job), "options": options}


def _odiff_request(job: Job, **options: float) -> dict[str, Any]:
    return {
        "requestId": 1,
        "base": str(job.source),
        "compare": str(job.target),
        "output": str(job.output),
        "options": options,
    }


def _imagemagick_command() -> list[str]:
    commands = (["magick", "compare"], ["compare"])
    return next((command for command in commands if shutil.which(command[0])), [])


def _imagemagick() -> list[Contender]:
    if not (command := _imagemagick_command()):
        return []
    argv = [*command, "-precision", "15", "-metric", "MSE", "{source}", "{target}", "{output}"]

    def mse(said: str) -> float:
        # It says the figure on a scale of its own, then in brackets on the 0..1 scale.
        found = re.search(r"\((.+?)\)", said)
        if not found:
            raise RuntimeError(f"ImageMagick: {said}")
        return float(found[1]) * 255**2

    return [Command("ImageMagick", argv, differs=1, mse=mse)]
