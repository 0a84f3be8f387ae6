"""Keys: who may call."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.errors import InvalidKey, QuotaExceeded
from imgdiff.keys import Key, authorize, hash_key, identify, spend

ALICE = Key("alice")
NOW = 1_800_000_000


class FakeKeys:
    """Keys in a dictionary; notes what it was asked for."""

    def __init__(self, records: dict[str, Key]) -> None:
        self._records = {hash_key(key): record for key, record in records.items()}
        self.asked: list[str] = []
        self.counted: list[tuple[str, Key, int]] = []

    def find(self, key_sha256: str) -> Key | None:
        self.asked.append(key_sha256)
        return self._records.get(key_sha256)

    def count(self, key_sha256: str, key: Key, now: int, requests: int = 1) -> None:
        self.counted += [(key_sha256, key, now)] * requests
        if key.per_day == 0:
            raise QuotaExceeded("spent", retry_after=1)


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys(
        {
            "open sesame": ALICE,
            "closed": Key("bob", disabled=True),
            "past": Key("carol", expires_at=NOW),
            "passing": Key("dave", expires_at=NOW + 1),
            "spent": Key("erin", per_day=0),
            "metered": Key("frank", per_minute=9),
            "closed and metered": Key("grace", disabled=True, per_day=9),
        }
    )


@pytest.mark.parametrize(
    ("key", "digest"),
    [
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("ü", "607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f"),
    ],
)
def test_hash_is_sha256_of_utf8(key: str, digest: str) -> None:
    assert hash_key(key) == digest


def test_known_key_may_call(keys: FakeKeys) -> None:
    assert authorize("open sesame", keys, now=NOW) == ALICE


def test_store_sees_the_hash_alone(keys: FakeKeys) -> None:
    authorize("open sesame", keys, now=NOW)

    assert keys.asked == [hash_key("open sesame")]
    assert "sesame" not in keys.asked[0]


def test_missing_key_is_asked_for_without_a_look_at_the_store(keys: FakeKeys) -> None:
    with pytest.raises(InvalidKey) as raised:
        authorize("", keys, now=NOW)
    assert raised.value.field is None
    assert str(raised.value) == (
        "a key is required: send it as the field key or the header x-api-key"
    )
    assert keys.asked == []


@pytest.mark.parametrize(
    "key",
    [
        pytest.param("nobody", id="unknown"),
        pytest.param("closed", id="disabled"),
        pytest.param("past", id="expired"),
        pytest.param("closed and metered", id="disabled with a quota"),
        pytest.param("Open sesame", id="other case"),
        pytest.param("open sesame ", id="trailing space"),
        pytest.param(" ", id="space"),
        pytest.param("öpen sesame", id="not ascii"),
        pytest.param("\x00", id="nul"),
        pytest.param("\ud800", id="half a character"),
        pytest.param("x" * 100_000, id="long"),
        pytest.param(hash_key("open sesame"), id="hash"),
    ],
)
def test_other_keys_are_refused_alike(keys: FakeKeys, key: str) -> None:
    with pytest.raises(InvalidKey) as raised:
        authorize(key, keys, now=NOW)
    assert raised.value.field is None
    assert str(raised.value) == "the key is not valid"
    assert keys.counted == []


def test_key_works_to_its_last_second(keys: FakeKeys) -> None:
    assert authorize("passing", keys, now=NOW).name == "dave"


def test_request_of_a_key_with_a_quota_is_counted(keys: FakeKeys) -> None:
    key = authorize("metered", keys, now=NOW)

    assert keys.counted == [(hash_key("metered"), key, NOW)]


def test_a_request_may_count_as_several(keys: FakeKeys) -> None:
    key = identify("metered", keys, now=NOW)
    assert keys.counted == []
    spend("metered", key, keys, now=NOW, requests=9)
    assert keys.counted == [(hash_key("metered"), key, NOW)] * 9


def test_request_of_a_key_without_a_quota_is_not_counted(keys: FakeKeys) -> None:
    authorize("open sesame", keys, now=NOW)

    assert keys.counted == []


def test_spent_quota_stops_the_request(keys: FakeKeys) -> None:
    with pytest.raises(QuotaExceeded):
        authorize("spent", keys, now=NOW)


@given(st.text())
def test_no_other_text_is_a_key(key: str) -> None:
    with pytest.raises(InvalidKey):
        authorize(key, FakeKeys({f"{key}!": ALICE}), now=NOW)
