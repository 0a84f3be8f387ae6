"""API keys: who may call, how often, and where their results go. Only a key's hash is stored."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from imgdiff.errors import InvalidKey
from imgdiff.media import Place


@dataclass(frozen=True, slots=True)
class Key:
    """A key's record.

    Attributes
    ----------
    name : str
        Who uses it.
    disabled : bool
    expires_at : int or None
        When it stops working, in seconds since 1970.
    per_minute, per_day : int or None
        How many requests it may make.
    place : Place or None
        Where its results go, where not into the service's own bucket.
    """

    name: str
    disabled: bool = False
    expires_at: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    place: Place | None = None


class Keys(Protocol):
    """Where keys are kept and their requests counted."""

    def find(self, key_sha256: str) -> Key | None:
        """The record of the key with this hash."""
        ...

    def count(self, key_sha256: str, key: Key, now: int, requests: int = 1) -> None:
        """Count so many more requests, all or none.

        Raises
        ------
        QuotaExceeded
            They are too many for the minute or the day.
        """
        ...


def hash_key(key: str) -> str:
    """SHA-256 of a key, 64 hex digits."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def identify(key: str, keys: Keys, *, now: int) -> Key:
    """The record of a key that works now.

    Parameters
    ----------
    key : str
        As the caller sent it; empty where none was sent.
    keys : Keys
    now : int
        Seconds since 1970.

    Raises
    ------
    InvalidKey
        The key is missing, unknown, disabled or expired; the last three read alike to a guesser.
    """
    if not key:
        raise InvalidKey("a key is required: send it as the field key or the header x-api-key")
    record = keys.find(hash_key(key))
    expired = record is not None and record.expires_at is not None and now >= record.expires_at
    if record is None or record.disabled or expired:
        raise InvalidKey("the key is not valid")
    return record


def spend(key: str, record: Key, keys: Keys, *, now: int, requests: int = 1) -> None:
    """Count so many requests of a key that has a quota, all or none.

    Raises
    ------
    QuotaExceeded
        They are more than the key may make for now.
    """
    if record.per_minute is not None or record.per_day is not None:
        keys.count(hash_key(key), record, now, requests)


def authorize(key: str, keys: Keys, *, now: int) -> Key:
    """The record of a key that may make a request now; the request is counted.

    Raises
    ------
    InvalidKey
        The key does not work.
    QuotaExceeded
        The key has made all the requests it may make for now.
    """
    record = identify(key, keys, now=now)
    spend(key, record, keys, now=now)
    return record
