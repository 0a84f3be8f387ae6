"""What the README must tell, it tells."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from docs.suites import ROOT, counted, told
from imgdiff import errors
from imgdiff.fields import ImgdiffFields, annotation
from imgdiff.operations import OPERATIONS
from imgdiff.replies import Findings, Region
from imgdiff.settings import Settings
from local.stack import environment
from tests.stack import TEMPLATE, load

README = (ROOT / "README.md").read_text()
FUNCTION = load(TEMPLATE)["Resources"]["ApiFunction"]["Properties"]
CODE = set(re.findall(r"`([^`\n]+)`", README))
FIELDS = [
    (operation.path, {declared.name, annotation(declared)[1].upload} - {""})
    for operation in OPERATIONS
    for declared in fields(operation.fields)
]


def section(path: str) -> str:
    """The section of an operation, its heading left out."""
    found = re.search(rf"^### .*`{path}`.*\n((?:(?!###? ).*\n)*)", README, re.MULTILINE)
    assert found, path
    return found[1]


def tree(error: type[errors.ImgdiffError]) -> set[type[errors.ImgdiffError]]:
    return {error}.union(*map(tree, error.__subclasses__()))


@pytest.mark.parametrize("name", [setting.name.upper() for setting in fields(Settings)])
def test_setting(name: str) -> None:
    assert name in CODE


@pytest.mark.parametrize("name", FUNCTION["Environment"]["Variables"])
def test_variable_of_the_stack(name: str) -> None:
    internal = {
        "OPENBLAS_NUM_THREADS",
        "POWERTOOLS_SERVICE_NAME",
        "POWERTOOLS_METRICS_NAMESPACE",
    }
    assert name in CODE | internal


@pytest.mark.parametrize("status", sorted({error.status for error in tree(errors.ImgdiffError)}))
def test_error_code(status: int) -> None:
    assert re.search(rf"^\| {status} \|", README, re.MULTILINE)


def test_no_other_error_code() -> None:
    told = set(re.findall(r"^\| (\d{3}) \|", README, re.MULTILINE))
    assert told == {str(error.status) for error in tree(errors.ImgdiffError)}


@pytest.mark.parametrize(("path", "names"), FIELDS)
def test_field(path: str, names: set[str]) -> None:
    rows = re.findall(r"^\| (`.+?) \|", section(path), re.MULTILINE)
    assert names <= set(re.findall(r"`(\w+)`", " ".join(rows)))


@pytest.mark.parametrize(
    ("path", "name"),
    {
        (operation.path, name): None
        for operation in OPERATIONS
        for reply in operation.replies
        for name in (declared.name for declared in fields(reply))
        if name != "findings"
    }
    | {("/imgdiff", name): None for name in Findings.__annotations__},
)
def test_reply(path: str, name: str) -> None:
    common = README.partition("## The API\n")[2].partition("### ")[0]
    assert f"`{name}`" in common + section(path)


@pytest.mark.parametrize("kind", get_args(get_type_hints(Region)["kind"]))
def test_kind_of_region(kind: str) -> None:
    assert f"`{kind}`" in (ROOT / "docs" / "measures.md").read_text()


@pytest.mark.parametrize(
    "choice",
    [
        choice
        for declared in fields(ImgdiffFields)
        for choice in annotation(declared)[1].choices
        if declared.name != "fail_status"
    ],
)
def test_choice(choice: str) -> None:
    assert f"`{choice}`" in section("/imgdiff")


@pytest.mark.parametrize(
    "route",
    [event["Properties"] for event in FUNCTION["Events"].values() if "Path" in event["Properties"]],
)
def test_route(route: dict[str, str]) -> None:
    assert f"{route['Method']} {route['Path']}" in CODE


def test_the_default_limits() -> None:
    settings = Settings.from_env(environment("any", "any"))
    assert f"{settings.max_image_bytes // 10**6} MB | `MAX_IMAGE_BYTES`" in README
    assert f"{settings.max_image_pixels // 10**6} megapixels | `MAX_IMAGE_PIXELS`" in README
    assert f"{settings.fetch_timeout_seconds} s | `FETCH_TIMEOUT_SECONDS`" in README
    assert f"is good: {settings.link_expires_seconds}." in README


def test_every_suite_and_its_size() -> None:
    hostile = {f"tests/security/{path.name}" for path in ROOT.glob("tests/security/test_*.py")}

    assert told() == counted()
    assert hostile <= told().keys()


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" not in link:
            path, _, heading = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not heading or heading in headings(target), link


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
