"""Which addresses may be fetched: public ones, spelled plainly.

Refused before parsing is what parsers disagree about; refused after it is what is not an http(s)
address of a named host or a canonical IPv4 address. Whether a host is public is decided by the
IP address that is then connected to, never by its name.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from urllib.parse import SplitResult, urljoin, urlsplit

from imgdiff.errors import InvalidField

_MAX_LENGTH = 2048
_PLAIN = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# IANA's IPv4 special-purpose registry less what it calls globally reachable, multicast, and
# Azure's host endpoint, which lies in public space.
_NOT_PUBLIC = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed and accepted address.

    Attributes
    ----------
    scheme : str
        ``http`` or ``https``.
    host : str
        Lower-case host name or dotted quad.
    port : int
    path : str
        Path and query as sent in the request line.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the ``Host`` header."""
        default = self.port == _DEFAULT_PORTS[self.scheme]
        return self.host if default else f"{self.host}:{self.port}"

    def follow(self, reference: str) -> "Location":
        """The accepted address that a redirect of this one leads to.

        Raises
        ------
        InvalidField
            It is refused, or leaves https for http.
        """
        _refuse_unplain(reference)
        base = f"{self.scheme}://{self.authority}{self.path}"
        try:
            address = urljoin(base, reference)
        except ValueError as error:
            raise InvalidField("redirects to what is not a valid address") from error
        location = locate(address)
        if self.scheme == "https" and location.scheme == "http":
            raise InvalidField("redirects from https to http")
        return location


def locate(address: str) -> Location:
    """Parse an address and refuse what is not plainly a public web address.

    Raises
    ------
    InvalidField
        It is refused; the message says why.
    """
    _refuse_unplain(address)
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError as error:
        raise InvalidField("is not a valid address") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidField("must begin with http:// or https://")
    if set("@%[]") & set(parts.netloc):
        raise InvalidField("must not carry a user name, an encoded host or an IPv6 address")
    host = _checked_host(parts)
    port = _DEFAULT_PORTS[parts.scheme] if port is None else port
    if port not in _DEFAULT_PORTS.values():
        raise InvalidField("must use port 80 or 443")
    path = parts.path or "/"
    return Location(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)


def is_public(address: str) -> bool:
    """Whether an IPv4 address is globally reachable; nothing else is."""
    try:
        ip = IPv4Address(address)
    except ValueError:
        return False
    return not any(ip in network for network in _NOT_PUBLIC)


def _refuse_unplain(text: str) -> None:
    if len(text) > _MAX_LENGTH:
        raise InvalidField(f"is longer than {_MAX_LENGTH} characters")
    if not _PLAIN.fullmatch(text):
        raise InvalidField("must be an http(s) address, with all but visible ASCII as %XX")


def _checked_host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not _HOST.fullmatch(host):
        raise InvalidField("must name a full host, such as www.example.com")
    # A last label of digits is an IPv4 address to some resolver, in some spelling.
    if _NUMERIC.fullmatch(host.rpartition(".")[2]) and not is_ipv4(host):
        raise InvalidField("must name a full host or a dotted IPv4 address")
    return host


def is_ipv4(host: str) -> bool:
    """Whether a host is an IPv4 address, in its one canonical spelling."""
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False
