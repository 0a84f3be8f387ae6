"""What is told of an invocation: metrics, which CloudWatch reads from the log."""

from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from imgdiff import stages

UNITS = {
    "ColdStarts": MetricUnit.Count,
    "KeyMilliseconds": MetricUnit.Milliseconds,
    "ReadMilliseconds": MetricUnit.Milliseconds,
    "CompareMilliseconds": MetricUnit.Milliseconds,
    "StoreMilliseconds": MetricUnit.Milliseconds,
    "BytesRead": MetricUnit.Bytes,
    "BytesWritten": MetricUnit.Bytes,
    "Diff": MetricUnit.NoUnit,
}

# The first invocation tells of it, in each environment that starts from a snapshot too.
stages.note("ColdStarts", 1)


def tell(metrics: Metrics, context: LambdaContext) -> None:
    """Write the metrics of an invocation, and what its stages have noted."""
    # As the log names it.
    metrics.add_metadata("function_request_id", context.aws_request_id)
    for name, values in stages.taken().items():
        for value in values:
            metrics.add_metric(name, UNITS[name], value)
    metrics.flush_metrics()
    # Where metrics are switched off, flushing leaves them to pile up.
    metrics.clear_metrics()
