"""Ids of stored images, and links to them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imgdiff.media import Links, is_id, new_id, result_id, result_of

HEX = "0123456789abcdef0123456789abcdef"
ID = f"{HEX}.png"
LINKS = Links("https://cdn.example.com", ("https://api.example.com", "http://old.example.com/v1"))


@pytest.mark.parametrize("extension", ["png", "jpeg", "webp", "gif"])
def test_new_id_has_the_form_of_one(extension: str) -> None:
    media_id = new_id(extension)
    stem, _, suffix = media_id.partition(".")

    assert is_id(media_id)
    assert suffix == extension
    assert UUID(stem).version == 4


def test_new_ids_differ() -> None:
    assert len({new_id("png") for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", [ID, f"{HEX}.jpeg", f"{'0' * 32}.abc", f"{'f' * 32}.webp"])
def test_id(text: str) -> None:
    assert is_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEX,
        f"{HEX}.",
        f"{HEX}.pn",
        f"{HEX}.jpegs",
        f"{HEX}.PNG",
        f"{HEX}.p1g",
        f"{HEX}.png.png",
        f"{HEX}.tar.gz",
        f"{HEX[1:]}.png",
        f"{HEX}0.png",
        f"{HEX.upper()}.png",
        f"{HEX[:-1]}g.png",
        f"{HEX[:-1]}٣.png",
        f"{ID} ",
        f" {ID}",
        f"{ID}\n",
        f"{ID}\x00",
        f"{ID}/",
        f"/{ID}",
        f"../{ID}",
        f"{ID}?a",
        "../../../../../../../etc/passwd",
    ],
)
def test_no_id(text: str) -> None:
    assert not is_id(text)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1024))
def test_the_id_of_a_result_tells_where_it_is(name: str) -> None:
    media_id = result_id(HEX, f"results/{name}.png")

    assert is_id(media_id)
    assert result_of(media_id) == (HEX, f"results/{name}.png")
    assert LINKS.media_id(LINKS.link(media_id)) == media_id


@pytest.mark.parametrize("text", [ID, f"{HEX}-0123456789ab.png", f"{HEX}_.png", f"{HEX}_a/b.png"])
def test_no_id_of_a_result(text: str) -> None:
    assert result_of(text) is None


@pytest.mark.parametrize("text", [f"{HEX}_A.png", f"{HEX}__w.png"])
def test_an_id_that_names_nothing_is_of_no_result(text: str) -> None:
    assert is_id(text)
    assert result_of(text) is None


def test_link() -> None:
    assert LINKS.link(ID) == f"https://cdn.example.com/media/{ID}"


@pytest.mark.parametrize(
    "base", ["https://cdn.example.com", "https://api.example.com", "http://old.example.com/v1"]
)
def test_link_of_ours_leads_back(base: str) -> None:
    assert LINKS.media_id(f"{base}/media/{ID}") == ID


@given(st.from_regex(r"[0-9a-f]{32}\.[a-z]{3,4}", fullmatch=True))
def test_every_link_leads_back(media_id: str) -> None:
    assert LINKS.media_id(LINKS.link(media_id)) == media_id


def test_aliases_are_none_unless_given() -> None:
    assert Links("https://cdn.example.com").media_id(f"https://api.example.com/media/{ID}") is None


@pytest.mark.parametrize(
    "address",
    [
        "",
        ID,
        f"/media/{ID}",
        f"//cdn.example.com/media/{ID}",
        f"http://cdn.example.com/media/{ID}",
        f"https://other.example.com/media/{ID}",
        f"https://cdn.example.com.example.net/media/{ID}",
        f"https://cdn.example.com@example.net/media/{ID}",
        f"https://user@cdn.example.com/media/{ID}",
        f"https://example.net/https://cdn.example.com/media/{ID}",
        f"https://old.example.com/v1/media/{ID}",
        f"http://old.example.com/media/{ID}",
        f"https://cdn.example.com/{ID}",
        f"https://cdn.example.com/v1/media/{ID}",
        f"https://cdn.example.com/media{ID}",
        f"https://cdn.example.com/media//{ID}",
        f"https://cdn.example.com/media/./{ID}",
        f"https://cdn.example.com/media/x/../{ID}",
        f"https://cdn.example.com/media/../secrets/{ID}",
        f"https://cdn.example.com/media/%2e%2e/{ID}",
        f"https://cdn.example.com/media/{ID}/",
        f"https://cdn.example.com/media/{ID}?a=b",
        f"https://cdn.example.com/media/{ID}#a",
        f"https://cdn.example.com/media/{ID}\n",
        "https://cdn.example.com/media/",
        "https://cdn.example.com/media/cat.png",
        "https://cdn.example.com/health",
    ],
)
def test_other_addresses_are_not_ours(address: str) -> None:
    assert LINKS.media_id(address) is None
