"""Create, list, disable, enable and rotate API keys: ``python -m tools.keys --help``.

It works on the table of keys of a deployed stack, or of the service that ``make run`` started. A
key is shown once, when it is made; the table holds its SHA-256 alone.
"""

import argparse
import os
import re
import secrets
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

from imgdiff.dynamo_keys import key_item, key_of, place_item
from imgdiff.keys import Key, hash_key
from imgdiff.media import Place

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

_CONFIG = Config(
    connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 2}
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_NAME = 64


class Refused(Exception):
    """What was asked for can't be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A key as the table has it.

    Attributes
    ----------
    key_sha256 : str
    key : Key
    """

    key_sha256: str
    key: Key

    @property
    def short(self) -> str:
        """What tells it from others of its name: the first digits of its hash."""
        return self.key_sha256[:8]

    def state(self, now: int) -> str:
        """``enabled``, ``disabled`` or ``expired`` at a time in seconds since 1970."""
        if self.key.disabled:
            return "disabled"
        expired = self.key.expires_at is not None and self.key.expires_at <= now
        return "expired" if expired else "enabled"


class KeysTable:
    """The table of keys, for whoever hands them out.

    Parameters
    ----------
    client : DynamoDBClient
    table : str
    now : int
        Seconds since 1970.
    """

    def __init__(self, client: "DynamoDBClient", table: str, now: int) -> None:
        self._client = client
        self._table = table
        self.now = now

    def list_keys(self) -> list[Stored]:
        """Every key, by name, those that work first."""
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._table,
            ConsistentRead=True,
            FilterExpression="attribute_exists(#name)",
            ExpressionAttributeNames={"#name": "name"},
        )
        found = [
            Stored(item["key_sha256"]["S"], key_of(item))
            for page in pages
            for item in page["Items"]
        ]
        return sorted(
            found, key=lambda key: (key.key.name, key.state(self.now) != "enabled", key.short)
        )

    def create(self, key: Key) -> str:
        """Make a key of this record and return it.

        Raises
        ------
        Refused
            A key of that name is enabled.
        """
        self._refuse_second(key.name)
        secret = _new_key()
        places = [place_item(key.place)] if key.place else []
        self._write(*map(self._put, [key_item(hash_key(secret), key), *places]))
        return secret

    def disable(self, name: str) -> list[Stored]:
        """Lock out every key of a name, or the one whose hash begins so; return them."""
        found = self._find(name, {"enabled", "expired"})
        for key in found:
            self._write(self._change(key, "disabled", {"BOOL": True}))
        return found

    def enable(self, name: str) -> Stored:
        """Let a disabled key in again and return it.

        Raises
        ------
        Refused
            There is none, more than one, or an enabled key of that name.
        """
        key = self._find_one(name, "disabled")
        self._refuse_second(key.key.name)
        self._write(self._change(key, "disabled", {"BOOL": False}))
        return key

    def rotate(self, name: str, grace_hours: int = 0) -> str:
        """Replace an enabled key by a new one of the same record and return that.

        Parameters
        ----------
        name : str
            Its name, or the first eight digits of its hash.
        grace_hours : int
            How long the replaced key still works.
        """
        old = self._find_one(name, "enabled")
        secret = _new_key()
        changes = [self._put(key_item(hash_key(secret), old.key))]
        end = self.now + 3600 * grace_hours
        if not grace_hours:
            changes.append(self._change(old, "disabled", {"BOOL": True}))
        elif old.key.expires_at is None or old.key.expires_at > end:
            changes.append(self._change(old, "valid_until", {"N": str(end)}))
        self._write(*changes)
        return secret

    def _find(self, name: str, states: set[str]) -> list[Stored]:
        named = [key for key in self.list_keys() if name in {key.key.name, key.short}]
        if not named:
            raise Refused(f"there is no key named {name}")
        found = [key for key in named if key.state(self.now) in states]
        if not found:
            raise Refused(f"the key {name} is {named[0].state(self.now)}")
        return found

    def _find_one(self, name: str, state: str) -> Stored:
        found = self._find(name, {state})
        if len(found) > 1:
            hashes = ", ".join(key.short for key in found)
            raise Refused(f"{len(found)} {state} keys are named {name}, name one of them: {hashes}")
        return found[0]

    def _refuse_second(self, name: str) -> None:
        for key in self.list_keys():
            if key.key.name == name and key.state(self.now) == "enabled":
                raise Refused(f"a key named {name} is enabled: disable it first, or rotate it")

    def _put(self, item: dict[str, Any]) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": item,
                "ConditionExpression": "attribute_not_exists(key_sha256)",
            }
        }

    def _change(
        self, key: Stored, attribute: str, value: dict[str, Any]
    ) -> "TransactWriteItemTypeDef":
        return {
            "Update": {
                "TableName": self._table,
                "Key": {"key_sha256": {"S": key.key_sha256}},
                "UpdateExpression": "SET #attribute = :value",
                "ConditionExpression": "attribute_exists(key_sha256) AND #attribute <> :value",
                "ExpressionAttributeNames": {"#attribute": attribute},
                "ExpressionAttributeValues": {":value": value},
            }
        }

    def _write(self, *items: "TransactWriteItemTypeDef") -> None:
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as error:
            raise Refused("the key was changed by someone else meanwhile, try again") from error


def _new_key() -> str:
    return f"imgdiff_{secrets.token_hex(16)}"


def open_table(stack: str, local: int | None, now: int) -> KeysTable:
    """The table of a stack on AWS, or of the service that ``make run`` started.

    Parameters
    ----------
    stack : str
        The stack's name.
    local : int or None
        The port of the local service.
    now : int
        Seconds since 1970.

    Raises
    ------
    Refused
        The stack has no table of keys.
    """
    if local is not None:
        from local.stack import enter

        enter(f"http://127.0.0.1:{local + 1}", base_url="")
        table = os.environ["KEYS_TABLE"]
    else:
        cloudformation = boto3.client("cloudformation", config=_CONFIG)
        outputs = cloudformation.describe_stacks(StackName=stack)["Stacks"][0].get("Outputs", [])
        tables = [item["OutputValue"] for item in outputs if item["OutputKey"] == "KeysTableName"]
        if not tables:
            raise Refused(f"the stack {stack} has no output KeysTableName")
        [table] = tables
    return KeysTable(boto3.client("dynamodb", config=_CONFIG), table, now)


def _name(text: str) -> str:
    if not text.isprintable() or not 0 < len(text.strip()) <= _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"must have 1 to {_LONGEST_NAME} printable characters")
    return text.strip()


def _positive(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text) or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def _future(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a date or time such as 2027-01-01 or 2027-01-01T12:00, not {text!r}"
        ) from None
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if seconds <= time.time():
        raise argparse.ArgumentTypeError(f"must be in the future, not {text!r}")
    return seconds


def _bucket(text: str) -> str:
    if not _BUCKET.fullmatch(text):
        raise argparse.ArgumentTypeError(f"must be the name of an S3 bucket, not {text!r}")
    return text


def _prefix(text: str) -> str:
    inner = text.strip("/")
    return f"{inner}/" if inner else ""


def _create(table: KeysTable, options: argparse.Namespace) -> str:
    if options.prefix and not options.bucket:
        raise Refused("a prefix needs a bucket")
    place = Place(secrets.token_hex(6), options.bucket, options.prefix) if options.bucket else None
    key = Key(
        options.name,
        expires_at=options.expires,
        per_minute=options.per_minute,
        per_day=options.per_day,
        place=place,
    )
    return _shown(table.create(key))


def _rotate(table: KeysTable, options: argparse.Namespace) -> str:
    return _shown(table.rotate(options.name, options.grace))


def _shown(secret: str) -> str:
    # What goes to a file or a variable is the key alone.
    sys.stderr.write("This key is not shown again; the table has only its hash:\n")
    return secret


def _disable(table: KeysTable, options: argparse.Namespace) -> str:
    return "\n".join(f"disabled {key.key.name} {key.short}" for key in table.disable(options.name))


def _enable(table: KeysTable, options: argparse.Namespace) -> str:
    key = table.enable(options.name)
    return f"enabled {key.key.name} {key.short}"


def _list(table: KeysTable, _: argparse.Namespace) -> str:
    rows = [["NAME", "HASH", "STATE", "PER MINUTE", "PER DAY", "EXPIRES (UTC)", "RESULTS GO TO"]]
    for stored in table.list_keys():
        key = stored.key
        until = None if key.expires_at is None else datetime.fromtimestamp(key.expires_at, UTC)
        cells = (
            *(key.name, stored.short, stored.state(table.now), key.per_minute, key.per_day),
            until and f"{until:%Y-%m-%d %H:%M}",
            key.place and f"s3://{key.place.bucket}/{key.place.prefix}",
        )
        rows.append(["-" if cell is None else str(cell) for cell in cells])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def _parser() -> argparse.ArgumentParser:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--stack", default="imgdiff", help="the stack on AWS (imgdiff)")
    where.add_argument(
        "--local", type=_positive, metavar="PORT", help="the port of the service of make run"
    )
    which = argparse.ArgumentParser(add_help=False, parents=[where])
    which.add_argument("--name", required=True, type=_name, help="its name or hash, as listed")

    parser = argparse.ArgumentParser(prog="python -m tools.keys", description="API keys.")
    commands = parser.add_subparsers(required=True)

    create = commands.add_parser("create", parents=[where], help="make a key and show it")
    create.set_defaults(run=_create)
    create.add_argument("--name", required=True, type=_name, help="who uses it")
    create.add_argument("--per-minute", type=_positive, help="requests it may make a minute")
    create.add_argument("--per-day", type=_positive, help="requests it may make a day (UTC)")
    create.add_argument("--expires", type=_future, help="date or time (UTC) when it stops working")
    create.add_argument("--bucket", type=_bucket, help="where its results go")
    create.add_argument("--prefix", type=_prefix, default="", help="under which prefix there")

    listing = commands.add_parser("list", parents=[where], help="list the keys")
    listing.set_defaults(run=_list)
    disable = commands.add_parser("disable", parents=[which], help="lock a key out")
    disable.set_defaults(run=_disable)
    enable = commands.add_parser("enable", parents=[which], help="let a disabled key in again")
    enable.set_defaults(run=_enable)
    rotate = commands.add_parser("rotate", parents=[which], help="replace a key by a new one")
    rotate.set_defaults(run=_rotate)
    rotate.add_argument(
        "--grace", type=_positive, default=0, metavar="HOURS", help="how long the old one works on"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; what fails ends it with one sentence.

    Parameters
    ----------
    arguments : sequence of str, optional
        The command line, that of the process by default.
    """
    options = _parser().parse_args(arguments)
    try:
        table = open_table(options.stack, options.local, int(time.time()))
        said = options.run(table, options)
    except EndpointConnectionError as error:
        start = f" Start the service: make run PORT={options.local}" if options.local else ""
        sys.exit(f"{error}.{start}")
    except ClientError as error:
        sys.exit(error.response["Error"].get("Message") or str(error))
    except (Refused, BotoCoreError) as error:
        sys.exit(str(error))
    sys.stdout.write(f"{said}\n")


if __name__ == "__main__":
    main()
