"""Each hop is held against all that the first one is, and there are few."""

import pytest

from imgdiff.addresses import Guard
from imgdiff.errors import InvalidField, OriginFailed, OriginNotFound, OriginTimeout
from tests.security.conftest import (
    ADDRESS,
    BODY,
    HASTY,
    HOST,
    INSIDE,
    OTHER,
    SECURE,
    World,
    at_once,
    head_of,
    in_time,
    ok,
    redirect,
)
from tests.security.origin import PUBLIC, Do, Names, Script, answer
from tests.security.test_urls import LONGEST, REFUSED, V6

NOT_PUBLIC = [
    "http://127.0.0.1/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "//169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:443/",
    "http://127.0.0.1#@images.example.com/",
    "https://192.168.0.1/",
]
SPELLED = [
    f"http://{OTHER}/ü.png",
    f"http://{OTHER}/a b.png",
    f"http://{OTHER}/a\tb.png",
    f"http://{OTHER}/a\x01b.png",
    f"http://{OTHER}/a\x00b.png",
    f"http://{OTHER}\\@{INSIDE}/",
    f"http:\\\\{OTHER}\\",
    f"/\\{OTHER}/",
    f"\\\\{OTHER}/",
    f"http://user:password@{OTHER}/",
    f"http://{HOST}@{INSIDE}/",
    f"//{HOST}@{INSIDE}/",
    f"http://{OTHER}%00.{HOST}/",
    f"http://%31%32%37.0.0.1/{HOST}",
    f"http://{OTHER}:22/",
    f"http://{OTHER}:8080/",
    f"//{OTHER}:8080/",
    f"http://{OTHER}:port/",
    f"http://{OTHER}:80:80/",
    f"http://{OTHER}./",
    "http://localhost/",
    "//localhost/",
    "http://2130706433/",
    "http://0x7f.1/",
    "//0177.0.0.1/",
    "http://１２７.０.０.１/",
    "http://127。0。0。1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    f"http://[{V6}]/",
    "http://[/",
    "http://]/",
    "http://[]/",
    "//[",
    "//[x]/",
    "//[::1]/",
    "https:",
    "https:a.png",
    "https:///a.png",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "ftp://ftp.example.com/a.png",
    "gopher://example.com/",
    "jar:http://example.com/a.jar!/",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "",
    "/" + "x" * LONGEST,
]


def raw(location: str, status: int = 302) -> Script:
    head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    return [head.encode()]


@pytest.mark.parametrize("location", [*NOT_PUBLIC, *SPELLED], ids=lambda a: ascii(a[:60]))
def test_refused_location_is_neither_looked_up_nor_reached(world: World, location: str) -> None:
    world.origin(raw(location), ok())

    with at_once(), pytest.raises(InvalidField):
        world.fetch()
    assert world.names.hosts == [HOST]
    assert world.dialer.connects == [(PUBLIC, 80)]


@pytest.mark.parametrize("base", ["http://a.example/b", "https://a.example/b"])
@pytest.mark.parametrize(
    "reference",
    [
        address
        for trick, addresses in REFUSED.items()
        if trick not in {"no scheme of ours", "no host"}
        for address in addresses
    ],
    ids=lambda a: ascii(a[:60]),
)
def test_trick_of_spelling_is_not_followed(base: str, reference: str) -> None:
    with pytest.raises(InvalidField):
        Guard().follow(Guard().locate(base), reference)


@pytest.mark.parametrize(
    "location",
    [
        *("http:", "http:/", "http://", "http:///", "http:///b.png", "http:/b.png", "http:b.png"),
        *("://b.png", "http//b.png", "b.png", "///b.png", "/..//b.png", "?//b.png", "#//b.png"),
        *(f"///{OTHER}/", f"////{OTHER}/", f"http:////{OTHER}/", ":80/b.png"),
    ],
)
def test_location_without_a_host_stays_on_its_server(world: World, location: str) -> None:
    world.origin(raw(location), ok())

    assert world.fetch() == BODY
    assert world.names.hosts == [HOST, HOST]
    assert world.dialer.connects == [(PUBLIC, 80)] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("hop", [1, 2, 3])
def test_each_hop_is_checked_as_the_first(world: World, hop: int, status: int) -> None:
    hops = [redirect(f"/{n}", status) for n in range(1, hop)]
    world.origin(*hops, redirect("http://169.254.169.254/latest/meta-data/", status), ok())

    with pytest.raises(InvalidField, match="must be a public address"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)] * hop


@pytest.mark.parametrize("location", [f"http://{INSIDE}/", f"//{INSIDE}/", f"https://{INSIDE}/"])
def test_name_inside_is_looked_up_but_not_reached(world: World, location: str) -> None:
    world.origin(redirect(location), ok())

    with pytest.raises(OriginNotFound, match="names no public host"):
        world.fetch()
    assert world.names.hosts == [HOST, INSIDE]
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_name_that_was_public_is_looked_up_again(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC], ["10.0.0.1"]]})
    world.origin(redirect("/b.png"), ok())

    with pytest.raises(OriginNotFound, match="names no public host"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(["Location: /b.png", f"Location: http://{OTHER}/"], id="two"),
        pytest.param([f"Location: http://{OTHER}/, /b.png"], id="listed"),
        pytest.param([f"Location: http://{OTHER}/", " b.png"], id="folded"),
        pytest.param([f"Location: <http://{OTHER}/>"], id="in brackets"),
        pytest.param([f'Location: "http://{OTHER}/"'], id="quoted"),
        pytest.param([f"Location: url=http://{OTHER}/ x"], id="as in refresh"),
    ],
)
def test_location_in_doubt_leads_nowhere_else(world: World, head: list[str]) -> None:
    world.origin([answer("302 Found", *head)])

    with pytest.raises((InvalidField, OriginFailed)):
        world.fetch()
    assert world.names.hosts in ([HOST], [HOST, HOST])


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(answer("200 OK", f"Location: http://{OTHER}/", body=BODY), id="location"),
        pytest.param(answer("200 OK", f"Refresh: 0; url=http://{OTHER}/", body=BODY), id="refresh"),
        pytest.param(answer("200 OK", f"Content-Location: http://{OTHER}/", body=BODY), id="else"),
    ],
)
def test_image_is_taken_as_it_is(world: World, head: bytes) -> None:
    world.origin([head])

    assert world.fetch() == BODY
    assert world.dialer.connects == [(PUBLIC, 80)]


@pytest.mark.parametrize("status", [201, 300, 304, 305, 306, 309, 399, 404, 503])
def test_no_other_status_redirects(world: World, status: int) -> None:
    world.origin(redirect("/b.png", status), ok())

    with pytest.raises((OriginFailed, OriginNotFound), match=f"answered {status}"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_body_of_a_redirect_is_not_waited_for(world: World) -> None:
    head = answer("302 Found", "Location: /b.png", "Content-Length: 1000000000000")
    world.origin([head, b"x", Do.HOLD], ok())

    with at_once():
        assert world.fetch() == BODY


def test_nothing_of_a_hop_is_carried_to_the_next(world: World) -> None:
    location = f"Location: http://{OTHER}/b.png#top"
    origin = world.origin([answer("302 Found", location, "Set-Cookie: a=b")], ok())

    assert world.fetch(f"{ADDRESS}?signature=secret") == BODY
    first, headers = head_of(origin.requests[1])
    assert first == "GET /b.png HTTP/1.1"
    assert {name for name, _ in headers} == {
        *("host", "accept", "accept-encoding", "user-agent", "connection"),
    }
    assert ("host", OTHER) in headers
    assert b"secret" not in origin.requests[1]


# --- schemes


def test_https_may_be_entered(world: World) -> None:
    world.origin(redirect(SECURE))
    secure = world.tls_origin(ok())

    assert world.fetch() == BODY
    assert world.dialer.connects == [(PUBLIC, 80), (PUBLIC, 443)]
    assert secure.names == [HOST]


@pytest.mark.parametrize(
    "location", [ADDRESS, "http:a.png", f"HTTP://{HOST}/", f"http://{OTHER}/", f"http://{HOST}:443"]
)
def test_https_is_not_left(world: World, location: str) -> None:
    world.tls_origin(redirect(location))
    world.origin(ok())

    with pytest.raises(InvalidField):
        world.fetch(SECURE)
    assert world.dialer.connects == [(PUBLIC, 443)]


def test_https_is_not_left_once_it_was_entered(world: World) -> None:
    world.origin(redirect(SECURE), ok())
    world.tls_origin(redirect(ADDRESS))

    with pytest.raises(InvalidField, match="redirects from https to http"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80), (PUBLIC, 443)]


# --- how many


def test_three_redirects_are_followed(world: World) -> None:
    origin = world.origin(redirect("/1"), redirect("/2"), redirect("/3"), ok())

    assert world.fetch() == BODY
    assert [head_of(request)[0].split()[1] for request in origin.requests] == [
        *("/a.png", "/1", "/2", "/3"),
    ]


@pytest.mark.parametrize(
    "locations",
    [
        pytest.param([f"/{n}" for n in range(9)], id="further and further"),
        pytest.param([ADDRESS] * 9, id="to itself"),
        pytest.param(["?"] * 9, id="to itself, relative"),
        pytest.param([f"http://{OTHER}/", ADDRESS] * 4, id="to and fro"),
    ],
)
def test_four_redirects_are_not(world: World, locations: list[str]) -> None:
    world.origin(*map(redirect, locations), ok())

    with at_once(), pytest.raises(OriginFailed, match="redirects more than 3 times"):
        world.fetch()
    assert len(world.names.asked) == len(world.dialer.connects) == 4


def test_all_hops_share_one_deadline(world: World) -> None:
    def late(number: int) -> Script:
        return [HASTY * 0.6, *redirect(f"/{number}")]

    world.origin(late(1), late(2), ok())

    with in_time(HASTY), pytest.raises(OriginTimeout):
        world.fetch(timeout=HASTY)
    assert len(world.dialer.connects) == 2


# --- what settings narrow


@pytest.mark.parametrize(
    ("allowed", "location"),
    [
        ({HOST}, "/b.png"),
        ({HOST}, f"//{HOST}/b.png"),
        ({HOST, OTHER}, f"http://{OTHER}/"),
        ({HOST, "*.example.net"}, f"http://{OTHER}/"),
        ({HOST, "8.8.8.8"}, "http://8.8.8.8/"),
    ],
)
def test_redirect_to_an_allowed_host_is_followed(
    world: World, allowed: set[str], location: str
) -> None:
    world.guard = Guard(hosts=frozenset(allowed))
    world.origin(redirect(location), ok())

    assert world.fetch() == BODY


@pytest.mark.parametrize(
    ("allowed", "location"),
    [
        ({HOST}, f"http://{OTHER}/"),
        ({HOST}, f"//{OTHER}/"),
        ({HOST}, f"http://www.{HOST}/"),
        ({HOST}, f"http://{HOST}.{OTHER}/"),
        ({HOST}, f"http://{OTHER}/{HOST}"),
        ({HOST}, f"http://{PUBLIC}/"),
        ({"*.example.com"}, "http://example.com/"),
        ({"*.example.com"}, f"http://{OTHER}/"),
    ],
)
def test_redirect_to_any_other_host_is_refused(
    world: World, allowed: set[str], location: str
) -> None:
    world.guard = Guard(hosts=frozenset(allowed))
    world.origin(redirect(location), ok())

    with pytest.raises(InvalidField, match="names a host that is not allowed here"):
        world.fetch()
    assert world.names.hosts == [HOST]
    assert world.dialer.connects == [(PUBLIC, 80)]


def test_redirect_to_a_port_that_is_not_allowed_is_refused(world: World) -> None:
    world.guard = Guard(ports=frozenset({80, 8080}))
    world.origin(redirect(f"http://{HOST}:8080/"))
    world.origin(redirect(SECURE), port=8080)

    with pytest.raises(InvalidField, match="must use port 80 or 8080"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80), (PUBLIC, 8080)]


@pytest.mark.parametrize("location", [f"http://[{V6}]/", f"//[{V6}]/"])
def test_redirect_to_ipv6_is_followed_if_ipv6_is_wanted(world: World, location: str) -> None:
    world.guard = Guard(ipv6=True)
    world.origin(redirect(location), redirect("/c.png"), redirect("http://[::1]/"), ok())

    with pytest.raises(InvalidField, match="must be a public address"):
        world.fetch()
    assert world.dialer.connects == [(PUBLIC, 80), (V6, 80), (V6, 80)]
