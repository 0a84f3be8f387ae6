"""Which addresses are accepted, in which spellings, and which IP addresses are public."""

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.addresses import Location, is_ipv4, is_public, locate
from imgdiff.errors import InvalidField

LONGEST = 2048


def _address_of_length(length: int) -> str:
    start = "http://example.com/"
    return start + "x" * (length - len(start))


ACCEPTED = {
    "http://example.com": Location("http", "example.com", 80, "/"),
    "http://example.com/": Location("http", "example.com", 80, "/"),
    "https://example.com/": Location("https", "example.com", 443, "/"),
    "HTTPS://WWW.Example.COM/A.PNG": Location("https", "www.example.com", 443, "/A.PNG"),
    "http://example.com:/a": Location("http", "example.com", 80, "/a"),
    "http://example.com:80/a": Location("http", "example.com", 80, "/a"),
    "http://example.com:443/a": Location("http", "example.com", 443, "/a"),
    "https://example.com:443/a": Location("https", "example.com", 443, "/a"),
    "https://example.com:80/a": Location("https", "example.com", 80, "/a"),
    "http://example.com?a=b": Location("http", "example.com", 80, "/?a=b"),
    "http://example.com#a": Location("http", "example.com", 80, "/"),
    "http://example.com/a?b=c&b=d#e?f": Location("http", "example.com", 80, "/a?b=c&b=d"),
    "http://example.com/a%20b%00?c=%0a": Location("http", "example.com", 80, "/a%20b%00?c=%0a"),
    "http://example.com//a/../b;c=d": Location("http", "example.com", 80, "//a/../b;c=d"),
    "http://example.com/http://other.example/@:": Location(
        "http", "example.com", 80, "/http://other.example/@:"
    ),
    "http://example.com/a[b]{c}|^`<>\"'": Location("http", "example.com", 80, "/a[b]{c}|^`<>\"'"),
    "http://a.b.c.d.e.example.co.uk/": Location("http", "a.b.c.d.e.example.co.uk", 80, "/"),
    "http://xn--bcher-kva.example/": Location("http", "xn--bcher-kva.example", 80, "/"),
    "http://my_bucket.s3.amazonaws.com/": Location("http", "my_bucket.s3.amazonaws.com", 80, "/"),
    "http://1.example.com/": Location("http", "1.example.com", 80, "/"),
    "http://0x7f.example.com/": Location("http", "0x7f.example.com", 80, "/"),
    "http://8.8.8.8/": Location("http", "8.8.8.8", 80, "/"),
    f"http://{'a' * 63}.example.com/": Location("http", f"{'a' * 63}.example.com", 80, "/"),
    _address_of_length(LONGEST): Location(
        "http", "example.com", 80, _address_of_length(LONGEST).removeprefix("http://example.com")
    ),
}

REFUSED = [
    # nothing, or no scheme of ours
    "",
    "a",
    "example.com",
    "example.com/a.png",
    "/a.png",
    "//example.com/a.png",
    "://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "file://example.com/etc/passwd",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "gopher://example.com/",
    "dict://example.com:80/",
    "s3://bucket.name/key",
    "httpx://example.com/",
    "http+unix://example.com/",
    "view-source:http://example.com/",
    "url:http://example.com/",
    # no host
    "http:",
    "http:/",
    "http://",
    "http:///",
    "http:///a.png",
    "http:/example.com/",
    "http:example.com/",
    "http://:80/",
    "http://?example.com",
    "http://#example.com",
    "http://./",
    "http://../",
    # hosts that are not full names, or are spelled so that resolvers disagree
    "http://localhost/",
    "http://localhost:80/",
    "http://intranet/",
    "http://com/",
    "http://example.com./",
    "http://localhost./",
    "http://.example.com/",
    "http://example..com/",
    "http://exa+mple.com/",
    "http://exa,mple.com/",
    "http://exa*mple.com/",
    "http://exa;mple.com/",
    "http://example.com;a/",
    "http://example.com&a/",
    f"http://{'a' * 64}.example.com/",
    f"http://example.{'a' * 64}/",
    # a user name, or what may be one
    "http://user@example.com/",
    "http://user:password@example.com/",
    "http://:@example.com/",
    "http://@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/",
    "http://a@b@example.com/",
    "http://example.com:80@127.0.0.1/",
    # encoded or folded hosts
    "http://example%2ecom/",
    "http://%65xample.com/",
    "http://example.com%00.example.net/",
    "http://example.com%2f@127.0.0.1/",
    "http://127.0.0.1%0d%0a/",
    "http://ｅxample.com/",
    "http://example。com/",
    "http://①②⑦.0.0.1/",
    "http://bücher.example/",
    "http://exam\u00adple.com/",
    "http://ex\u0430mple.com/",
    "http://example.com\u2044a/",
    # IPv4 in spellings other than the canonical one
    "http://2130706433/",
    "http://134744072/",
    "http://0x7f000001/",
    "http://0X7F000001/",
    "http://017700000001/",
    "http://127.1/",
    "http://127.0.1/",
    "http://8.8.2056/",
    "http://0177.0.0.1/",
    "http://127.0.0.01/",
    "http://010.8.8.8/",
    "http://0x7f.0.0.1/",
    "http://127.0.0.0x1/",
    "http://0x8.0x8.0x8.0x8/",
    "http://8.8.8.0x/",
    "http://127.0.0.256/",
    "http://256.256.256.256/",
    "http://8.8.8.8.8/",
    "http://8.8.8.8./",
    "http://08.8.8.8/",
    "http://example.1/",
    "http://example.0x1f/",
    # IPv6
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:8.8.8.8]/",
    "http://[2606:4700:4700::1111]/",
    "http://[fe80::1%25eth0]/",
    "http://[v1.a]/",
    "http://[8.8.8.8]/",
    "http://[example.com]/",
    "http://[/",
    "http://]/",
    "http://[]/",
    "http://::1/",
    # ports
    "http://example.com:0/",
    "http://example.com:22/",
    "http://example.com:79/",
    "http://example.com:81/",
    "http://example.com:442/",
    "http://example.com:444/",
    "http://example.com:8080/",
    "http://example.com:65535/",
    "http://example.com:65536/",
    "http://example.com:-80/",
    "http://example.com:+80/",
    "http://example.com:8_0/",
    "http://example.com:0x50/",
    "http://example.com:http/",
    "http://example.com:80:80/",
    "http://8.8.8.8:8080/",
    # characters that are no part of an address
    "http://example.com/a b",
    " http://example.com/",
    "http://example.com/ ",
    "http ://example.com/",
    "http:// example.com/",
    "http://exa mple.com/",
    "http://example.com/\t",
    "ht\ttp://example.com/",
    "http://exam\tple.com/",
    "http://example.com/\r\nHost: other.example",
    "http://example.com/a\nb",
    "http://example.com/\n",
    "http://example.com\n/",
    "\nhttp://example.com/",
    "\x00http://example.com/",
    "http://example.com/\x00",
    "http://example.com/\x1f",
    "http://example.com/\x7f",
    "http://example.com/\x85",
    "http://example.com/\xa0",
    "http://example.com/ü.png",
    "http://example.com/\u2028",
    "http://example.com/\ud800",
    "http://example.com/😀",
    "http://example.com\\/",
    "http://example.com\\@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http:\\\\example.com\\",
    "http://example.com/a\\b",
    # too long
    _address_of_length(LONGEST + 1),
    _address_of_length(1_000_000),
]


@pytest.mark.parametrize(("address", "location"), ACCEPTED.items())
def test_plain_address_is_accepted(address: str, location: Location) -> None:
    assert locate(address) == location


@pytest.mark.parametrize("address", REFUSED, ids=[ascii(address[:60]) for address in REFUSED])
def test_address_in_doubt_is_refused(address: str) -> None:
    with pytest.raises(InvalidField) as raised:
        locate(address)
    assert raised.value.field is None
    assert str(raised.value).isascii()
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize(
    ("address", "says"),
    [
        (_address_of_length(LONGEST + 1), "is longer than 2048 characters"),
        ("http://example.com/ü", "must be an http\\(s\\) address, with all but visible ASCII"),
        ("ftp://example.com/", "must begin with http:// or https://"),
        ("example.com", "must begin with http:// or https://"),
        ("http://user@example.com/", "must not carry a user name"),
        ("http://localhost/", "must name a full host"),
        ("http://127.1/", "a dotted IPv4 address"),
        ("http://example.com:8080/", "must use port 80 or 443"),
        ("http://example.com:99999/", "is not a valid address"),
    ],
)
def test_refusal_says_what_to_change(address: str, says: str) -> None:
    with pytest.raises(InvalidField, match=says):
        locate(address)


@given(st.text())
def test_any_text_is_accepted_or_refused(text: str) -> None:
    _accepted_or_refused(text)


@given(st.text(st.sampled_from("htps:/.@[]?#%\\0123456789abcx-_ ")))
def test_any_text_like_an_address_is_accepted_or_refused(text: str) -> None:
    _accepted_or_refused(text)
    _accepted_or_refused(f"http://{text}")


def _accepted_or_refused(address: str) -> None:
    try:
        location = locate(address)
    except InvalidField:
        return
    assert location.scheme in {"http", "https"}
    assert location.port in {80, 443}
    assert "." in location.host
    assert not set(location.host) & set("@%[]:/\\?#")
    assert location.path.startswith("/")
    assert location.path.isascii()
    assert location.path.isprintable()
    assert " " not in location.path


@given(st.integers(0, 2**32 - 1))
def test_address_is_read_in_canonical_form_alone(number: int) -> None:
    ip = str(IPv4Address(number))

    assert is_ipv4(ip)
    assert locate(f"http://{ip}/").host == ip
    octets = ip.split(".")
    for spelling in (
        str(number),
        hex(number),
        f"{octets[0]}.{number & 0xFFFFFF}",
        f"{octets[0]}.{octets[1]}.{number & 0xFFFF}",
        f"{ip}.",
        f"0{ip}",
        ".".join(f"0{int(octet):o}" for octet in octets),
        ".".join(hex(int(octet)) for octet in octets),
        f"[::ffff:{ip}]",
    ):
        assert not is_ipv4(spelling)
        with pytest.raises(InvalidField):
            locate(f"http://{spelling}/")


# --- the Host header and redirects


@pytest.mark.parametrize(
    ("address", "authority"),
    [
        ("http://Example.com/", "example.com"),
        ("http://example.com:80/", "example.com"),
        ("http://example.com:443/", "example.com:443"),
        ("https://example.com/", "example.com"),
        ("https://example.com:443/", "example.com"),
        ("https://example.com:80/", "example.com:80"),
        ("http://8.8.8.8/", "8.8.8.8"),
    ],
)
def test_authority_has_the_port_unless_it_is_the_schemes(address: str, authority: str) -> None:
    assert locate(address).authority == authority


@pytest.mark.parametrize(
    ("address", "reference", "followed"),
    [
        ("http://a.example/b/c?d", "e", "http://a.example/b/e"),
        ("http://a.example/b/c?d", "e?f", "http://a.example/b/e?f"),
        ("http://a.example/b/c?d", "./e", "http://a.example/b/e"),
        ("http://a.example/b/c?d", "../e", "http://a.example/e"),
        ("http://a.example/b/c?d", "../../../e", "http://a.example/e"),
        ("http://a.example/b/c?d", "/e", "http://a.example/e"),
        ("http://a.example/b/c?d", "?e", "http://a.example/b/c?e"),
        ("http://a.example/b/c?d", "#e", "http://a.example/b/c?d"),
        ("http://a.example/b/c?d", "//e.example/f", "http://e.example/f"),
        ("http://a.example/b/c?d", "http://e.example/f", "http://e.example/f"),
        ("http://a.example/b/c?d", "https://e.example/f", "https://e.example/f"),
        ("http://a.example/b/c?d", "HTTP://E.EXAMPLE", "http://e.example/"),
        ("http://a.example:443/b", "c", "http://a.example:443/c"),
        ("https://a.example:80/b", "c", "https://a.example:80/c"),
        ("https://a.example/b", "//e.example/", "https://e.example/"),
        ("https://a.example/b", "https://e.example:443/", "https://e.example/"),
        ("http://a.example/b?http://x.example/", "c", "http://a.example/c"),
    ],
)
def test_reference_is_followed(address: str, reference: str, followed: str) -> None:
    assert locate(address).follow(reference) == locate(followed)


@pytest.mark.parametrize("reference", [*REFUSED[REFUSED.index("ftp://example.com/") :], ""])
def test_reference_in_doubt_is_not_followed(reference: str) -> None:
    here = locate("https://a.example/b")
    try:
        followed = here.follow(reference)
    except InvalidField:
        return
    # Some that name no host or scheme are relative: they stay on this server.
    assert not reference.startswith(("http://example", "http://8", "http://1"))
    assert (followed.scheme, followed.host, followed.port) == ("https", "a.example", 443)


@pytest.mark.parametrize(
    "reference",
    [
        "http://[/",
        "http://]/",
        "http://[]/",
        "http://[x]/",
        "//[/",
        "//[x]/",
        "//[::1]/",
        "//x\\@y/",
        "//user@e.example/",
        "//localhost/",
        "//e.example:8080/",
        "//e.example:x/",
        "e f",
        "/é",
        "\te",
    ],
)
def test_broken_reference_is_refused(reference: str) -> None:
    with pytest.raises(InvalidField):
        locate("http://a.example/b").follow(reference)


@given(st.text(st.sampled_from("htps:/.@[]?#%\\0123456789abcx-_ ")))
def test_any_reference_is_followed_or_refused(reference: str) -> None:
    try:
        followed = locate("http://a.example/b").follow(reference)
    except InvalidField:
        return
    assert followed == locate(f"{followed.scheme}://{followed.authority}{followed.path}")


@pytest.mark.parametrize(
    "reference", ["http://a.example/b", "http://e.example/", "http://a.example:443/"]
)
def test_https_is_not_left(reference: str) -> None:
    with pytest.raises(InvalidField, match="redirects from https to http"):
        locate("https://a.example/b").follow(reference)


def test_reference_may_not_grow_beyond_the_limit() -> None:
    start = "http://a.example/b/"
    room = LONGEST - len(start)

    assert locate(start).follow("x" * room).path == "/b/" + "x" * room
    for length in (room + 1, LONGEST, LONGEST + 1):
        with pytest.raises(InvalidField, match="is longer than 2048 characters"):
            locate(start).follow("x" * length)


# --- public addresses: IANA's special-purpose registry, RFC 6890 and its successors

SPECIAL = [
    ("0.0.0.0", "0.255.255.255", "this network"),
    ("10.0.0.0", "10.255.255.255", "private use"),
    ("100.64.0.0", "100.127.255.255", "shared address space"),
    ("127.0.0.0", "127.255.255.255", "loopback"),
    ("168.63.129.16", "168.63.129.16", "a cloud's host endpoint"),
    ("169.254.0.0", "169.254.255.255", "link local, instance metadata"),
    ("172.16.0.0", "172.31.255.255", "private use"),
    ("192.0.0.0", "192.0.0.255", "protocol assignments"),
    ("192.0.2.0", "192.0.2.255", "documentation"),
    ("192.88.99.0", "192.88.99.255", "6to4 relays"),
    ("192.168.0.0", "192.168.255.255", "private use"),
    ("198.18.0.0", "198.19.255.255", "benchmarking"),
    ("198.51.100.0", "198.51.100.255", "documentation"),
    ("203.0.113.0", "203.0.113.255", "documentation"),
    ("224.0.0.0", "239.255.255.255", "multicast"),
    ("240.0.0.0", "255.255.255.255", "reserved, broadcast"),
]
_RANGES = [(int(IPv4Address(first)), int(IPv4Address(last))) for first, last, _ in SPECIAL]


def _is_special(number: int) -> bool:
    return any(first <= number <= last for first, last in _RANGES)


_NEIGHBOURS = [
    str(IPv4Address(number))
    for first, last in _RANGES
    for number in (first - 1, last + 1)
    if 0 <= number < 2**32 and not _is_special(number)
]


@pytest.mark.parametrize(
    ("first", "last"), [pytest.param(first, last, id=use) for first, last, use in SPECIAL]
)
def test_special_range_is_not_public(first: str, last: str) -> None:
    middle = str(IPv4Address((int(IPv4Address(first)) + int(IPv4Address(last))) // 2))

    assert [is_public(ip) for ip in (first, middle, last)] == [False] * 3


@pytest.mark.parametrize("ip", _NEIGHBOURS)
def test_neighbour_of_a_special_range_is_public(ip: str) -> None:
    assert is_public(ip)


def test_neighbours_are_many() -> None:
    # Two a range, but for those at the ends of all addresses or next to another special range.
    assert len(_NEIGHBOURS) == 2 * len(SPECIAL) - 4


@pytest.mark.parametrize(
    "ip", ["1.1.1.1", "8.8.8.8", "93.184.215.14", "192.31.196.1", "192.175.48.1", "223.255.255.255"]
)
def test_global_address_is_public(ip: str) -> None:
    assert is_public(ip)


@given(st.sampled_from(_RANGES).flatmap(lambda ends: st.integers(*ends)))
def test_whatever_is_special_is_not_public(number: int) -> None:
    assert not is_public(str(IPv4Address(number)))


@given(st.integers(0, 2**32 - 1))
def test_whatever_is_not_special_is_public(number: int) -> None:
    assert is_public(str(IPv4Address(number))) is not _is_special(number)


@given(st.integers(0, 2**32 - 1))
def test_python_finds_no_more_to_be_local(number: int) -> None:
    ip = IPv4Address(number)

    if not ip.is_global or ip.is_multicast:
        assert not is_public(str(ip))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example.com",
        "8.8.8",
        "8.8.8.8.8",
        "8.8.8.8 ",
        " 8.8.8.8",
        "8.8.8.8\n",
        "8.8.8.8/32",
        "08.8.8.8",
        "8.8.8.0x8",
        "134744072",
        "٨.٨.٨.٨",
        "::1",
        "::",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::",
        "2606:4700:4700::1111",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_ipv4_address_is_not_public(text: str) -> None:
    assert not is_public(text)
