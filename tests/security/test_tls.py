"""Who is at the other end of https: by its name, whatever address and environment there are."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from imgdiff.addresses import Guard
from imgdiff.errors import OriginFailed
from imgdiff.fetch import Fetcher
from tests.security.conftest import (
    ADDRESS,
    BODY,
    HOST,
    OTHER,
    PATIENT,
    SECURE,
    World,
    at_once,
    authority,
    head_of,
    ok,
    redirect,
)
from tests.security.origin import PUBLIC, Do, Names, Origin, Script, answer

V6 = "2606:4700:4700::1111"
DAY = timedelta(days=1)


# --- who is trusted


def test_name_is_asked_for_and_checked_at_the_address_that_was_judged(world: World) -> None:
    world.names = Names({HOST: [[PUBLIC], ["127.0.0.1"]]})
    origin = world.tls_origin(ok())

    assert world.fetch(f"https://{HOST}/a%20b.png?c") == BODY
    assert origin.names == [HOST]
    assert world.names.hosts == [HOST]
    assert world.dialer.connects == [(PUBLIC, 443)]
    first, headers = head_of(origin.requests[0])
    assert first == "GET /a%20b.png?c HTTP/1.1"
    assert ("host", HOST) in headers


@pytest.mark.parametrize(("host", "ip"), [(PUBLIC, PUBLIC), (f"[{V6}]", V6)])
def test_bare_address_is_checked_as_an_address(world: World, host: str, ip: str) -> None:
    world.guard = Guard(ipv6=True)
    origin = world.tls_origin(ok(), certificate=authority().issue_cert(ip))

    assert world.fetch(f"https://{host}/") == BODY
    assert origin.names == [None]
    assert ("host", host) in head_of(origin.requests[0])[1]


@pytest.mark.parametrize(
    "issue",
    [
        pytest.param(lambda ca: ca.issue_cert(OTHER, HOST), id="of several names"),
        pytest.param(lambda ca: ca.issue_cert("*.example.com"), id="of all names beside"),
        pytest.param(lambda ca: ca.create_child_ca().issue_cert(HOST), id="by an intermediate"),
    ],
)
def test_right_certificate_is_accepted(
    world: World, issue: Callable[[trustme.CA], trustme.LeafCert]
) -> None:
    world.tls_origin(ok(), certificate=issue(authority()))

    assert world.fetch(SECURE) == BODY


def _self_signed(_: trustme.CA) -> trustme.LeafCert:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return trustme.LeafCert(pem, certificate.public_bytes(serialization.Encoding.PEM), [])


def _valid(start: timedelta, end: timedelta) -> Callable[[trustme.CA], trustme.LeafCert]:
    now = datetime.now(UTC)
    return lambda ca: ca.issue_cert(HOST, not_before=now + start, not_after=now + end)


WRONG: dict[str, Callable[[trustme.CA], trustme.LeafCert]] = {
    "another name": lambda ca: ca.issue_cert(OTHER),
    "a name below": lambda ca: ca.issue_cert(f"www.{HOST}"),
    "a name above": lambda ca: ca.issue_cert("example.com"),
    "all names below": lambda ca: ca.issue_cert(f"*.{HOST}"),
    "all names above": lambda ca: ca.issue_cert("*.com"),
    "the address": lambda ca: ca.issue_cert(PUBLIC),
    "the name, as of old": lambda ca: ca.issue_cert(common_name=HOST),
    "somebody else's authority": lambda _: trustme.CA().issue_cert(HOST),
    "nobody's authority": _self_signed,
    "expired": _valid(-9 * DAY, -DAY),
    "not yet valid": _valid(DAY, 9 * DAY),
}


@pytest.mark.parametrize("issue", WRONG.values(), ids=WRONG)
def test_wrong_certificate_is_failure_before_anything_is_sent(
    world: World, issue: Callable[[trustme.CA], trustme.LeafCert]
) -> None:
    origin = world.tls_origin(ok(), certificate=issue(authority()))

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)
    assert origin.requests == []


@pytest.mark.parametrize(
    "names", [[HOST], ["8.8.4.4"], [f"{PUBLIC}.example.com"], ["*.184.215.14"]], ids=str
)
def test_wrong_certificate_of_a_bare_address_is_failure(world: World, names: list[str]) -> None:
    origin = world.tls_origin(ok(), certificate=authority().issue_cert(*names))

    with pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(f"https://{PUBLIC}/")
    assert origin.requests == []


def test_later_hop_is_checked_against_its_own_name(world: World) -> None:
    certificate = authority().issue_cert(HOST, OTHER)
    origin = world.tls_origin(redirect(f"https://{OTHER}/"), ok(), certificate=certificate)

    assert world.fetch(SECURE) == BODY
    assert origin.names == [HOST, OTHER]
    assert ("host", OTHER) in head_of(origin.requests[1])[1]


@pytest.mark.parametrize("location", [f"https://{OTHER}/", f"//{OTHER}/", "https://8.8.8.8/"])
def test_name_of_an_earlier_hop_is_not_good_for_a_later_one(world: World, location: str) -> None:
    origin = world.tls_origin(redirect(location), ok())

    with pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)
    assert len(world.dialer.connects) == 2
    assert len(origin.requests) == 1


# --- handshakes that fail


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([], id="closed"),
        pytest.param([Do.RESET], id="reset"),
        pytest.param([answer(body=BODY)], id="http"),
        pytest.param([b"\x15\x03\x03\x00\x02\x02\x28"], id="alert"),
        pytest.param([b"\x16\x03\x03\x40\x00" + b"\x02" * 0x4000], id="garbage"),
        pytest.param([b"\x16\x03\x03\xff\xff" + b"\x02" * 0xFFFF], id="too large a record"),
        pytest.param([b"\x17\x03\x03\x00\x05hello"], id="data before its time"),
    ],
)
def test_broken_handshake_is_failure(world: World, script: Script) -> None:
    world.raw_tls_origin(script)

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_failure(world: World) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.set_ciphers("ALL:@SECLEVEL=0")
    tls.minimum_version = ssl.TLSVersion.TLSv1
    tls.maximum_version = ssl.TLSVersion.TLSv1_1
    origin = world.tls_origin(ok(), tls=tls)

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)
    assert origin.requests == []


def test_server_that_wants_a_certificate_is_failure(world: World) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.verify_mode = ssl.CERT_REQUIRED
    world.tls_origin(ok(), tls=tls)

    with at_once(), pytest.raises(OriginFailed, match="its server failed"):
        world.fetch(SECURE)


def test_plain_port_speaks_no_tls(world: World) -> None:
    world.raw_tls_origin(ok())

    assert world.fetch(f"http://{HOST}:443/") == BODY
    with pytest.raises(OriginFailed):
        world.fetch(SECURE)


# --- what the environment says of it


@pytest.mark.parametrize(
    "variable", ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
)
@pytest.mark.parametrize("address", [ADDRESS, SECURE])
def test_proxies_of_the_environment_are_ignored(
    world: World, monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    world.origin(ok())
    world.tls_origin(ok())
    with Origin([answer(body=b"by proxy")], headless=True) as proxy:
        monkeypatch.setenv(variable, f"http://{proxy.host}:{proxy.port}")

        assert world.fetch(address) == BODY
        assert proxy.requests == []


def test_passwords_of_the_environment_are_not_sent(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine {HOST} login user password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    origin = world.tls_origin(ok())

    world.fetch(SECURE)

    assert "authorization" not in dict(head_of(origin.requests[0])[1])


def _as_shipped(world: World) -> Fetcher:
    return Fetcher(
        Guard(),
        max_bytes=len(BODY),
        timeout=lambda: PATIENT,
        resolve=world.names,
        connect=world.dialer,
    )


@pytest.mark.parametrize(
    "variable", ["", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PYTHONHTTPSVERIFY"]
)
def test_authorities_of_other_programs_are_not_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    bundle = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(bundle))
    if variable:
        monkeypatch.setenv(variable, "0" if variable.startswith("PYTHON") else str(bundle))
    origin = world.tls_origin(ok())

    with pytest.raises(OriginFailed, match="its server failed"):
        _as_shipped(world).fetch(SECURE)
    assert origin.requests == []


def test_authorities_of_the_system_alone_are_trusted(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # By this variable whoever runs the function says which those are.
    bundle = tmp_path / "ca.pem"
    authority().cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    fetcher = _as_shipped(world)
    world.tls_origin(ok())
    assert fetcher.fetch(SECURE) == BODY

    # They are read once.
    trustme.CA().cert_pem.write_to_path(str(bundle))
    world.tls_origin(ok())
    assert fetcher.fetch(SECURE) == BODY
