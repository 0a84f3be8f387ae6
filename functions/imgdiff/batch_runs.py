"""Runs of a batch: each is of one version of its file, and one of them is the current one.

Working files are under ``batches/NAME/RUN/`` of the bucket of results. ``batches/NAME/run.json``
tells which run is the current one, and is put on condition that nobody else was faster.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from imgdiff.errors import StorageUnavailable
from imgdiff.objects import Objects, Stored, Superseded
from imgdiff.results import Document

PREFIX = "batches/"
JSON = "application/json"
# How often to start over because someone else was faster.
ATTEMPTS = 5

_KEY = re.compile(r"batches/([A-Za-z0-9_-][A-Za-z0-9._-]{0,79})\.(jsonl|csv)")
# What the name of an execution has room for beside the run.
_NAME_IN_EXECUTION = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A batch's file.

    Attributes
    ----------
    bucket, key : str
    version_id : str or None
    """

    bucket: str
    key: str
    version_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A run of a batch.

    Attributes
    ----------
    name : str
    run : str
        16 hex digits.
    secret : str
        What the secrets of the pictures' links are made of: nobody guesses it from name and run.
    file : File
    """

    name: str
    run: str
    secret: str
    file: File

    @classmethod
    def read(cls, given: Document) -> "Batch":
        """The run that a task is told of."""
        return cls(**{**given, "file": File(**given["file"])})

    @property
    def execution(self) -> str:
        """The name of its execution."""
        return execution_of(self.name, self.run)

    @property
    def folder(self) -> str:
        """Where its working files are."""
        return f"{PREFIX}{self.name}/{self.run}"

    def picture_secret(self, line: int) -> str:
        """32 hex digits, the same whenever the line is compared."""
        return _digest(self.secret, line)[:32]


@dataclass(frozen=True, slots=True)
class Runs:
    """Which runs are current.

    Attributes
    ----------
    objects : Objects
    results_bucket : str
    """

    objects: Objects
    results_bucket: str

    def current(self, name: str) -> tuple[Stored | None, Document]:
        """What is told of a batch's current run, and where; nothing where there is none."""
        return self.load(f"{PREFIX}{name}/run.json")

    def put(
        self, batch: Batch, previous: Stored | None, *, modified: str, total: int | None
    ) -> None:
        """Make a run the current one, or tell more of it.

        Raises
        ------
        Superseded
            Another is by now.
        """
        document = {
            "run": batch.run,
            "file": asdict(batch.file),
            "modified": modified,
            "total": total,
        }
        key = f"{PREFIX}{batch.name}/run.json"
        content = json.dumps(document).encode()
        self.objects.replace(self.results_bucket, key, content, JSON, {}, previous=previous)

    def load(self, key: str) -> tuple[Stored | None, Document]:
        """A small document of the bucket of results, and where it is; empty where there is none."""
        found = self.objects.find(self.results_bucket, key)
        if found is None:
            return None, {}
        try:
            content = self.objects.read(found, max_bytes=found.size)
        except Superseded as error:
            raise StorageUnavailable from error
        return found, json.loads(content)


def named(key: str) -> tuple[str, str] | None:
    """The name and the extension of the batch whose file a key of the inbox is, if of any."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def is_batch(key: str) -> bool:
    """Whether a key of the inbox is that of a batch's file."""
    return named(key) is not None


def execution_of(name: str, run: str) -> str:
    """The name of the execution of a run."""
    return f"{name[:_NAME_IN_EXECUTION]}-{run}"


def run_of(*version: str) -> dict[str, str]:
    """The run and the secret of a version of a file."""
    digest = _digest(*version)
    return {"run": digest[:16], "secret": digest[32:]}


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
