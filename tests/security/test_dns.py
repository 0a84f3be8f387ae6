"""One lookup, one verdict on all it answers, and one connection to the address that was judged."""

import errno
import socket
import threading
from ipaddress import ip_address, ip_network
from unittest.mock import create_autospec

import pytest

from imgdiff.addresses import Guard
from imgdiff.errors import ImgdiffError, InvalidField, OriginFailed, OriginNotFound, OriginTimeout
from imgdiff.fetch import Fetcher, connect, resolve
from tests.security.conftest import (
    ADDRESS,
    BODY,
    HASTY,
    HOST,
    INSIDE,
    PATIENT,
    World,
    in_time,
    ok,
    redirect,
)
from tests.security.origin import PUBLIC, Do, Names, Origin

V6 = "2606:4700:4700::1111"


def refusal(world: World, address: str = ADDRESS) -> tuple[int, str]:
    """The status and the sentence of a refusal, after which nothing was connected to."""
    with pytest.raises(ImgdiffError) as raised:
        world.fetch(address)
    assert world.dialer.connects == []
    return raised.value.status, str(raised.value)


# --- what is refused

NOT_PUBLIC = [
    ["127.0.0.1"],
    ["0.0.0.0"],
    ["10.0.0.1"],
    ["169.254.169.254"],
    ["168.63.129.16"],
    [PUBLIC, "10.0.0.1"],
    ["10.0.0.1", PUBLIC],
    [PUBLIC, "8.8.8.8", "172.16.0.1", "1.1.1.1"],
    [*(f"8.8.{n}.{m}" for n in range(4) for m in range(100)), "10.0.0.1"],
    [PUBLIC] * 1000 + ["127.0.0.1"],
    [PUBLIC, ""],
    [PUBLIC, "example.com"],
    [PUBLIC, "0x7f.1"],
    [PUBLIC, "::1"],
    [PUBLIC, "::"],
    [PUBLIC, "::ffff:10.0.0.1"],
    [PUBLIC, f"::ffff:{PUBLIC}"],
    [PUBLIC, f"::{PUBLIC}"],
    [PUBLIC, f"::ffff:0:{PUBLIC}"],
    [PUBLIC, "64:ff9b::a00:1"],
    [PUBLIC, "64:ff9b:1::a00:1"],
    [PUBLIC, "2002:a00:1::1"],
    [PUBLIC, "2001:0:a00:1::1"],
    [PUBLIC, "2606:4700:4700::5efe:10.0.0.1"],
    [PUBLIC, "fd00:ec2::254"],
    [PUBLIC, "fe80::1"],
    [PUBLIC, "fe80::1%eth0"],
    [PUBLIC, f"{V6}%eth0"],
    [PUBLIC, "fec0::1"],
    [PUBLIC, "ff0e::1"],
]


@pytest.mark.parametrize("ipv6", [True, False])
@pytest.mark.parametrize("addresses", NOT_PUBLIC, ids=lambda a: f"{len(a)} with {a[-1]}")
def test_name_is_refused_unless_all_its_addresses_are_public(
    world: World, addresses: list[str], *, ipv6: bool
) -> None:
    world.guard = Guard(ipv6=ipv6)
    world.names = Names({HOST: [addresses]})

    assert refusal(world) == (404, "names no public host")
    assert world.names.hosts == [HOST]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1.nip.example",
        "10-0-0-1.example.com",
        "localtest.example",
        "localhost.localdomain",
        "metadata.google.internal",
        "xn--11ba.example",
        "0x7f000001.example",
        f"alias-of.{INSIDE}",
    ],
)
def test_name_is_judged_by_its_addresses_alone(world: World, host: str) -> None:
    world.names = Names({host: [["127.0.0.1"], [PUBLIC]]})
    assert refusal(world, f"http://{host}/") == (404, "names no public host")

    world.origin(ok())
    assert world.fetch(f"http://{host}/") == BODY


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(socket.gaierror(socket.EAI_NONAME, "Name not known"), id="NXDOMAIN"),
        pytest.param(socket.gaierror(socket.EAI_NODATA, "No address"), id="no address"),
        pytest.param(socket.gaierror(socket.EAI_FAIL, "Non-recoverable failure"), id="refused"),
        pytest.param(socket.gaierror(socket.EAI_FAMILY, "Family not supported"), id="family"),
        pytest.param(OSError(errno.EIO, "I/O error"), id="other"),
        pytest.param([], id="empty"),
        pytest.param(["10.0.0.1"], id="inside"),
        pytest.param([PUBLIC, "10.0.0.1"], id="half inside"),
        pytest.param([V6], id="IPv6 alone"),
    ],
)
def test_nobody_learns_which_names_exist_inside(world: World, fault: list[str] | OSError) -> None:
    world.names = Names({HOST: [fault]})

    assert refusal(world) == refusal(world, "http://nobody.example.com/")
    assert refusal(world) == (404, "names no public host")


def test_name_server_in_trouble_is_told_from_a_missing_name(world: World) -> None:
    world.names = Names({HOST: [socket.gaierror(socket.EAI_AGAIN, "Temporary failure")]})

    assert refusal(world) == (502, "names a host that can't be looked up just now")


def test_slow_name_server_is_not_waited_for(world: World) -> None:
    done = threading.Event()

    def dawdle(_host: str, _family: socket.AddressFamily) -> list[str]:
        done.wait(PATIENT)
        return [PUBLIC]

    try:
        with in_time(HASTY), pytest.raises(OriginTimeout):
            world.fetch(timeout=HASTY, resolve=dawdle)
    finally:
        done.set()
    assert world.dialer.connects == []


# --- what is connected to


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param([[PUBLIC, "8.8.8.8"], ["127.0.0.1"]], id="rebound"),
        pytest.param([[PUBLIC], [], ["127.0.0.1"]], id="gone"),
        pytest.param([[PUBLIC] * 1000], id="many"),
        pytest.param([[PUBLIC, *(f"8.8.{n}.{m}" for n in range(4) for m in range(100))]], id="all"),
    ],
)
def test_name_is_looked_up_once_and_its_first_address_connected_to(
    world: World, turns: list[list[str] | OSError]
) -> None:
    world.names = Names({HOST: turns})
    world.origin(ok())

    assert world.fetch() == BODY
    assert world.names.asked == [(HOST, socket.AF_INET)]
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_lookup_between_two_fetches_is_of_no_avail(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC], ["127.0.0.1"]]})
    world.origin(ok())

    assert world.fetch() == BODY
    with pytest.raises(OriginNotFound, match="names no public host"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_every_hop_is_looked_up_and_judged_anew(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC], ["8.8.8.8"], ["127.0.0.1"]]})
    world.origin(redirect("/1"), redirect("/2"), ok())

    with pytest.raises(OriginNotFound, match="names no public host"):
        world.fetch()
    assert world.names.hosts == [HOST] * 3
    assert world.dialer.connects == [(PUBLIC, 80), ("8.8.8.8", 80)]


def test_server_that_does_not_answer_is_not_replaced_by_the_names_next_address(
    world: World,
) -> None:
    world.names = Names({HOST: [[PUBLIC, "8.8.8.8"]]})
    world.origin([Do.RESET])

    with pytest.raises(OriginFailed):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


@pytest.mark.parametrize("addresses", [[V6], [V6, PUBLIC], [PUBLIC, V6]])
def test_ipv6_address_is_connected_to_if_ipv6_is_wanted(world: World, addresses: list[str]) -> None:
    world.guard = Guard(ipv6=True)
    world.names = Names({HOST: [addresses]})
    world.origin(ok())

    assert world.fetch() == BODY
    assert world.names.asked == [(HOST, socket.AF_UNSPEC)]
    assert world.dialer.connects == [(addresses[0], 80)]


def test_system_resolver_asks_for_the_family_alone() -> None:
    assert resolve("127.0.0.1", socket.AF_INET) == ["127.0.0.1"]
    assert resolve("::1", socket.AF_UNSPEC) == ["::1"]
    with pytest.raises(socket.gaierror):
        resolve("::1", socket.AF_INET)


# --- the system's own connections


@pytest.mark.parametrize(
    ("asked", "peer"),
    [
        ("93.184.215.14", ("10.0.0.1", 80)),
        ("93.184.215.14", ("127.0.0.1", 80)),
        ("93.184.215.14", ("::ffff:93.184.215.14", 80, 0, 0)),
        ("2606:4700:4700::1111", ("::1", 80, 0, 0)),
        ("2606:4700:4700::1111", ("2606:4700:4700::1111%eth0", 80, 0, 2)),
        ("93.184.215.14", OSError(errno.ENOTCONN, "not connected")),
    ],
)
def test_socket_with_another_peer_is_given_back(
    monkeypatch: pytest.MonkeyPatch, asked: str, peer: tuple[object, ...] | OSError
) -> None:
    connected = create_autospec(socket.socket, instance=True)
    connected.getpeername.side_effect = [peer]
    monkeypatch.setattr(socket, "create_connection", lambda *_: connected)

    with pytest.raises(OSError, match="connected to another address"):
        connect(asked, 80, 1.0)
    connected.close.assert_called_once_with()


def test_another_peer_is_a_failing_server(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = world.origin(ok())
    dial = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *_: dial((origin.host, origin.port)))

    with pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(connect=connect)
    assert origin.requests in ([], [b""])


def _loopback_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        pytest.param(
            "::1",
            marks=pytest.mark.skipif(
                not _loopback_ipv6(), reason="This machine has no IPv6, not even on loopback."
            ),
        ),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_allowed_loopback_is_connected_to_for_real(ip: str, *, named: bool) -> None:
    with Origin(ok(), host=ip) as origin:
        fetcher = Fetcher(
            Guard(
                ports=frozenset({origin.port}),
                networks=(ip_network(ip_address(ip)),),
                ipv6=True,
                on_lambda=False,
            ),
            max_bytes=len(BODY),
            timeout=lambda: PATIENT,
            resolve=Names({HOST: [[ip]]}),
        )
        literal = f"[{ip}]" if ":" in ip else ip
        host = HOST if named else literal

        assert fetcher.fetch(f"http://{host}:{origin.port}/") == BODY
    assert f"\r\nHost: {host}:{origin.port}\r\n".encode() in origin.requests[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "[::1]", "localhost"])
def test_fetcher_as_shipped_refuses_what_is_inside(host: str) -> None:
    fetcher = Fetcher(Guard(), max_bytes=1000, timeout=lambda: PATIENT)

    with pytest.raises(InvalidField):
        fetcher.fetch(f"http://{host}/")
