"""Which IP addresses are public, to the edges of every special range, and what settings open."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.addresses import Guard, IPAddress, IPNetwork
from imgdiff.composition import Services
from imgdiff.deadline import Deadline
from imgdiff.errors import InvalidField
from local.stack import environment
from tests.security.conftest import BODY, ok
from tests.security.origin import Origin

# IANA's special-purpose registries, less what is globally reachable outside the blocks of the
# IETF's protocols; multicast; and what was never handed out.
SPECIAL = {
    "0.0.0.0/8": "this network",
    "0.0.0.0/32": "this host",
    "10.0.0.0/8": "private use",
    "100.64.0.0/10": "shared, carrier-grade NAT",
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "host endpoint of Azure",
    "169.254.0.0/16": "link-local, instance metadata",
    "172.16.0.0/12": "private use",
    "192.0.0.0/24": "protocols of the IETF",
    "192.0.0.0/29": "dual-stack lite",
    "192.0.0.8/32": "dummy",
    "192.0.0.9/32": "port control anycast",
    "192.0.0.10/32": "TURN anycast",
    "192.0.0.170/31": "NAT64 discovery",
    "192.0.2.0/24": "documentation",
    "192.88.99.0/24": "6to4 relays",
    "192.88.99.2/32": "6a44 relay",
    "192.168.0.0/16": "private use",
    "198.18.0.0/15": "benchmarking",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "224.0.0.0/24": "multicast, local",
    "233.252.0.0/24": "multicast, documentation",
    "239.0.0.0/8": "multicast, private use",
    "240.0.0.0/4": "reserved",
    "255.255.255.255/32": "broadcast",
    "::/3": "not handed out",
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "IPv4-compatible",
    "::ffff:0:0/96": "IPv4-mapped",
    "::ffff:0:0:0/96": "IPv4-translated",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64, local use",
    "100::/64": "discard",
    "100:0:0:1::/64": "dummy",
    "200::/7": "OSI",
    "2001::/23": "protocols of the IETF",
    "2001::/32": "Teredo",
    "2001:1::1/128": "port control anycast",
    "2001:1::2/128": "TURN anycast",
    "2001:1::3/128": "DNS-SD anycast",
    "2001:2::/48": "benchmarking",
    "2001:3::/32": "automatic multicast tunnels",
    "2001:4:112::/48": "AS112",
    "2001:10::/28": "ORCHID",
    "2001:20::/28": "ORCHID 2",
    "2001:30::/28": "drone identification",
    "2001:db8::/32": "documentation",
    "2002::/16": "6to4",
    "3fff::/20": "documentation, new",
    "4000::/2": "not handed out",
    "5f00::/16": "segment routing",
    "8000::/1": "not handed out",
    "fc00::/7": "unique local",
    "fd00:ec2::/32": "VPC endpoints",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
    "ff0e::/16": "multicast, global",
}
# What no setting opens on Lambda.
OF_LAMBDA = {
    "0.0.0.0/8": "this network",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "224.0.0.0/3": "multicast, reserved",
    "::/3": "loopback, IPv4 in other forms",
    "fd00:ec2::/32": "VPC endpoints",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
    "ff00::/8": "multicast",
}
ENDPOINTS = [
    *("127.0.0.1", "127.255.255.254", "169.254.169.253", "169.254.169.254", "169.254.170.2"),
    *("169.254.169.123", "169.254.79.129", "169.254.100.1", "169.254.76.1", "0.0.0.0"),
    *("::", "::1", "fd00:ec2::23", "fd00:ec2::123", "fd00:ec2::253", "fd00:ec2::254", "fe80::1"),
    *("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "::ffff:0:169.254.169.254"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.215.14", "192.31.196.1", "192.52.193.1", "192.175.48.1"),
    *("223.255.255.255", "52.95.110.1", "2606:4700:4700::1111", "2001:4860:4860::8888"),
    *("2620:4f:8000::1", "2a00:1450:4001:80b::200e", "2600:1f18::1", "2400:cb00:2048::1"),
]
EVERYTHING = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))

EMBEDDINGS: dict[str, Callable[[int], int]] = {
    "compatible": lambda ip: ip,
    "mapped": lambda ip: _at("::ffff:0:0") | ip,
    "translated": lambda ip: _at("::ffff:0:0:0") | ip,
    "NAT64": lambda ip: _at("64:ff9b::") | ip,
    "NAT64, local": lambda ip: _at("64:ff9b:1::") | ip >> 16 << 64 | (ip & 0xFFFF) << 40,
    "6to4": lambda ip: _at("2002::1") | ip << 80,
    "Teredo server": lambda ip: _at("2001:0:0:0:8000:fbfd:f7c6:b8b6") | ip << 64,
    "Teredo client": lambda ip: _at("2001:0:4136:e378:8000:63bf::") | ip ^ 0xFFFF_FFFF,
    "ISATAP": lambda ip: _at("2606:4700:4700::5efe:0:0") | ip,
    "ISATAP, unique": lambda ip: _at("2606:4700:4700::200:5efe:0:0") | ip,
}


def _at(address: str) -> int:
    return int(IPv6Address(address))


def _is_in(ip: IPAddress, networks: Iterable[IPNetwork]) -> bool:
    return any(ip in network for network in networks)


def edges(ranges: dict[str, str]) -> dict[str, tuple[str, bool]]:
    """First, second and last address of every range and those beside it: is it in none of them?"""
    found = {}
    networks = [ip_network(network) for network in ranges]
    for network, use in zip(networks, ranges.values(), strict=True):
        first, last = int(network.network_address), int(network.broadcast_address)
        for edge, number in {
            "first": first,
            "second": first + 1,
            "last": last,
            "before": first - 1,
            "after": last + 1,
        }.items():
            if 0 <= number < 1 << network.max_prefixlen:
                ip = type(network.network_address)(number)
                name = f"{edge} of {network}, {use}"
                found[name] = str(ip), not _is_in(ip, networks)
    return found


EDGES = edges(SPECIAL)
EDGES_OF_LAMBDA = edges(OF_LAMBDA)


@pytest.mark.parametrize(("ip", "public"), EDGES.values(), ids=EDGES)
def test_special_range_is_refused_to_its_edges(ip: str, *, public: bool) -> None:
    assert Guard(ipv6=True).allows(ip) is public


def test_many_edges_lie_beside_public_addresses() -> None:
    beside = {ip for ip, public in EDGES.values() if public}

    # Two a range, but for ranges within others, next to others and at the ends of all addresses.
    assert sum(":" not in ip for ip in beside) == 28
    assert sum(":" in ip for ip in beside) == 10


@pytest.mark.parametrize("network", [network for network in SPECIAL if ":" in network])
def test_ipv6_is_refused_unless_it_is_wanted(network: str) -> None:
    ip = ip_network(network).network_address

    assert not Guard().allows(str(ip))
    assert not Guard(networks=EVERYTHING, on_lambda=False).allows(str(ip))


@pytest.mark.parametrize("ip", PUBLIC)
def test_global_address_is_public(ip: str) -> None:
    assert Guard(ipv6=True).allows(ip)
    assert Guard(ipv6=False).allows(ip) is (":" not in ip)


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "8.8.8.8"])
@pytest.mark.parametrize("form", EMBEDDINGS)
def test_ipv4_address_within_ipv6_is_refused(form: str, ip: str) -> None:
    embedded = IPv6Address(EMBEDDINGS[form](int(IPv4Address(ip))))

    assert not Guard(ipv6=True).allows(str(embedded))
    assert not Guard(ipv6=True).allows(embedded.exploded)


def test_embeddings_are_those_of_the_standards() -> None:
    ip = int(IPv4Address("169.254.169.254"))

    assert {form: str(IPv6Address(embed(ip))) for form, embed in EMBEDDINGS.items()} == {
        "compatible": "::a9fe:a9fe",
        "mapped": "::ffff:169.254.169.254",
        "translated": "::ffff:0:a9fe:a9fe",
        "NAT64": "64:ff9b::a9fe:a9fe",
        "NAT64, local": "64:ff9b:1:a9fe:a9:fe00::",
        "6to4": "2002:a9fe:a9fe::1",
        "Teredo server": "2001:0:a9fe:a9fe:8000:fbfd:f7c6:b8b6",
        "Teredo client": "2001:0:4136:e378:8000:63bf:5601:5601",
        "ISATAP": "2606:4700:4700::5efe:a9fe:a9fe",
        "ISATAP, unique": "2606:4700:4700:0:200:5efe:a9fe:a9fe",
    }


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_python_finds_no_more_to_be_local(ip: IPAddress) -> None:
    if not ip.is_global or ip.is_multicast:
        assert not Guard(ipv6=True).allows(str(ip))


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_is_not_special_is_public(ip: IPv4Address) -> None:
    assert Guard().allows(str(ip)) is not _is_in(ip, map(ip_network, SPECIAL))


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "8.8.8", "8.8.8.8.8", "8.8.8.8 ", " 8.8.8.8", "8.8.8.8\n"),
        *("8.8.8.8/32", "8.8.8.8:80", "08.8.8.8", "8.8.8.0x8", "134744072", "٨.٨.٨.٨"),
        *("[2606:4700:4700::1111]", "2606:4700:4700::1111%1", "2606:4700:4700::1111/128"),
        *("2606:4700:4700::1111\n", "fe80::1%eth0", "2606::4700::1", ":", "::%"),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert not Guard(ipv6=True).allows(text)
    assert not Guard(ipv6=True, networks=EVERYTHING, on_lambda=False).allows(text)


# --- what settings open


@pytest.mark.parametrize("on_lambda", [True, False])
@pytest.mark.parametrize(
    ("network", "beside"),
    [
        ("10.0.0.0/8", ["172.16.0.1", "192.168.0.1"]),
        ("10.1.0.0/16", ["10.0.255.255", "10.2.0.0"]),
        ("10.1.2.3/32", ["10.1.2.2", "10.1.2.4"]),
        ("100.64.0.0/10", ["10.0.0.1"]),
        ("172.31.0.0/16", ["172.30.255.255", "172.16.0.1"]),
        ("192.168.7.0/24", ["192.168.6.255", "192.168.8.0"]),
        ("198.18.0.0/15", ["203.0.113.1"]),
        ("fd12:3456::/32", ["fd12:3455:ffff::1", "fd12:3457::", "fd00:ec2::254", "fc00::1"]),
        ("2001:db8::/32", ["3fff::1"]),
    ],
)
def test_setting_opens_its_network_and_no_more(
    network: str, beside: list[str], *, on_lambda: bool
) -> None:
    opened = ip_network(network)
    guard = Guard(networks=(opened,), ipv6=True, on_lambda=on_lambda)

    assert guard.allows(str(opened.network_address))
    assert guard.allows(str(opened.broadcast_address))
    assert not any(map(guard.allows, [*beside, "127.0.0.1", "169.254.169.254", "::1"]))
    assert all(map(guard.allows, PUBLIC))


def test_ipv4_network_opens_no_ipv6_form_of_it() -> None:
    guard = Guard(networks=(IPv4Network("10.0.0.0/8"),), ipv6=True, on_lambda=False)
    ip = int(IPv4Address("10.1.2.3"))

    assert guard.allows("10.1.2.3")
    assert not any(guard.allows(str(IPv6Address(embed(ip)))) for embed in EMBEDDINGS.values())


@pytest.mark.parametrize(("ip", "beside"), EDGES_OF_LAMBDA.values(), ids=EDGES_OF_LAMBDA)
def test_no_setting_opens_what_is_lambdas(ip: str, *, beside: bool) -> None:
    for networks in (EVERYTHING, (ip_network(ip),)):
        assert Guard(networks=networks, ipv6=True, on_lambda=True).allows(ip) is beside
        assert Guard(networks=networks, ipv6=True, on_lambda=False).allows(ip)


@pytest.mark.parametrize("ip", ENDPOINTS)
def test_no_setting_opens_an_endpoint_of_lambda(ip: str) -> None:
    for networks in (EVERYTHING, (ip_network(ip_address(ip)),)):
        assert not Guard(networks=networks, ipv6=True).allows(ip)


@pytest.mark.parametrize("on_lambda", [True, False])
def test_environment_opens_loopback_but_on_lambda(*, on_lambda: bool) -> None:
    with Origin(ok()) as origin:
        environ = {
            **environment("any", "any"),
            "FETCH_ALLOWED_NETWORKS": "127.0.0.0/8",
            "FETCH_ALLOWED_PORTS": str(origin.port),
            **({"AWS_LAMBDA_FUNCTION_NAME": "imgdiff"} if on_lambda else {}),
        }
        deadline = Deadline()
        deadline.start(10)
        fetcher = Services(environ, deadline).fetcher
        address = f"http://{origin.host}:{origin.port}/"
        if on_lambda:
            with pytest.raises(InvalidField, match="must be a public address"):
                fetcher.fetch(address)
        else:
            assert fetcher.fetch(address) == BODY
    assert len(origin.requests) == (not on_lambda)
