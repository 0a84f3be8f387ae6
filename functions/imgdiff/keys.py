"""API keys: who may call. Only a key's SHA-256 is ever stored."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from imgdiff.errors import InvalidKey


@dataclass(frozen=True, slots=True)
class Key:
    """A key's record.

    Attributes
    ----------
    name : str
        Who uses it.
    disabled : bool
    """

    name: str
    disabled: bool = False


class Keys(Protocol):
    """Where keys are kept."""

    def find(self, key_sha256: str) -> Key | None:
        """The record of the key with this hash."""
        ...


def hash_key(key: str) -> str:
    """SHA-256 of a key, 64 hex digits."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


def authenticate(key: str, keys: Keys) -> Key:
    """The record of a key that may call.

    Raises
    ------
    InvalidKey
        The key is missing, unknown or disabled; the three read alike to a guesser.
    """
    if not key:
        raise InvalidKey("a key is required: send it as the field key or the header x-api-key")
    record = keys.find(hash_key(key))
    if record is None or record.disabled:
        raise InvalidKey("the key is not valid")
    return record
