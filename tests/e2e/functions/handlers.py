"""Handlers that fail Lambda in one way each."""

import os
import sys
import time
from typing import Any

type Json = dict[str, Any]


def told(_event: Json, context: Any) -> Json:
    return {
        "variables": dict(os.environ),
        "seconds": context.get_remaining_time_in_millis() / 1000,
        "memory": int(context.memory_limit_in_mb),
    }


def sleeps(event: Json, _context: Any) -> Json:
    time.sleep(event["seconds"])
    return {}


def large(event: Json, _context: Any) -> Json:
    return {"body": "x" * event["size"]}


def ends(event: Json, _context: Any) -> Json:
    match event["rawPath"]:
        case "/exit":
            sys.exit(0)
        case "/crash":
            os._exit(1)
        case "/kill":
            os.kill(os.getpid(), 9)
    return {"statusCode": 200, "body": "answered"}
