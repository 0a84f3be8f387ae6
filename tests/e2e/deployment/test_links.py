"""Where links to media lead: a presigned address that is good as it is, and for as long as told."""

import re
import time
from collections.abc import Callable

import pytest

from imgdiff.deadline import Deadline
from imgdiff.s3_media import S3Media
from tests.e2e.deployment.deployed import Deployed
from tests.local.service import ROOT

CONTENT = (ROOT / "samples" / "page-source.png").read_bytes()


@pytest.fixture(scope="module")
def link(stack: Deployed) -> str:
    return stack.store(CONTENT)


def test_a_link_leads_to_the_image(stack: Deployed, link: str) -> None:
    answer = stack.aws.get(stack.presigned(link))
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    "tamper",
    [
        lambda address: re.sub(r"/media/[0-9a-f]{32}", "/media/" + "0" * 32, address),
        lambda address: re.sub(
            r"(Signature=)(.)", lambda found: found[1] + f"{int(found[2], 16) ^ 1:x}", address
        ),
        lambda address: re.sub(r"(Expires=)\d+", r"\g<1>86400", address),
        lambda address: address.partition("?")[0],
    ],
    ids=["key", "signature", "expiry", "unsigned"],
)
def test_an_address_that_was_tampered_with_is_refused(
    stack: Deployed, link: str, tamper: Callable[[str], str]
) -> None:
    address = stack.presigned(link)
    tampered = tamper(address)
    assert tampered != address
    assert stack.aws.get(tampered).status_code == 403


def test_an_address_that_has_expired_is_refused(stack: Deployed, link: str) -> None:
    # A stack's addresses are good for a minute at least: this one is made as they are, by the role.
    media = S3Media(
        stack.aws.client("s3", stack.session("ApiRole")),
        stack.outputs["MediaBucketName"],
        stack.outputs["ResultsBucketName"],
        deadline=Deadline(),
        link_expires_seconds=5,
        find_place=lambda _: None,
    )
    address = media.presigned(link.rpartition("/")[2])
    assert stack.aws.get(address).status_code == 200
    time.sleep(6)
    assert stack.aws.get(address).status_code == 403
