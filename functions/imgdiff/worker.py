"""Lambda handler for S3's events, as they come from a queue, from EventBridge or from S3 itself."""

import time
from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from imgdiff import memory, snapshot
from imgdiff.batch_runs import is_batch
from imgdiff.composition import deadline, prime, services
from imgdiff.errors import StorageUnavailable
from imgdiff.notices import Notice, notices
from imgdiff.pairs import pair_of
from imgdiff.telemetry import tell

# As long as a request of the API may take.
_PAIR_SECONDS = 28
_REPLY_SECONDS = 1
# A notice that takes longer has been in the way of trouble: an earlier attempt may have ended
# before it told of its result.
_PROMPT_SECONDS = 30

logger = Logger()
metrics = Metrics()
memory.bound()
snapshot.prepare(prime)
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Bring the results up to date of whatever an event tells of.

    Returns
    -------
    dict
        What of a queue's messages is to be delivered again.
    """
    metrics.add_metric("Events", MetricUnit.Count, 1)
    records = event.get("Records") or [{}]
    if records[0].get("eventSource") == "aws:sqs":
        response = process_partial_response(event, _handle_message, processor, context)
        answer: dict[str, Any] = {**response}
    else:
        _handle(event, context, arrived=time.time(), repeated=False)
        answer = {}
    tell(metrics, context)
    return answer


def _handle_message(record: SQSRecord, lambda_context: LambdaContext) -> None:
    attributes = record.attributes
    try:
        _handle(
            record.json_body,
            lambda_context,
            arrived=int(attributes.sent_timestamp) / 1000,
            repeated=int(attributes.approximate_receive_count) > 1,
        )
    except Exception as error:
        logger.warning("to be delivered again", exc_info=error)
        raise


def _handle(
    event: dict[str, Any], context: LambdaContext, *, arrived: float, repeated: bool
) -> None:
    for notice in notices(event):
        left = context.get_remaining_time_in_millis() / 1000 - _REPLY_SECONDS
        if left < _PAIR_SECONDS:
            raise StorageUnavailable
        deadline.start(_PAIR_SECONDS)
        late = arrived - notice.time.timestamp() > _PROMPT_SECONDS
        _take(notice, repeated=repeated or late)


def _take(notice: Notice, *, repeated: bool) -> None:
    settings = services().settings
    logger.append_keys(bucket=notice.bucket, key=notice.key)
    if notice.bucket == settings.results_bucket:
        # What is made here is nobody's source.
        logger.info("ignored")
    elif pair := pair_of(notice.bucket, notice.key):
        verdict = services().pairs.settle(pair, repeated=repeated)
        if verdict:
            metrics.add_metric(verdict.capitalize(), MetricUnit.Count, 1)
        logger.info("settled", verdict=verdict)
    elif notice.bucket == settings.inbox_bucket and is_batch(notice.key):
        batch = services().batches.start(notice.bucket, notice.key)
        logger.info("started", run=batch and batch.run)
    else:
        logger.warning("ignored, as it is no pair's and no batch's name")
