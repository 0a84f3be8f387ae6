"""Settings, read from the environment once and checked before anything uses them.

A setting's variable is its name in capitals. A missing or unusable value fails at start, naming
the variable.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from imgdiff.addresses import IPNetwork

_ARN = re.compile(r"arn:aws[a-z-]*:s3:::\S+")
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)+|[0-9a-f:.]+")


class InvalidSetting(Exception):
    """An environment variable is missing or its value is not allowed."""


def _setting(parse: Callable[[str], Any], allowed: str, default: str | None = None) -> Any:
    """A setting: how its text is read, what is allowed in words, and its text if there is none."""
    return field(metadata={"parse": parse, "allowed": allowed, "default": default})


def _text(default: str | None = None) -> Any:
    return _setting(lambda text: text.rstrip("/"), "a text", default)


def _number(default: int, *, low: int, high: int) -> Any:
    def parse(text: str) -> int:
        if not low <= int(text) <= high:
            raise ValueError
        return int(text)

    return _setting(parse, f"a whole number from {low} to {high}", str(default))


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _arns(text: str) -> tuple[str, ...]:
    arns = tuple(_listed(text))
    if not all(map(_ARN.fullmatch, arns)):
        raise ValueError
    return arns


def _ports(text: str) -> frozenset[int]:
    ports = frozenset(map(int, _listed(text)))
    if not ports or not all(0 < port < 1 << 16 for port in ports):
        raise ValueError
    return ports


def _hosts(text: str) -> frozenset[str]:
    hosts = frozenset(_listed(text.lower()))
    if not all(map(_HOST.fullmatch, hosts)):
        raise ValueError
    return hosts


def _networks(text: str) -> "tuple[IPNetwork, ...]":
    from ipaddress import ip_network

    return tuple(map(ip_network, _listed(text)))


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
    fetch_allowed_ports : set of int
    fetch_allowed_hosts : set of str
        The only hosts that images are fetched from, ``*.example.com`` for all below one; empty
        for any.
    fetch_allowed_networks : tuple of IPv4Network or IPv6Network
        Networks that images are fetched from although they are not public, as in a VPC.
    fetch_ipv6 : bool
        Whether images are fetched over IPv6 too.
    inbox_bucket : str
        Bucket into which pairs and batches are put.
    results_bucket : str
        Bucket of what is made of them.
    input_arns : tuple of str
        Further buckets that pairs and batches are read from: ARNs of objects, with wildcards.
    batch_state_machine : str
        ARN of the state machine that runs batches.
    link_expires_seconds : int
        How long the presigned address behind a link is good; the link itself lives on.
    """

    media_bucket: str = _text()
    keys_table: str = _text()
    inbox_bucket: str = _text()
    results_bucket: str = _text()
    input_arns: tuple[str, ...] = _setting(
        _arns, "ARNs of S3 objects, such as arn:aws:s3:::bucket/prefix*, joined by commas", ""
    )
    batch_state_machine: str = _text()
    media_base_url: str = _text("")
    max_image_bytes: int = _number(20_000_000, low=1, high=200_000_000)
    max_image_pixels: int = _number(25_000_000, low=1, high=500_000_000)
    fetch_timeout_seconds: int = _number(10, low=1, high=25)
    fetch_allowed_ports: frozenset[int] = _setting(
        _ports, "numbers of ports, joined by commas", "80,443"
    )
    fetch_allowed_hosts: frozenset[str] = _setting(
        _hosts, "names of hosts, such as example.com or *.example.com, joined by commas", ""
    )
    fetch_allowed_networks: tuple["IPNetwork", ...] = _setting(
        _networks, "networks, such as 10.1.0.0/16, joined by commas", ""
    )
    fetch_ipv6: bool = _setting(_flag, "true or false", "false")
    link_expires_seconds: int = _number(300, low=60, high=3600)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read and check every setting.

        Raises
        ------
        InvalidSetting
            A variable is missing or its value is not allowed; the message names it.
        """
        values: dict[str, Any] = {}
        for setting in fields(cls):
            variable, rule = setting.name.upper(), setting.metadata
            text = environ.get(variable, rule["default"])
            if rule["default"] is None and not (text or "").strip("/"):
                raise InvalidSetting(f"{variable} is not set")
            try:
                values[setting.name] = rule["parse"](text)
            except (ValueError, KeyError) as error:
                raise InvalidSetting(f"{variable} is {text!r}, not {rule['allowed']}") from error
        return cls(**values)
