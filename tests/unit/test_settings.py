"""Settings: read once, checked, and named when they are wrong."""

from dataclasses import FrozenInstanceError, fields
from ipaddress import ip_network

import pytest

from imgdiff.settings import InvalidSetting, Settings

REQUIRED = {
    "MEDIA_BUCKET": "media",
    "KEYS_TABLE": "keys",
    "INBOX_BUCKET": "inbox",
    "RESULTS_BUCKET": "results",
    "BATCH_STATE_MACHINE": "machine",
}

RANGES = [
    ("MAX_IMAGE_BYTES", 1, 200_000_000),
    ("MAX_IMAGE_PIXELS", 1, 500_000_000),
    ("FETCH_TIMEOUT_SECONDS", 1, 25),
    ("LINK_EXPIRES_SECONDS", 60, 3600),
]


def _value(variable: str, text: str) -> object:
    settings = Settings.from_env(REQUIRED | {variable: text})
    return getattr(settings, variable.lower())


def test_defaults() -> None:
    assert Settings.from_env(REQUIRED) == Settings(
        media_bucket="media",
        keys_table="keys",
        inbox_bucket="inbox",
        results_bucket="results",
        input_arns=(),
        batch_state_machine="machine",
        media_base_url="",
        max_image_bytes=20_000_000,
        max_image_pixels=25_000_000,
        fetch_timeout_seconds=10,
        fetch_allowed_ports=frozenset({80, 443}),
        fetch_allowed_hosts=frozenset(),
        fetch_allowed_networks=(),
        fetch_ipv6=False,
        link_expires_seconds=300,
    )


def test_every_setting_is_read_from_its_variable() -> None:
    environ = {
        "MEDIA_BUCKET": "b",
        "KEYS_TABLE": "t",
        "INBOX_BUCKET": "i",
        "RESULTS_BUCKET": "r",
        "INPUT_ARNS": "arn:aws:s3:::a/*, arn:aws-cn:s3:::b",
        "BATCH_STATE_MACHINE": "m",
        "MEDIA_BASE_URL": "https://cdn.example.com",
        "MAX_IMAGE_BYTES": "2",
        "MAX_IMAGE_PIXELS": "3",
        "FETCH_TIMEOUT_SECONDS": "4",
        "FETCH_ALLOWED_PORTS": "8080",
        "FETCH_ALLOWED_HOSTS": "example.com",
        "FETCH_ALLOWED_NETWORKS": "10.1.0.0/16",
        "FETCH_IPV6": "true",
        "LINK_EXPIRES_SECONDS": "65",
    }

    assert set(environ) == {setting.name.upper() for setting in fields(Settings)}
    assert Settings.from_env(environ) == Settings(
        media_bucket="b",
        keys_table="t",
        inbox_bucket="i",
        results_bucket="r",
        input_arns=("arn:aws:s3:::a/*", "arn:aws-cn:s3:::b"),
        batch_state_machine="m",
        media_base_url="https://cdn.example.com",
        max_image_bytes=2,
        max_image_pixels=3,
        fetch_timeout_seconds=4,
        fetch_allowed_ports=frozenset({8080}),
        fetch_allowed_hosts=frozenset({"example.com"}),
        fetch_allowed_networks=(ip_network("10.1.0.0/16"),),
        fetch_ipv6=True,
        link_expires_seconds=65,
    )


def test_other_variables_are_ignored() -> None:
    others = {"PATH": "/bin", "media_bucket": "other", "MAX_IMAGE_BYTE": "x"}

    assert Settings.from_env(REQUIRED | others) == Settings.from_env(REQUIRED)


@pytest.mark.parametrize("variable", REQUIRED)
def test_missing_variable_is_named(variable: str) -> None:
    environ = {name: value for name, value in REQUIRED.items() if name != variable}

    with pytest.raises(InvalidSetting, match=f"^{variable} is not set$"):
        Settings.from_env(environ)


@pytest.mark.parametrize("variable", REQUIRED)
def test_empty_required_variable_is_named(variable: str) -> None:
    with pytest.raises(InvalidSetting, match=variable):
        Settings.from_env(REQUIRED | {variable: ""})


@pytest.mark.parametrize(("variable", "low", "high"), RANGES)
def test_bounds_are_allowed(variable: str, low: int, high: int) -> None:
    assert [_value(variable, str(low)), _value(variable, str(high))] == [low, high]


@pytest.mark.parametrize(("variable", "low", "high"), RANGES)
def test_beyond_the_bounds_is_not(variable: str, low: int, high: int) -> None:
    for number in (low - 1, high + 1, -high, 10**5000):
        text = str(number) if number < 10**100 else "1" + "0" * 5000
        with pytest.raises(InvalidSetting) as raised:
            _value(variable, text)
        assert str(raised.value) == (
            f"{variable} is {text!r}, not a whole number from {low} to {high}"
        )


@pytest.mark.parametrize("variable", [variable for variable, _, _ in RANGES])
@pytest.mark.parametrize("text", ["", "ten", "100.0", "1e2", "0x64", "100 MB", "100,000", "--100"])
def test_no_whole_number_is_named(variable: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=f"^{variable} is '{text}', not a whole number"):
        _value(variable, text)


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", ""),
        ("https://cdn.example.com", "https://cdn.example.com"),
        ("https://cdn.example.com/", "https://cdn.example.com"),
        ("https://cdn.example.com/images//", "https://cdn.example.com/images"),
    ],
)
def test_base_of_links_has_no_trailing_slash(text: str, base: str) -> None:
    assert _value("MEDIA_BASE_URL", text) == base


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("443", {443}),
        ("80,443,8080", {80, 443, 8080}),
        (" 80 , 443 ,", {80, 443}),
        ("1,65535", {1, 65535}),
    ],
)
def test_ports(text: str, ports: set[int]) -> None:
    assert _value("FETCH_ALLOWED_PORTS", text) == ports


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", set()),
        (" , ", set()),
        ("example.com", {"example.com"}),
        ("Example.COM, *.Example.org", {"example.com", "*.example.org"}),
        ("a-b.x_y.example.com", {"a-b.x_y.example.com"}),
        ("93.184.215.14,2606:2800:21f::1", {"93.184.215.14", "2606:2800:21f::1"}),
    ],
)
def test_hosts(text: str, hosts: set[str]) -> None:
    assert _value("FETCH_ALLOWED_HOSTS", text) == hosts


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", []),
        ("10.1.0.0/16", ["10.1.0.0/16"]),
        ("10.1.0.0/16, fd12:3456::/32", ["10.1.0.0/16", "fd12:3456::/32"]),
        ("10.1.2.3", ["10.1.2.3/32"]),
    ],
)
def test_networks(text: str, networks: list[str]) -> None:
    assert _value("FETCH_ALLOWED_NETWORKS", text) == tuple(map(ip_network, networks))


@pytest.mark.parametrize(
    ("text", "arns"),
    [
        ("", ()),
        ("arn:aws:s3:::a", ("arn:aws:s3:::a",)),
        (
            "arn:aws:s3:::a, arn:aws-us-gov:s3:::a/b*",
            ("arn:aws:s3:::a", "arn:aws-us-gov:s3:::a/b*"),
        ),
    ],
)
def test_arns(text: str, arns: tuple[str, ...]) -> None:
    assert _value("INPUT_ARNS", text) == arns


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("false", False)])
def test_ipv6(text: str, *, flag: bool) -> None:
    assert _value("FETCH_IPV6", text) is flag


PORTS = "numbers of ports, joined by commas"
HOSTS = "names of hosts, such as example.com or *.example.com, joined by commas"
ARNS = "ARNs of S3 objects, such as arn:aws:s3:::bucket/prefix*, joined by commas"
NETWORKS = "networks, such as 10.1.0.0/16, joined by commas"


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("INPUT_ARNS", "bucket", ARNS),
        ("INPUT_ARNS", "arn:aws:s3:::", ARNS),
        ("INPUT_ARNS", "arn:aws:sqs:::queue", ARNS),
        *(
            ("FETCH_ALLOWED_PORTS", text, PORTS)
            for text in (
                "",
                ",",
                "0",
                "80,65536",
                "-80",
                "http",
                "80;443",
                "80 443",
                "80-90",
                "8e1",
            )
        ),
        *(
            ("FETCH_ALLOWED_HOSTS", text, HOSTS)
            for text in (
                *("*", "*.com", "localhost", "example.com.", ".example.com", "exa mple.com"),
                *("https://example.com", "example.com/", "example.com:8080", "www.*.example.com"),
                *("example.com;example.org", "example.com example.org", "b\u00fccher.example"),
            )
        ),
        *(
            ("FETCH_ALLOWED_NETWORKS", text, NETWORKS)
            for text in (
                *("10.1.0.1/16", "10.1.0.0/33", "10.1/16", "10.1.0.0-10.1.0.9", "localhost", "*"),
                *("fd12::1/32", "[fd12::]/32", "10.1.0.0/16;10.2.0.0/16", "0x0a.1.0.0/16"),
            )
        ),
        *(
            ("FETCH_IPV6", text, "true or false")
            for text in ("", "True", "1", "0", "yes", "on", " true")
        ),
    ],
)
def test_wrong_value_is_named(variable: str, text: str, allowed: str) -> None:
    with pytest.raises(InvalidSetting) as raised:
        _value(variable, text)
    assert str(raised.value) == f"{variable} is {text!r}, not {allowed}"


def test_settings_do_not_change() -> None:
    settings = Settings.from_env(REQUIRED)

    with pytest.raises(FrozenInstanceError):
        settings.max_image_bytes = 1  # type: ignore[misc]
