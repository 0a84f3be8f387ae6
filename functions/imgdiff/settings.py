"""Settings, read from the environment once and checked before anything uses them.

A setting's variable is its name in capitals. A missing or unusable value fails at start, naming
the variable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self


class InvalidSetting(Exception):
    """An environment variable is missing or its value is not allowed."""


def _text(default: str | None = None) -> Any:
    return field(metadata={"default": default})


def _number(default: int, *, low: int, high: int) -> Any:
    return field(metadata={"default": str(default), "low": low, "high": high})


@dataclass(frozen=True, slots=True)
class Settings:
    """What the stack tells the code.

    Attributes
    ----------
    media_bucket : str
        Bucket that holds stored images.
    keys_table : str
        Table that holds the keys' hashes.
    media_base_url : str
        Where links point when a CDN stands in front, without a trailing slash; empty for the
        API's own address.
    max_image_bytes, max_image_pixels : int
        Largest image read, encoded and decoded.
    fetch_timeout_seconds : int
        Time that one image may take to arrive, redirects included.
    link_expires_seconds : int
        How long the presigned address behind a link is good; the link itself lives on.
    """

    media_bucket: str = _text()
    keys_table: str = _text()
    media_base_url: str = _text("")
    max_image_bytes: int = _number(20_000_000, low=1, high=200_000_000)
    max_image_pixels: int = _number(25_000_000, low=1, high=500_000_000)
    fetch_timeout_seconds: int = _number(10, low=1, high=25)
    link_expires_seconds: int = _number(300, low=60, high=3600)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read and check every setting.

        Raises
        ------
        InvalidSetting
            A variable is missing or its value is not allowed; the message names it.
        """
        values: dict[str, str | int] = {}
        for setting in fields(cls):
            variable = setting.name.upper()
            rule = setting.metadata
            value = environ.get(variable, rule["default"] or "").rstrip("/")
            if not value and rule["default"] is None:
                raise InvalidSetting(f"{variable} is not set")
            values[setting.name] = (
                _whole(variable, value, low=rule["low"], high=rule["high"])
                if "low" in rule
                else value
            )
        return cls(**values)  # type: ignore[arg-type]


def _whole(variable: str, value: str, *, low: int, high: int) -> int:
    try:
        number = int(value)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise InvalidSetting(f"{variable} is {value!r}, not a whole number from {low} to {high}")
    return number
