"""Every event in ``events/``, answered by the handler."""

import pytest

from tests.integration.conftest import EVENTS, Invoke, load

STATUSES = {
    "batches": 200,
    "batches-progress": 404,
    "crop": 200,
    "health": 200,
    "imgdiff": 200,
    "imgdiff-blob": 200,
    "imgdiff-json": 200,
    "imgdiff-missing-key": 401,
    "imgdiff-sizes-differ": 400,
    "imgdiff-upload": 200,
    "media": 302,
    "resize": 200,
    "store": 200,
    "store-presign": 200,
}


# Of other functions; their own tests answer them.
OTHERS = ("worker-", "batch-")


def test_every_event_is_known() -> None:
    names = {path.stem for path in EVENTS.glob("*.json")}
    assert {name for name in names if not name.startswith(OTHERS)} == STATUSES.keys()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(("name", "status"), STATUSES.items())
def test_event(invoke: Invoke, name: str, status: int) -> None:
    assert invoke(load(name)).status == status


def test_uploaded_pair_is_compared(invoke: Invoke) -> None:
    reply = invoke(load("imgdiff-upload")).json()

    assert (reply["width"], reply["height"]) == (16, 16)
    assert (reply["changed_pixels"], reply["bbox"]) == (64, [4, 4, 12, 12])
