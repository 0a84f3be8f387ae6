"""The handler that a tutorial would make: everything imported at the top, sums in floats.

`benchmarks.cold_start` starts it next to the real one. It has the same routes, reads and writes
the same storage, and checks the same key.
"""

import hashlib
import io
import json
import os
import uuid
from typing import Any

import boto3
import numpy as np
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from numpy.typing import NDArray
from PIL import Image

BUCKET = os.environ["MEDIA_BUCKET"]
TABLE = os.environ["KEYS_TABLE"]

logger = Logger()
metrics = Metrics()
app = APIGatewayHttpResolver()
s3 = boto3.client("s3")
dynamodb = boto3.client("dynamodb")


@app.get("/health")
def health() -> dict[str, int]:
    """Answer that the function is up."""
    return {"status": 200}


@app.get("/imgdiff")
def imgdiff() -> Response[str] | dict[str, Any]:
    """Compare two stored images."""
    query = app.current_event.query_string_parameters
    key_sha256 = hashlib.sha256(query["key"].encode()).hexdigest()
    if "Item" not in dynamodb.get_item(TableName=TABLE, Key={"key_sha256": {"S": key_sha256}}):
        return Response(401, body=json.dumps({"status": 401, "error": "the key is not valid"}))
    difference = _read(query["src"]) - _read(query["target"])
    picture = io.BytesIO()
    Image.fromarray(np.abs(difference).astype(np.uint8)).save(picture, "PNG")
    name = f"{uuid.uuid4().hex}.png"
    s3.put_object(
        Bucket=BUCKET, Key=f"media/{name}", Body=picture.getvalue(), ContentType="image/png"
    )
    return {"status": 200, "id": name, "mse": float(np.mean(difference**2))}


def _read(link: str) -> NDArray[np.float64]:
    key = f"media/{link.rpartition('/')[2]}"
    content = s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.float64)


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    return app.resolve(event, context)
