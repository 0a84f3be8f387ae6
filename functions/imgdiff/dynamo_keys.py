"""Keys in DynamoDB.

One table, of items told apart by their partition key ``key_sha256``:

- a key's SHA-256: the key's record
- ``place#HANDLE``: the bucket and prefix of a caller's own, by the handle that media ids carry
- ``count#SHA-256#DAY``: the requests of a key on a day (UTC), with a counter for each of its last
  minutes; expires with the day
"""

from typing import TYPE_CHECKING, Any

from imgdiff.aws import storage_errors
from imgdiff.errors import QuotaExceeded
from imgdiff.keys import Key
from imgdiff.media import Place

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_MINUTE = 60
_DAY = 86_400
# Counters of minutes gone by are removed as requests come; an idle key leaves few behind. That of
# the minute before is kept, for requests of it that are still on their way.
_MINUTES_REMOVED = range(2, 12)

type Item = dict[str, Any]


def key_item(key_sha256: str, key: Key) -> Item:
    """The item of a key's record."""
    item: Item = {"key_sha256": {"S": key_sha256}, "name": {"S": key.name}}
    if key.disabled:
        item["disabled"] = {"BOOL": True}
    numbers = {
        "valid_until": key.expires_at,
        "per_minute": key.per_minute,
        "per_day": key.per_day,
    }
    item |= {name: {"N": str(value)} for name, value in numbers.items() if value is not None}
    if key.place:
        item |= {
            "handle": {"S": key.place.handle},
            "bucket": {"S": key.place.bucket},
            "prefix": {"S": key.place.prefix},
        }
    return item


def place_item(place: Place) -> Item:
    """The item by which a place is found from its handle."""
    return {
        "key_sha256": {"S": f"place#{place.handle}"},
        "bucket": {"S": place.bucket},
        "prefix": {"S": place.prefix},
    }


def key_of(item: Item) -> Key:
    """The record in a key's item."""
    place = None
    if "handle" in item:
        place = Place(item["handle"]["S"], item["bucket"]["S"], item["prefix"]["S"])
    return Key(
        name=item["name"]["S"],
        # Whoever edits the item by hand may write another type: all but false locks the key out.
        disabled=item.get("disabled", {"BOOL": False}) != {"BOOL": False},
        expires_at=_number(item, "valid_until"),
        per_minute=_number(item, "per_minute"),
        per_day=_number(item, "per_day"),
        place=place,
    )


class DynamoKeys:
    """Keys in a DynamoDB table.

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
        item = self._item(key_sha256)
        return key_of(item) if item else None

    def place(self, handle: str) -> Place | None:
        """The place with this handle."""
        item = self._item(f"place#{handle}")
        return Place(handle, item["bucket"]["S"], item["prefix"]["S"]) if item else None

    def count(self, key_sha256: str, key: Key, now: int, requests: int = 1) -> None:
        """Count so many more requests, all or none, in one conditional write.

        Raises
        ------
        QuotaExceeded
            They are too many for the minute or the day.
        """
        day, minute = now // _DAY, now // _MINUTE
        names = {"#day": "requests", "#minute": f"m{minute}", "#ttl": "expires_at"}
        past = {f"#past{ago}": f"m{minute - ago}" for ago in _MINUTES_REMOVED}
        values: Item = {":more": {"N": str(requests)}, ":end": {"N": str((day + 2) * _DAY)}}
        conditions = []
        for limit, name in ((key.per_day, "day"), (key.per_minute, "minute")):
            if limit is not None:
                values[f":{name}"] = {"N": str(limit - requests)}
                first = f"attribute_not_exists(#{name}) OR " if limit >= requests else ""
                conditions.append(f"({first}#{name} <= :{name})")
        try:
            with storage_errors():
                self._client.update_item(
                    TableName=self._table,
                    Key={"key_sha256": {"S": f"count#{key_sha256}#{day}"}},
                    UpdateExpression=(
                        f"ADD #day :more, #minute :more SET #ttl = :end REMOVE {', '.join(past)}"
                    ),
                    ConditionExpression=" AND ".join(conditions),
                    ExpressionAttributeNames=names | past,
                    ExpressionAttributeValues=values,
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            response: Item = {**error.response}
            counted: Item = response.get("Item", {})
            spent = _number(counted, "requests") or 0
            if key.per_day is not None and spent + requests > key.per_day:
                raise QuotaExceeded(
                    f"the key's {key.per_day} requests of today are spent"
                    if requests == 1
                    else f"the key has {max(key.per_day - spent, 0)} of its {key.per_day} requests "
                    f"of today left, not {requests}",
                    retry_after=(day + 1) * _DAY - now,
                ) from error
            raise QuotaExceeded(
                f"the key may make {key.per_minute} requests a minute"
                + (f", and this counts as {requests}" if requests > 1 else ""),
                retry_after=(minute + 1) * _MINUTE - now,
            ) from error

    def _item(self, key: str) -> Item | None:
        with storage_errors():
            found = self._client.get_item(TableName=self._table, Key={"key_sha256": {"S": key}})
        return found.get("Item")


def _number(item: Item, name: str) -> int | None:
    return int(item[name]["N"]) if name in item else None
