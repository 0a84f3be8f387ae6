"""Keep only some services in botocore's list of endpoints, which every cold start parses.

Run with the list and the services to keep.
"""

import json
import sys
from pathlib import Path


def main(endpoints: str, *services: str) -> None:
    """Rewrite the list."""
    path = Path(endpoints)
    content = json.loads(path.read_text(encoding="utf-8"))
    for partition in content["partitions"]:
        known = partition["services"]
        partition["services"] = {name: known[name] for name in services if name in known}
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
