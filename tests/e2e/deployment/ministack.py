"""MiniStack, an AWS of one's own on loopback: over TLS, and with its IAM in force."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
import trustme
from botocore.config import Config

from tests.local.service import ROOT, free_port

REGION, ACCOUNT = "eu-central-1", "000000000000"

# What MiniStack takes for the owner of the account, who may do everything.
_OWNER = {"AccessKeyId": "test", "SecretAccessKey": "test"}
_START_SECONDS = 60


@dataclass(frozen=True)
class MiniStack:
    """A running MiniStack.

    Attributes
    ----------
    url : str
        Its endpoint of every service, S3's presigned addresses and the HTTP APIs included.
    plain_url : str
        The same without TLS.
    certificate : Path
        What its certificate is trusted by.
    """

    url: str
    plain_url: str
    certificate: Path

    @property
    def environment(self) -> dict[str, str]:
        """What lets a program use it, and no other AWS."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.certificate.parent),
            "AWS_ACCESS_KEY_ID": _OWNER["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": _OWNER["SecretAccessKey"],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.certificate),
            "NO_PROXY": "127.0.0.1",
        }

    def client(
        self, service: str, credentials: Mapping[str, Any] = _OWNER, *, plain: bool = False
    ) -> Any:
        """A client of one of its services, the owner's or that of a role's session."""
        make: Any = boto3.client
        return make(
            service,
            region_name=REGION,
            endpoint_url=self.plain_url if plain else self.url,
            verify=str(self.certificate),
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials.get("SessionToken"),
            config=Config(signature_version="s3v4" if service == "s3" else None),
        )

    def get(self, url: str) -> requests.Response:
        """GET an address of its own, such as a presigned one."""
        assert url.startswith(f"{self.url}/"), url
        return requests.get(url, verify=str(self.certificate), timeout=30)


@contextmanager
def running(folder: Path) -> Iterator[MiniStack]:
    """Start MiniStack; whatever it writes goes to a folder.

    Policies of the stack's buckets and queues admit TLS alone. Its own command would take port 443
    besides the one it is given, and speak nothing else.
    """
    certificate, chain, key = (folder / name for name in ("ca.pem", "chain.pem", "key.pem"))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(certificate))
    issued = authority.issue_cert("127.0.0.1", "localhost")
    issued.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))

    port = free_port()
    places = (f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}")
    aws = MiniStack(f"https://{places[0]}", f"http://{places[1]}", certificate)
    command = (ROOT / ".tools/ministack/bin/hypercorn", "ministack.app:app", "--workers", "0")
    listen = ("--bind", places[0], "--certfile", chain, "--keyfile", key)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "GATEWAY_PORT": str(port),
        "USE_SSL": "true",
        "AUTH": "true",
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "AWS_CA_BUNDLE": str(certificate),
        "NO_PROXY": "127.0.0.1",
    }
    with (folder / "ministack.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *listen, "--insecure-bind", places[1]],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(aws, process, folder / "ministack.log")
        yield aws
    finally:
        # With the processes of its functions: it waits for long before it ends by itself.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _await(aws: MiniStack, process: subprocess.Popen[bytes], log: Path) -> None:
    by = time.monotonic() + _START_SECONDS
    while time.monotonic() < by and process.poll() is None:
        try:
            if aws.get(f"{aws.url}/_ministack/ready").ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise RuntimeError(f"MiniStack does not start:\n{log.read_text()}")
