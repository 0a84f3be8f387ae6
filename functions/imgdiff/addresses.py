"""Which addresses may be fetched: public ones, spelled plainly.

Refused before parsing is what parsers disagree about; refused after it is what is not an http(s)
address of a named host or a canonical IP address. Whether a host is public is decided by the
IP addresses that it resolves to, never by its name.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urljoin, urlsplit

from imgdiff.errors import InvalidField

type IPAddress = IPv4Address | IPv6Address
type IPNetwork = IPv4Network | IPv6Network

_MAX_LENGTH = 2048
_PLAIN = re.compile(r"[!-\[\]-~]+")  # visible ASCII without the backslash
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+")
_IN_BRACKETS = re.compile(r"\[[^\[\]]+\](:[0-9]*)?")
_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_DEFAULT_PORTS = {"http": 80, "https": 443}

# IANA's IPv4 special-purpose registry less what it calls globally reachable, multicast, and
# Azure's host endpoint, which lies in public space.
_NOT_PUBLIC_4 = tuple(
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
# Only this is handed out for the internet: IPv4 mapped and translated, NAT64, loopback, unique
# and link-local addresses and multicast lie outside.
_PUBLIC_6 = IPv6Network("2000::/3")
# What of it IANA's IPv6 special-purpose registry sets apart: protocols of the IETF's, Teredo among
# them, documentation, and 6to4, which carries an IPv4 address.
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# ISATAP carries an IPv4 address behind these, wherever the network is.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

# What no setting opens on Lambda: its own endpoints are on loopback and link-local addresses, and
# the VPC's on fd00:ec2::/32; the rest are other ways to spell them, or no single machine.
_OF_LAMBDA = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/3",
        "::/3",
        "fd00:ec2::/32",
        "fe80::/9",
        "ff00::/8",
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
        Lower-case host name or canonical IP address.
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
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Guard:
    """What may be fetched.

    Attributes
    ----------
    ports : set of int
    hosts : set of str
        The only hosts allowed, ``*.example.com`` for all below one; empty for any.
    networks : tuple of IPv4Network or IPv6Network
        Networks that are allowed although they are not public, as in a VPC.
    ipv6 : bool
        Whether IPv6 is used at all.
    on_lambda : bool
        Whether this runs on Lambda, whose own endpoints ``networks`` must not open.
    """

    ports: frozenset[int] = frozenset(_DEFAULT_PORTS.values())
    hosts: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()
    ipv6: bool = False
    on_lambda: bool = True

    def locate(self, address: str) -> Location:
        """Parse an address and refuse what is not plainly that of an allowed server.

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
        if set("@%") & set(parts.netloc):
            raise InvalidField("must not carry a user name or an encoded host")
        host = parts.hostname or ""
        self._check_host(host, parts.netloc)
        port = _DEFAULT_PORTS[parts.scheme] if port is None else port
        if port not in self.ports:
            raise InvalidField(f"must use port {' or '.join(map(str, sorted(self.ports)))}")
        path = parts.path or "/"
        return Location(parts.scheme, host, port, f"{path}?{parts.query}" if parts.query else path)

    def follow(self, location: Location, reference: str) -> Location:
        """Where a redirect leads to, held against the same rules.

        Raises
        ------
        InvalidField
            It is refused, or leaves https for http.
        """
        _refuse_unplain(reference)
        base = f"{location.scheme}://{location.authority}{location.path}"
        try:
            address = urljoin(base, reference)
        except ValueError as error:
            raise InvalidField("redirects to what is not a valid address") from error
        found = self.locate(address)
        if location.scheme == "https" and found.scheme == "http":
            raise InvalidField("redirects from https to http")
        return found

    def allows(self, address: str) -> bool:
        """Whether an IP address may be connected to."""
        try:
            ip: IPAddress = ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, IPv6Address) and (ip.scope_id or not self.ipv6):
            return False
        if _is_public(ip):
            return True
        if self.on_lambda and _is_within(ip, _OF_LAMBDA):
            return False
        return _is_within(ip, self.networks)

    def _check_host(self, host: str, netloc: str) -> None:
        if "[" in netloc:
            # What stands beside the brackets is a host to some parsers, and nothing to others.
            if not self.ipv6 or not _IN_BRACKETS.fullmatch(netloc) or not is_ip(host):
                raise InvalidField("must not carry an IPv6 address, or one not in its usual form")
        elif not _HOST.fullmatch(host):
            raise InvalidField("must name a full host, such as www.example.com")
        # A last label of digits is an IPv4 address to some resolver, in some spelling.
        elif _NUMERIC.fullmatch(host.rpartition(".")[2]) and not is_ip(host):
            raise InvalidField("must name a full host or a dotted IPv4 address")
        if self.hosts and not self.hosts & {host, *_wildcards(host)}:
            raise InvalidField("names a host that is not allowed here")


def is_ip(host: str) -> bool:
    """Whether a host is an IP address, in its one canonical spelling."""
    try:
        return str(ip_address(host)) == host
    except ValueError:
        return False


def _refuse_unplain(text: str) -> None:
    if len(text) > _MAX_LENGTH:
        raise InvalidField(f"is longer than {_MAX_LENGTH} characters")
    if not _PLAIN.fullmatch(text):
        raise InvalidField("must be an http(s) address, with all but visible ASCII as %XX")


def _wildcards(host: str) -> list[str]:
    labels = host.split(".")
    return [".".join(["*", *labels[start:]]) for start in range(1, len(labels))]


def _is_public(ip: IPAddress) -> bool:
    if isinstance(ip, IPv4Address):
        return not _is_within(ip, _NOT_PUBLIC_4)
    return (
        ip in _PUBLIC_6
        and not _is_within(ip, _NOT_PUBLIC_6)
        and int(ip) >> 32 & 0xFFFF_FFFF not in _ISATAP
    )


def _is_within(ip: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(ip in network for network in networks)
