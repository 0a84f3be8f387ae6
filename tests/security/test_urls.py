"""Every trick of spelling an address is refused before a name is looked up or a server reached."""

from ipaddress import IPv4Network, IPv6Network

import pytest

from imgdiff.addresses import Guard
from imgdiff.errors import InvalidField, OriginNotFound
from tests.security.conftest import BODY, HOST, INSIDE, World, ok
from tests.security.origin import PUBLIC

LONGEST = 2048
V6 = "2606:4700:4700::1111"

REFUSED = {
    "no scheme of ours": [
        "",
        "a",
        "example.com",
        "example.com/a.png",
        "/a.png",
        "//example.com/a.png",
        "://example.com/",
        "ftp://example.com/",
        "sftp://example.com/",
        "tftp://example.com/a",
        "file:///etc/passwd",
        "file://example.com/etc/passwd",
        "FILE:/etc/passwd",
        "data:image/png;base64,AAAA",
        "javascript:alert(1)",
        "gopher://example.com/",
        "gopher://example.com:80/_GET%20/%0d%0a",
        "dict://example.com:80/",
        "ldap://example.com/",
        "jar:http://example.com/a.jar!/b.png",
        "netdoc:///etc/passwd",
        "phar://a.png",
        "php://filter/resource=http://example.com/",
        "blob:http://example.com/1",
        "ws://example.com/",
        "wss://example.com/",
        "unix:/var/run/docker.sock",
        "s3://bucket.name/key",
        "httpx://example.com/",
        "http+unix://example.com/",
        "view-source:http://example.com/",
        "url:http://example.com/",
        "http//example.com/",
        "ｈttp://example.com/",
    ],
    "no host": [
        "http:",
        "http:/",
        "http://",
        "http:///",
        "http:///a.png",
        "http:////example.com/",
        "http:/example.com/",
        "http:example.com/",
        "http://:80/",
        "http://?example.com",
        "http://#example.com",
        "http://./",
        "http://../",
    ],
    "no full name": [
        "http://localhost/",
        "http://localhost:80/",
        "http://LOCALHOST/",
        "http://intranet/",
        "http://metadata/computeMetadata/v1/",
        "http://com/",
        "http://example.com./",
        "http://localhost./",
        "http://metadata.google.internal./",
        "http://.example.com/",
        "http://.localhost/",
        "http://example..com/",
        "http://exa+mple.com/",
        "http://exa,mple.com/",
        "http://exa*mple.com/",
        "http://*.example.com/",
        "http://exa;mple.com/",
        "http://example.com;a/",
        "http://example.com&a/",
        "http://example.com&@127.0.0.1/",
        "http://(example.com)/",
        "http://example.com|127.0.0.1/",
        "http://example.com,127.0.0.1/",
        "http://exa'mple.com/",
        'http://exa"mple.com/',
        "http://$HOST.example.com/",
        "http://{a.example,b.example}/",
        f"http://{'a' * 64}.example.com/",
        f"http://example.{'a' * 64}/",
        f"http://{'a.' * 126}aa/",
    ],
    "a user name, or what may be one": [
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://:@example.com/",
        "http://@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1@example.com/",
        "http://a@b@example.com/",
        "http://example.com:80@127.0.0.1/",
        "http://example.com:@127.0.0.1/",
        "http://127.0.0.1:80@example.com:80/",
        "http://foo@127.0.0.1:80@example.com/",
        "http://foo@127.0.0.1 @example.com/",
        "http://example.com;@127.0.0.1/",
        "http://[@127.0.0.1/",
    ],
    "encoded or folded hosts": [
        "http://example%2ecom/",
        "http://%65xample.com/",
        "http://example.com%00.example.net/",
        "http://127.0.0.1%00.example.com/",
        "http://example.com%2f@127.0.0.1/",
        "http://example.com%23@127.0.0.1/",
        "http://example.com%5c@127.0.0.1/",
        "http://127.0.0.1%0d%0a/",
        "http://127.0.0.1%20.example.com/",
        "http://%31%32%37%2e%30%2e%30%2e%31/",
        "http://%6c%6f%63%61%6c%68%6f%73%74/",
        "http://127%2E0%2E0%2E1/",
        "http://example.com%252f127.0.0.1/",
        "http://%5b::1%5d/",
        "http://ｅxample.com/",
        "http://example。com/",
        "http://127。0。0。1/",
        "http://127．0．0．1/",
        "http://127｡0｡0｡1/",
        "http://①②⑦.0.0.1/",
        "http://１２７.０.０.１/",
        "http://١٢٧.٠.٠.١/",
        "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏/",
        "http://²130706433/",
        "http://ⓛocalhost.example/",
        "http://bücher.example/",
        "http://exam\u00adple.com/",
        "http://exam\u200bple.com/",
        "http://ex\u0430mple.com/",
        "http://example.com\u2044a/",
        "http://example.com\uff0f127.0.0.1/",
        "http://example.com\uff03@127.0.0.1/",
        "http://example.com\uff20127.0.0.1/",
        "http://example.com\u2100127.0.0.1/",
        "http://example.com\ufe6b127.0.0.1/",
    ],
    "IPv4 in other spellings": [
        "http://2130706433/",
        "http://2852039166/",
        "http://134744072/",
        "http://4294967297/",
        "http://425510124542/",
        "http://-2130706433/",
        "http://0x7f000001/",
        "http://0X7F000001/",
        "http://0xa9fea9fe/",
        "http://0x1237f000001/",
        "http://017700000001/",
        "http://00000017700000001/",
        "http://0/",
        "http://0x0/",
        "http://127.1/",
        "http://127.0.1/",
        "http://127.0x1/",
        "http://0x7f.1/",
        "http://0x7f.0x1/",
        "http://0177.1/",
        "http://10.65535/",
        "http://169.16689662/",
        "http://169.254.43518/",
        "http://8.8.2056/",
        "http://0177.0.0.1/",
        "http://00177.0.0.1/",
        "http://127.0.0.01/",
        "http://127.000.000.001/",
        "http://0251.0376.0251.0376/",
        "http://0251.254.0xa9.254/",
        "http://010.8.8.8/",
        "http://0x7f.0.0.1/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://0xa9.0xfe.0xa9.0xfe/",
        "http://127.0.0.0x1/",
        "http://0x8.0x8.0x8.0x8/",
        "http://8.8.8.0x/",
        "http://127.0.0.256/",
        "http://383.0.0.1/",
        "http://425.510.425.510/",
        "http://256.256.256.256/",
        "http://8.8.8.8.8/",
        "http://8.8.8.8./",
        "http://127.0.0.1./",
        "http://127.0.0.1../",
        "http://08.8.8.8/",
        "http://example.1/",
        "http://example.0x1f/",
        "http://example.com.127/",
    ],
    "IPv6 in no spelling of its own": [
        "http://[::1",
        "http://[v1.a]/",
        "http://[8.8.8.8]/",
        "http://[127.0.0.1]/",
        "http://[example.com]/",
        "http://[localhost]/",
        "http://[/",
        "http://]/",
        "http://[]/",
        "http://[]:80/",
        "http://::1/",
        "http://::1:80/",
        f"http://{V6}/",
        f"http://{V6}:80/",
        "http://2606-4700-4700--1111.ipv6-literal.net:8080/",
    ],
    "other ports": [
        "http://example.com:0/",
        "http://example.com:22/",
        "http://example.com:25/",
        "http://example.com:79/",
        "http://example.com:81/",
        "http://example.com:442/",
        "http://example.com:444/",
        "http://example.com:6379/",
        "http://example.com:8080/",
        "http://example.com:9001/2018-06-01/runtime/invocation/next",
        "http://example.com:65535/",
        "http://example.com:65536/",
        "http://example.com:65616/",
        "http://example.com:4294967376/",
        "http://example.com:-80/",
        "http://example.com:+80/",
        "http://example.com:8_0/",
        "http://example.com:80.0/",
        "http://example.com:0x50/",
        "http://example.com:８０/",
        "http://example.com:http/",
        "http://example.com:80:80/",
        "http://example.com:80;/",
        "http://8.8.8.8:8080/",
        "https://example.com:8443/",
    ],
    "characters of no address": [
        "http://example.com/a b",
        " http://example.com/",
        "http://example.com/ ",
        "http ://example.com/",
        "http:// example.com/",
        "http://exa mple.com/",
        "http://127.0.0.1 example.com/",
        "http://example.com 127.0.0.1/",
        "http://example.com/\t",
        "\thttp://example.com/",
        "ht\ttp://example.com/",
        "http:/\t/example.com/",
        "http://exam\tple.com/",
        "http://127.0.0.1\t.example.com/",
        "http://example.com/\r\nHost: other.example",
        "http://example.com\r\nHost: other.example",
        "http://example.com/ HTTP/1.1\r\nX: y",
        "http://example.com:80\r\n/",
        "http://example.com/a\nb",
        "http://example.com/\n",
        "http://example.com\n/",
        "http://exam\rple.com/",
        "\nhttp://example.com/",
        "\x00http://example.com/",
        "http://example.com/\x00",
        "http://127.0.0.1\x00.example.com/",
        "http://example.com\x00@127.0.0.1/",
        "http://example.com/\x1f",
        "http://example.com/\x7f",
        "http://example.com/\x85",
        "http://example.com/\xa0",
        "http://example.com/ü.png",
        "http://example.com/\u010d\u010a",  # carriage return and line feed, were they cut to a byte
        "http://example.com/\u2028",
        "http://example.com/\ud800",
        "http://example.com/\ufeff",
        "\ufeffhttp://example.com/",
        "http://example.com/😀",
    ],
    "backslashes": [
        "http://example.com\\/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\@example.com/",
        "http://127.0.0.1\\.example.com/",
        "http://127.0.0.1:80\\@example.com/",
        "http://example.com#\\@127.0.0.1/",
        "http://example.com?\\@127.0.0.1/",
        "http:\\\\example.com\\",
        "http:/\\example.com/",
        "http:\\example.com",
        "\\\\example.com\\a",
        "http://example.com/a\\b",
    ],
    "too long": [
        "http://example.com/" + "x" * (LONGEST + 1 - len("http://example.com/")),
        "http://example.com/?" + "x" * LONGEST,
        "http://example.com/#" + "x" * LONGEST,
        "http://" + "a." * LONGEST + "com/",
        "http://example.com/" + "x" * 1_000_000,
    ],
}
NOT_PUBLIC = [
    "http://127.0.0.1/",
    "https://127.0.0.1/",
    "http://127.0.0.1:80/",
    "http://127.0.0.1:443/",
    "http://127.0.0.1?@example.com/",
    "http://127.0.0.1#@example.com/",
    "http://127.0.0.1/@example.com",
    "http://127.0.0.1:80#.example.com",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://10.0.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/machine?comp=goalstate",
    "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
    "http://169.254.170.2/v2/credentials",
    "http://172.16.0.1/",
    "http://192.0.0.192/opc/v1/instance/",
    "http://192.168.0.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
]
# Both refused whether IPv6 is wanted or not.
NOT_PUBLIC_IPV6 = [
    "http://[::]/",
    "http://[::1]/",
    "http://[::1]:80/",
    "http://[::1]:443/",
    "http://[::127.0.0.1]/",
    "http://[::7f00:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2001::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd20:ce::254]/computeMetadata/v1/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
]
ODD_IPV6 = [
    "http://[2606:4700:4700:0:0:0:0:1111]/",
    "http://[2606:4700:4700:0000:0000:0000:0000:1111]/",
    "http://[2606:4700:4700::01111]/",
    "http://[2606:4700:4700::0:1111]/",
    "http://[2606:4700:4700::0.0.17.17]/",
    "http://[2606:4700:4700::1111.]/",
    "http://[2606:4700:4700::1111::]/",
    f"http://[{V6}%25eth0]/",
    f"http://[{V6}%eth0]/",
    f"http://[{V6}%1]/",
    f"http://[{V6}/",
    f"http://{V6}]/",
    f"http://[[{V6}]]/",
    f"http://[{V6}]]/",
    f"http://[{V6}]80/",
    f"http://[{V6}].example.com/",
    f"http://[{V6}]example.com/",
    f"http://example.com[{V6}]/",
    f"http://127.0.0.1[{V6}]/",
    f"http://[{V6}]127.0.0.1/",
    f"http://[{V6}]:80:80/",
    f"http://[{V6}]:8080/",
    f"http://[{V6}]@127.0.0.1/",
    f"http://127.0.0.1@[{V6}]/",
    f"http://[v6.{V6}]/",
    f"http://[{V6[:-1]}１]/",
]
EVERYTHING = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def assert_refused(world: World, address: str) -> None:
    with pytest.raises(InvalidField) as raised:
        world.fetch(address)
    assert world.names.asked == []
    assert world.dialer.connects == []
    assert raised.value.field is None
    assert str(raised.value).isascii()
    assert len(str(raised.value)) < 100


def _named(address: str) -> str:
    return ascii(address[:60])


@pytest.mark.parametrize(
    "guard",
    [
        pytest.param(Guard(), id="as shipped"),
        pytest.param(Guard(ipv6=True, networks=EVERYTHING, on_lambda=False), id="all open"),
    ],
)
@pytest.mark.parametrize("address", [a for tricks in REFUSED.values() for a in tricks], ids=_named)
def test_trick_of_spelling_is_refused(world: World, guard: Guard, address: str) -> None:
    world.guard = guard

    assert_refused(world, address)


@pytest.mark.parametrize("address", NOT_PUBLIC, ids=_named)
def test_address_inside_is_refused(world: World, address: str) -> None:
    assert_refused(world, address)


@pytest.mark.parametrize("ipv6", [True, False])
@pytest.mark.parametrize("address", [*NOT_PUBLIC_IPV6, *ODD_IPV6], ids=_named)
def test_ipv6_address_inside_or_odd_is_refused(world: World, address: str, *, ipv6: bool) -> None:
    world.guard = Guard(ipv6=ipv6)

    assert_refused(world, address)


def test_ipv6_address_is_refused_unless_ipv6_is_wanted(world: World) -> None:
    assert_refused(world, f"http://[{V6}]/")

    world.guard = Guard(ipv6=True)
    world.origin(ok())
    assert world.fetch(f"http://[{V6}]/") == BODY
    assert world.dialer.connects == [(V6, 80)]


@pytest.mark.parametrize(
    "rest",
    [
        "#@127.0.0.1/",
        "?@127.0.0.1/",
        "/@127.0.0.1/",
        "#127.0.0.1",
        "?http://127.0.0.1/",
        "/..//127.0.0.1/",
        "//127.0.0.1/",
        "/%2f%2f127.0.0.1/%0d%0aHost:%20127.0.0.1",
        ":80#@127.0.0.1:80/",
    ],
)
def test_what_follows_the_host_leads_nowhere_else(world: World, rest: str) -> None:
    origin = world.origin(ok())

    assert world.fetch(f"http://{HOST}{rest}") == BODY
    assert world.names.hosts == [HOST]
    assert world.dialer.connects == [(PUBLIC, 80)]
    assert f"\r\nHost: {HOST}\r\n".encode() in origin.requests[0]


# --- what settings narrow


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ({"a.example"}, "a.example"),
        ({"a.example"}, "A.EXAMPLE"),
        ({"a.example", "b.example"}, "b.example"),
        ({"*.example"}, "a.example"),
        ({"*.example"}, "c.b.a.example"),
        ({"*.b.example"}, "a.b.example"),
        ({"a.example", "*.a.example"}, "a.example"),
        ({"8.8.8.8"}, "8.8.8.8"),
        ({V6}, f"[{V6}]"),
        ({"2606:4700:4700::abcd"}, "[2606:4700:4700::ABCD]"),
    ],
)
def test_host_of_the_setting_is_allowed(world: World, allowed: set[str], host: str) -> None:
    world.guard = Guard(hosts=frozenset(allowed), ipv6=True)
    world.origin(ok())

    assert world.fetch(f"http://{host}/", resolve=lambda *_: [PUBLIC]) == BODY


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ({"a.example"}, "b.example"),
        ({"a.example"}, "x.a.example"),
        ({"a.example"}, "xa.example"),
        ({"a.example"}, "a.example.net"),
        ({"a.example"}, "a.example-b.net"),
        ({"*.a.example"}, "a.example"),
        ({"*.a.example"}, "xa.example"),
        ({"*.a.example"}, "b.example"),
        ({"*.a.example"}, "x.a.example.net"),
        ({"*.a.example"}, "x.a.example."),
        ({"*.a.example"}, ".a.example"),
        ({"*.a.example"}, "*.a.example"),
        ({"a.example"}, "a.example."),
        ({"a.example"}, "8.8.8.8"),
        ({"*.example"}, f"[{V6}]"),
        ({"8.8.8.8"}, "8.8.4.4"),
        ({"8.8.8.8"}, "134744072"),
        ({"8.8.8.8"}, "[::ffff:8.8.8.8]"),
        ({V6}, "[2606:4700:4700::1001]"),
        ({V6}, "[2606:4700:4700:0::1111]"),
        ({"127.0.0.1"}, "127.0.0.1"),
    ],
)
def test_any_other_host_is_refused(world: World, allowed: set[str], host: str) -> None:
    world.guard = Guard(hosts=frozenset(allowed), ipv6=True)

    assert_refused(world, f"http://{host}/")


def test_host_of_the_setting_must_still_be_public(world: World) -> None:
    world.guard = Guard(hosts=frozenset({INSIDE}))

    with pytest.raises(OriginNotFound, match="names no public host"):
        world.fetch(f"http://{INSIDE}/")
    assert world.dialer.connects == []


def test_ports_of_the_setting_alone_are_allowed(world: World) -> None:
    world.guard = Guard(ports=frozenset({8080}))
    for address in (f"http://{HOST}/", f"https://{HOST}/", f"http://{HOST}:8081/"):
        assert_refused(world, address)

    world.origin(ok(), port=8080)
    assert world.fetch(f"http://{HOST}:8080/") == BODY
    assert world.dialer.connects == [(PUBLIC, 8080)]
