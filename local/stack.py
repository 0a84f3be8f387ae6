"""Embedded AWS: moto's, in this process, with a key and sample images in it."""

import logging
import mimetypes
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import boto3

from imgdiff.keys import hash_key

KEY = "local-development-key"
SAMPLES = ("page-source.png", "page-target.png", "photo-source.jpg", "photo-target.jpg")

INBOX = "imgdiff-inbox"
RESULTS = "imgdiff-results"
MACHINE = "imgdiff-batches"
REGION, ACCOUNT = "us-east-1", "123456789012"

_BUCKET = "imgdiff-media"
_TABLE = "imgdiff-keys"
_SAMPLES = Path(__file__).parent.parent / "samples"


def sample_id(name: str) -> str:
    """The media id under which a sample image is stored: the same at every start."""
    return f"{SAMPLES.index(name) + 1:032x}{Path(name).suffix}"


def environment(endpoint: str, base_url: str) -> Mapping[str, str]:
    """The variables that the function runs with.

    Parameters
    ----------
    endpoint : str
        Where AWS answers.
    base_url : str
        Where the service answers.
    """
    return {
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": f"127.0.0.1,localhost,{urlsplit(endpoint).hostname}",
        "MEDIA_BUCKET": _BUCKET,
        "KEYS_TABLE": _TABLE,
        "INBOX_BUCKET": INBOX,
        "RESULTS_BUCKET": RESULTS,
        "BATCH_STATE_MACHINE": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{MACHINE}",
        "MEDIA_BASE_URL": base_url,
        "OPENBLAS_NUM_THREADS": "1",
        "POWERTOOLS_METRICS_NAMESPACE": "imgdiff",
        "POWERTOOLS_METRICS_DISABLED": "true",
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }


def enter(endpoint: str, base_url: str) -> None:
    """Put these variables in force, in place of whatever AWS this process was started with."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environment(endpoint, base_url))


def fill() -> None:
    """Create the bucket and the table, and put the key and the sample images into them.

    The environment must be in force.
    """
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName=_TABLE,
        AttributeDefinitions=[{"AttributeName": "key_sha256", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "key_sha256", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(
        TableName=_TABLE,
        Item={"key_sha256": {"S": hash_key(KEY)}, "name": {"S": "local development"}},
    )
    s3 = boto3.client("s3")
    for bucket in (_BUCKET, INBOX, RESULTS):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=INBOX, VersioningConfiguration={"Status": "Enabled"})
    for name in SAMPLES:
        s3.put_object(
            Bucket=_BUCKET,
            Key=f"media/{sample_id(name)}",
            Body=(_SAMPLES / name).read_bytes(),
            ContentType=mimetypes.guess_type(name)[0] or "",
        )


class Stack:
    """The AWS side of the service, on a port of its own.

    Parameters
    ----------
    host : str
        Address to listen on.
    port : int
        Port of the AWS endpoint, 0 for any free one.

    Raises
    ------
    OSError
        The port is taken.
    """

    def __init__(self, host: str, port: int) -> None:
        # It takes seconds, and who only asks where things are needs none of it.
        from moto.server import ThreadedMotoServer

        # moto's thread would end, and whoever started it wait for ever.
        socket.create_server((host, port)).close()
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address=host, port=port, verbose=False)
        self._server.start()
        found_host, found_port = self._server.get_host_and_port()
        self.endpoint = f"http://{found_host}:{found_port}"
        # Where moto's state machines find the services that they call.
        os.environ["MOTO_PORT"] = str(found_port)

    def stop(self) -> None:
        """End the embedded AWS; what it held is gone."""
        self._server.stop()
