"""A handler that can't be imported until it is mended."""

import os
from pathlib import Path
from typing import Any

if not Path(os.environ["MENDED"]).exists():
    raise OSError("broken")


def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    return {"statusCode": 200, "body": "answered"}
