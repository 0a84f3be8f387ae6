"""No spelling or embedding of a refused address gets through, whichever way it comes in.

A name server that knows every name and a network that reaches every address stand ready to help.
"""

import re
import socket
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from itertools import product
from typing import Self
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgdiff.addresses import Guard, IPAddress
from imgdiff.errors import InvalidField, OriginNotFound
from imgdiff.fetch import Fetcher
from tests.security.conftest import BODY, HOST, PATIENT, trust
from tests.security.origin import PUBLIC, answer
from tests.security.test_addresses import EMBEDDINGS, EVERYTHING, OF_LAMBDA, SPECIAL

EXAMPLES = 5_000  # of all properties together

PUBLIC_6 = "2606:4700:4700::1111"


def share(percent: int) -> settings:
    return settings(
        max_examples=EXAMPLES * percent // 100, derandomize=True, deadline=None, database=None
    )


# --- refused addresses


def within(ranges: Iterable[str]) -> st.SearchStrategy[IPAddress]:
    """Addresses of ranges, of the small ones as often as of the large ones."""
    return st.builds(
        lambda network, number: network[number % network.num_addresses],
        st.sampled_from([ip_network(network) for network in ranges]),
        st.integers(0, 2**128 - 1),
    )


def embedded(
    ips: st.SearchStrategy[IPAddress], forms: Iterable[str] = EMBEDDINGS
) -> st.SearchStrategy[IPAddress]:
    """IPv6 addresses that carry IPv4 addresses."""
    ways = st.sampled_from([EMBEDDINGS[form] for form in forms])
    return st.builds(lambda embed, ip: IPv6Address(embed(int(ip))), ways, ips)


REFUSED_4 = within(network for network in SPECIAL if ":" not in network)
REFUSED_6 = (
    within(network for network in SPECIAL if ":" in network)
    | embedded(REFUSED_4)
    | embedded(st.just(IPv4Address(PUBLIC)))
)

# --- their spellings

NUMBERS = ["{}", "0{:o}", "000{:o}", "0x{:x}", "0X{:X}", "0x00{:x}"]
DOTS = "。．｡"
ZEROS = "０٠۰०𝟎"  # of other scripts
UNSEEN = "\u00ad\u200b\u2060\t\n\r\x00 "
DISGUISES: list[dict[int, str]] = [
    {},
    *({ord("."): dot} for dot in (*DOTS, "%2e", "%2E")),
    *({ord("."): f"{unseen}."} for unseen in UNSEEN),
    *({ord(str(n)): chr(ord(zero) + n) for n in range(10)} for zero in ZEROS),
    {ord(str(n)): f"%3{n}" for n in range(10)},
    {character: f"%{character:02x}" for character in range(128)},
]
FRAMES = ["{}"] * 10 + ["{}.", *(f"{unseen}{{}}" for unseen in UNSEEN)]
ZONES = ["", "", "", "%1", "%25eth0"]


def numbers(ip: IPAddress, forms: Sequence[str]) -> str:
    """One to four numbers, the last one for all that is left, as `inet_aton` reads them."""
    kept = len(forms) - 1
    parts = [*ip.packed[:kept], int.from_bytes(ip.packed[kept:])]
    return ".".join(form.format(part) for form, part in zip(forms, parts, strict=True))


def disguised(text: str, disguise: dict[int, str], frame: str) -> str:
    return frame.format(text.translate(disguise))


def in_brackets(ip: IPAddress, form: int, zone: str) -> str:
    """In its usual form, in capitals, in full, and with IPv4 at its end."""
    groups = re.findall("....", f"{int(ip):032x}")
    text = [
        str(ip),
        str(ip).upper(),
        ":".join(groups),
        ":".join(group.lstrip("0") or "0" for group in groups),
        ":".join([*groups[:6], str(IPv4Address(ip.packed[12:]))]),
    ][form]
    return f"[{text}{zone}]"


FORMS = st.one_of([st.sampled_from([*product(NUMBERS, repeat=n)]) for n in range(1, 5)])
SPELLED_4 = st.builds(numbers, REFUSED_4, FORMS)
SPELLED_6 = st.builds(in_brackets, REFUSED_6, st.integers(0, 4), st.sampled_from(ZONES))
SPELLED = (
    REFUSED_4.map(str)
    | SPELLED_6
    | st.builds(disguised, SPELLED_4, st.sampled_from(DISGUISES), st.sampled_from(FRAMES))
)
ADDRESSES = st.builds(
    "{}//{}{}{}".format,
    st.sampled_from(["http:", "https:"]),
    st.sampled_from(["", "", "", "user@", f"{HOST}@", f"{HOST}:80@", f"{HOST}%00@", "\\", "@"]),
    SPELLED,
    st.sampled_from(["", "/", "/a", ":", ":80/", ":443", "?b", "#b", f"/@{HOST}", f"#{HOST}"]),
)
GUARDS = st.sampled_from([Guard(), Guard(ipv6=True)])


class Net:
    """Knows every name and reaches every address, notes both, and gives its replies in turn."""

    def __init__(self, *replies: bytes, addresses: list[str] | None = None) -> None:
        self._replies = [*replies, answer(body=BODY[:9])]
        self._addresses = addresses or [PUBLIC]
        self._held = ExitStack()
        self.asked: list[str] = []
        self.connects: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def fetch(self, guard: Guard, address: str) -> bytes:
        fetcher = Fetcher(
            guard,
            max_bytes=1000,
            timeout=lambda: PATIENT,
            resolve=self._resolve,
            connect=self._connect,
            tls=trust(),
        )
        return fetcher.fetch(address)

    def _resolve(self, host: str, _family: socket.AddressFamily) -> list[str]:
        self.asked.append(host)
        return self._addresses

    def _connect(self, address: str, _port: int, timeout: float) -> socket.socket:
        self.connects.append(address)
        near, far = socket.socketpair()
        self._held.enter_context(far).sendall(self._replies.pop(0))
        near.settimeout(timeout)
        return near


# --- what holds


@share(40)
@given(GUARDS, ADDRESSES)
def test_as_address(guard: Guard, address: str) -> None:
    with Net() as net:
        with pytest.raises(InvalidField):
            net.fetch(guard, address)
        assert net.asked == net.connects == []


@share(20)
@given(GUARDS, st.sampled_from([301, 302, 303, 307, 308]), st.sampled_from([0, 1]), ADDRESSES)
def test_as_redirect(guard: Guard, status: int, relative: int, address: str) -> None:
    # A line that is broken would end the header, and the address with it.
    location = re.sub(r"[\r\n]", "\t", address.removeprefix("http:" * relative))
    head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    with Net(head.encode()) as net:
        with pytest.raises(InvalidField):
            net.fetch(guard, f"http://{HOST}/")
        assert net.asked == [HOST]
        assert net.connects == [PUBLIC]


@share(20)
@given(
    GUARDS,
    REFUSED_4.map(str) | REFUSED_6.map(str) | st.just(f"{PUBLIC_6}%eth0"),
    st.integers(0, 9),
    st.integers(0, 9),
)
def test_as_answer_of_a_name_server(guard: Guard, refused: str, before: int, after: int) -> None:
    addresses = [PUBLIC] * before + [refused] + [PUBLIC] * after
    with Net(addresses=addresses) as net:
        with pytest.raises(OriginNotFound, match="names no public host"):
            net.fetch(guard, f"http://{HOST}/")
        assert net.asked == [HOST]
        assert net.connects == []


@share(10)
@given(
    GUARDS,
    st.sampled_from(
        [
            *("{host}@{ip}", "{ip}@{host}", "{host}:80@{ip}", "{host}:{ip}", "{ip}:80:{host}"),
            *("{host}#@{ip}", "{host}?@{ip}", "{host}/@{ip}", "{host}//{ip}", "{host}\\@{ip}"),
            *("{ip}#@{host}", "{ip}?@{host}", "{ip}/@{host}", "{ip}//{host}", "{ip}\\@{host}"),
            *("{ip}.{host}", "{host}.{ip}", "{host}%00{ip}", "{ip}%2f.{host}", "{ip},{host}"),
            *("{host}[{ip}]", "[{ip}]{host}", "{ip}[::1].{host}", "{host} {ip}", "{host}\t{ip}"),
            *(f"[{PUBLIC_6}]{{ip}}", f"{{ip}}[{PUBLIC_6}]", f"[{PUBLIC_6}].{{host}}"),
        ]
    ),
    SPELLED_4,
)
def test_beside_a_public_name(guard: Guard, pattern: str, ip: str) -> None:
    with Net() as net:
        try:
            net.fetch(guard, f"http://{pattern.format(host=HOST, ip=ip)}/")
        except InvalidField:
            assert net.asked == net.connects == []
        else:
            assert net.connects == [PUBLIC]
            assert net.asked == [HOST] or net.asked[0].endswith(f".{HOST}")


@share(10)
@given(
    within(OF_LAMBDA)
    | embedded(
        within(network for network in OF_LAMBDA if ":" not in network),
        ["compatible", "mapped", "translated", "NAT64", "NAT64, local"],
    ),
    st.sampled_from(["", HOST]),
)
def test_of_lambda_whatever_is_allowed(ip: IPAddress, name: str) -> None:
    guard = Guard(networks=EVERYTHING, ipv6=True, on_lambda=True)
    literal = f"[{ip}]" if ip.version == 6 else str(ip)
    with Net(addresses=[str(ip)]) as net:
        with pytest.raises((InvalidField, OriginNotFound)):
            net.fetch(guard, f"http://{name or literal}/")
        assert net.connects == []


# --- that what is drawn is what it is said to be


@given(REFUSED_4, FORMS, st.sampled_from(DISGUISES), st.sampled_from(FRAMES))
def test_spellings_are_those_of_the_address(
    ip: IPAddress, forms: Sequence[str], disguise: dict[int, str], frame: str
) -> None:
    spelled = disguised(numbers(ip, forms), disguise, frame)
    seen = re.sub(f"[{UNSEEN}]", "", unquote(spelled))
    dotted = re.sub(f"[{DOTS}]", ".", seen).removesuffix(".")
    read = re.sub(r"\d", lambda digit: str(unicodedata.decimal(digit[0])), dotted)

    assert socket.inet_aton(read) == ip.packed


@given(REFUSED_6, st.integers(0, 4))
def test_forms_are_those_of_the_address(ip: IPAddress, form: int) -> None:
    assert ip_address(in_brackets(ip, form, "")[1:-1]) == ip
