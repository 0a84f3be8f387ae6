"""Keys in DynamoDB."""

from typing import TYPE_CHECKING

from imgdiff.aws import storage_errors
from imgdiff.keys import Key

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


class DynamoKeys:
    """Keys in a DynamoDB table with the partition key ``key_sha256``.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def find(self, key_sha256: str) -> Key | None:
        """The record of the key with this hash."""
        with storage_errors():
            found = self._client.get_item(
                TableName=self._table, Key={"key_sha256": {"S": key_sha256}}
            )
        item = found.get("Item")
        if item is None:
            return None
        return Key(item["name"]["S"], item.get("disabled", {}).get("BOOL", False))
