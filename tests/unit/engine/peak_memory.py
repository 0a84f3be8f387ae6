"""Print how much memory comparing two files takes over an idle process, in bytes.

Run as a module with a small file to warm up on, the source and the target.
"""

import re
import sys
from pathlib import Path

from imgdiff.engine import compare


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found
    return int(found[1]) * 1024


def main(warm_up: str, source: str, target: str) -> None:
    small = Path(warm_up).read_bytes()
    compare(small, small)
    # Not getrusage's ru_maxrss: a child inherits its parent's there.
    idle = _status("VmRSS")
    found = compare(Path(source).read_bytes(), Path(target).read_bytes())
    peak = _status("VmHWM")
    assert found.image
    sys.stdout.write(f"{peak - idle} {len(found.image)} {found.changed_pixels}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
