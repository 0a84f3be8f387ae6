"""Settings: read once, checked, and named when they are wrong."""

from dataclasses import FrozenInstanceError, fields

import pytest

from imgdiff.settings import InvalidSetting, Settings

REQUIRED = {"MEDIA_BUCKET": "media", "KEYS_TABLE": "keys"}

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
        media_base_url="",
        max_image_bytes=20_000_000,
        max_image_pixels=25_000_000,
        fetch_timeout_seconds=10,
        link_expires_seconds=300,
    )


def test_every_setting_is_read_from_its_variable() -> None:
    environ = {
        "MEDIA_BUCKET": "b",
        "KEYS_TABLE": "t",
        "MEDIA_BASE_URL": "https://cdn.example.com",
        "MAX_IMAGE_BYTES": "2",
        "MAX_IMAGE_PIXELS": "3",
        "FETCH_TIMEOUT_SECONDS": "4",
        "LINK_EXPIRES_SECONDS": "65",
    }

    assert set(environ) == {setting.name.upper() for setting in fields(Settings)}
    assert Settings.from_env(environ) == Settings("b", "t", "https://cdn.example.com", 2, 3, 4, 65)


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


def test_settings_do_not_change() -> None:
    settings = Settings.from_env(REQUIRED)

    with pytest.raises(FrozenInstanceError):
        settings.max_image_bytes = 1  # type: ignore[misc]
