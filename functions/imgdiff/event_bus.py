"""Events on an account's default bus of EventBridge."""

import json
from typing import TYPE_CHECKING, Any

from imgdiff.aws import storage_errors
from imgdiff.errors import StorageUnavailable

if TYPE_CHECKING:
    from types_boto3_events import EventBridgeClient

_SOURCE = "imgdiff"


class EventBus:
    """The default bus.

    Parameters
    ----------
    client : EventBridgeClient
    """

    def __init__(self, client: "EventBridgeClient") -> None:
        self._client = client

    def send(self, kind: str, detail: dict[str, Any]) -> None:
        """Send an event.

        Raises
        ------
        StorageUnavailable
            It was not taken.
        """
        entry: Any = {"Source": _SOURCE, "DetailType": kind, "Detail": json.dumps(detail)}
        with storage_errors():
            answer = self._client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise StorageUnavailable
