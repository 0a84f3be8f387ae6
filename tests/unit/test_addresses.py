"""How plain addresses and redirects are read, and what refusals say."""

import re
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.addresses import Guard, Location, is_ip
from imgdiff.errors import InvalidField

GUARD = Guard()
LONGEST = 2048
TEXT = st.sampled_from("htps:/.@[]?#%\\0123456789abcx-_ ")


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
    "http://example.com:0080/a": Location("http", "example.com", 80, "/a"),
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

ACCEPTED_IPV6 = {
    "http://[2606:4700:4700::1111]": Location("http", "2606:4700:4700::1111", 80, "/"),
    "http://[2606:4700:4700::1111]:443/a?b": Location("http", "2606:4700:4700::1111", 443, "/a?b"),
    "HTTPS://[2606:4700:4700::ABCD]:/": Location("https", "2606:4700:4700::abcd", 443, "/"),
}


@pytest.mark.parametrize(("address", "location"), ACCEPTED.items())
def test_plain_address_is_accepted(address: str, location: Location) -> None:
    assert GUARD.locate(address) == location


@pytest.mark.parametrize(("address", "location"), {**ACCEPTED, **ACCEPTED_IPV6}.items())
def test_plain_address_is_accepted_with_ipv6(address: str, location: Location) -> None:
    assert Guard(ipv6=True).locate(address) == location


def test_port_of_a_setting_is_accepted() -> None:
    guard = Guard(ports=frozenset({443, 8080}))

    assert guard.locate("http://example.com:8080/").authority == "example.com:8080"
    with pytest.raises(InvalidField, match="must use port 443 or 8080"):
        guard.locate("http://example.com/")


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
        ("http://[::1]/", "must not carry an IPv6 address"),
        ("http://example.com:8080/", "must use port 80 or 443"),
        ("http://example.com:99999/", "is not a valid address"),
    ],
)
def test_refusal_says_what_to_change(address: str, says: str) -> None:
    with pytest.raises(InvalidField, match=says):
        GUARD.locate(address)


@given(st.text())
def test_any_text_is_accepted_or_refused(text: str) -> None:
    _accepted_or_refused(text)


@given(st.text(TEXT))
def test_any_text_like_an_address_is_accepted_or_refused(text: str) -> None:
    _accepted_or_refused(text)
    _accepted_or_refused(f"http://{text}")


def _accepted_or_refused(address: str) -> None:
    try:
        location = Guard(ipv6=True).locate(address)
    except InvalidField:
        return
    assert location.scheme in {"http", "https"}
    assert location.port in {80, 443}
    host = f"[{location.host}]" if is_ip(location.host) and ":" in location.host else location.host
    assert re.match(f"{location.scheme}://{re.escape(host)}([:/?#]|$)", address.lower())
    assert not set(host.strip("[]")) & set("@%[]/\\?#")
    assert location.path.startswith("/")
    assert location.path.isascii()
    assert location.path.isprintable()
    assert " " not in location.path


@given(st.ip_addresses(v=4))
def test_ipv4_address_is_read_in_its_canonical_form(ip: IPv4Address) -> None:
    assert is_ip(str(ip))
    assert GUARD.locate(f"http://{ip}/").host == str(ip)


@given(st.ip_addresses(v=6))
def test_ipv6_address_is_read_in_its_canonical_form(ip: IPv6Address) -> None:
    assert is_ip(str(ip))
    assert Guard(ipv6=True).locate(f"http://[{ip}]/").host == str(ip)


@pytest.mark.parametrize(
    "text",
    [
        *("", "example.com", "8.8.8", "8.8.8.8.", "08.8.8.8", "134744072", "0x8.8.8.8", "８.8.8.8"),
        *("::0", "::01", "::A", "0:0:0:0:0:0:0:1", "[::1]", "2606:4700:4700:0::1111"),
    ],
)
def test_other_forms_are_no_addresses(text: str) -> None:
    assert not is_ip(text)


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
        ("http://[2606:4700:4700::1111]/", "[2606:4700:4700::1111]"),
        ("https://[2606:4700:4700::1111]:80/", "[2606:4700:4700::1111]:80"),
    ],
)
def test_authority_has_the_port_unless_it_is_the_schemes(address: str, authority: str) -> None:
    assert Guard(ipv6=True).locate(address).authority == authority


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
        ("http://[2600::1]/b", "c", "http://[2600::1]/c"),
        ("http://a.example/b", "//[2600::1]/c", "http://[2600::1]/c"),
    ],
)
def test_reference_is_followed(address: str, reference: str, followed: str) -> None:
    guard = Guard(ipv6=True)

    assert guard.follow(guard.locate(address), reference) == guard.locate(followed)


@given(st.text(TEXT))
def test_any_reference_is_followed_or_refused(reference: str) -> None:
    try:
        followed = GUARD.follow(GUARD.locate("http://a.example/b"), reference)
    except InvalidField:
        return
    assert followed == GUARD.locate(f"{followed.scheme}://{followed.authority}{followed.path}")


@pytest.mark.parametrize(
    "reference", ["http://a.example/b", "http://e.example/", "http://a.example:443/"]
)
def test_https_is_not_left(reference: str) -> None:
    with pytest.raises(InvalidField, match="redirects from https to http"):
        GUARD.follow(GUARD.locate("https://a.example/b"), reference)


def test_reference_may_not_grow_beyond_the_limit() -> None:
    start = "http://a.example/b/"
    here = GUARD.locate(start)
    room = LONGEST - len(start)

    assert GUARD.follow(here, "x" * room).path == "/b/" + "x" * room
    for length in (room + 1, LONGEST, LONGEST + 1):
        with pytest.raises(InvalidField, match="is longer than 2048 characters"):
            GUARD.follow(here, "x" * length)
