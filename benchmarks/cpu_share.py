"""A share of the processors for some processes, by Linux's control groups."""

import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# In version 1, the processor's groups are in a place of their own; in version 2, all are in one.
_ROOTS = (Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup"))
PERIOD_MICROSECONDS = 20_000


@contextmanager
def cpu_share(processors: float) -> Iterator[Callable[[int], None]]:
    """Give processes so much of the processors together; what is yielded adds one by its id.

    What a process starts later shares with it. All must have ended when the share does.
    """
    root = _ROOTS[not _ROOTS[0].is_dir()]
    group = root / f"imgdiff-{uuid.uuid4().hex}"
    try:
        group.mkdir()
        limit(group, processors)
    except OSError as error:
        sys.exit(
            "No share of the processors can be given here, which takes Linux, its control groups "
            f"with their cpu controller, and root: {error}"
        )
    try:
        yield lambda process: _add(group, process)
    finally:
        group.rmdir()


def limit(group: Path, processors: float) -> None:
    """Bound what a group gets in each period, in the words of its version."""
    quota = round(processors * PERIOD_MICROSECONDS)
    if (group / "cpu.max").exists():
        (group / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")
    else:
        (group / "cpu.cfs_period_us").write_text(f"{PERIOD_MICROSECONDS}")
        (group / "cpu.cfs_quota_us").write_text(f"{quota}")


def _add(group: Path, process: int) -> None:
    (group / "cgroup.procs").write_text(f"{process}")
