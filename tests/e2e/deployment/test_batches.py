"""Batches as they are deployed: the state machine and the functions that it calls.

MiniStack takes no ``ItemBatcher`` and no ``ResultWriter``: pieces have one line each, and what they
came to is not written.
"""

import json
from typing import Any

from tests.e2e.deployment.deployed import Deployed, until
from tests.e2e.deployment.test_api import SOURCE, TARGET


def test_a_batch_of_links_is_compared(stack: Deployed) -> None:
    # The batch function is told the API's address by the template; MiniStack's API is at another.
    source, target = (
        f"{stack.outputs['ApiUrl']}/media/{stack.store(content).rpartition('/')[2]}"
        for content in (SOURCE, TARGET)
    )
    pairs = [
        {"id": "differs", "src": source, "target": target},
        {"id": "same", "src": source, "target": source},
    ]
    reply = stack.call("POST", "/batches", json={"pairs": pairs}).json()
    assert (reply["status"], reply["total"]) == (200, 2)

    def ended() -> dict[str, Any] | None:
        told: dict[str, Any] = stack.call("GET", f"/batches/{reply['id']}").json()
        assert told["state"] in {"running", "done"}, told
        return told if told["state"] == "done" else None

    progress = until(ended)

    assert (progress["done"], progress["failed"]) == (2, 0)
    results = stack.aws.get(progress["results"]).text.splitlines()
    differs, same = map(json.loads, results)
    assert (differs["id"], differs["changed_pixels"] > 0) == ("differs", True)
    assert (same["id"], same["changed_pixels"]) == ("same", 0)


def test_a_batch_that_is_put_into_the_inbox_is_compared(stack: Deployed) -> None:
    s3, inbox = stack.aws.client("s3"), stack.outputs["InboxBucketName"]
    s3.put_object(Bucket=inbox, Key="pages/one.png", Body=SOURCE)
    row = f"s3://{inbox}/pages/one.png"
    s3.put_object(Bucket=inbox, Key="batches/night.csv", Body=f"src,target\n{row},{row}\n")

    summary = until(lambda: stack.object("ResultsBucketName", "results/night/summary.json"))

    assert json.loads(summary)["done"] == 1
