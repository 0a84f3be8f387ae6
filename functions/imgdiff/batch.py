"""Lambda handler for the tasks of the state machine that runs batches."""

from typing import Any

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from imgdiff import memory
from imgdiff.batch_runs import Batch
from imgdiff.composition import deadline, services
from imgdiff.results import verdict
from imgdiff.telemetry import tell

# What is left for the reply itself when Lambda would end the function.
_REPLY_SECONDS = 1

logger = Logger()
metrics = Metrics()
memory.bound()


@logger.inject_lambda_context(clear_state=True)
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do one task of a batch."""
    batch = Batch.read(event["batch"])
    logger.append_keys(batch=batch.name, run=batch.run, task=event["task"])

    def left() -> float:
        return context.get_remaining_time_in_millis() / 1000 - _REPLY_SECONDS

    deadline.start(left())
    metrics.add_metric("Tasks", MetricUnit.Count, 1)
    match event["task"]:
        case "prepare":
            answer = services().batch_tasks.prepare(batch)
            logger.info("prepared", total=answer.get("total"), refused=answer.get("refused"))
        case "compare":
            outcomes, rest = services().batch_tasks.compare(
                batch, event["items"], left=left, crashed=_crashed
            )
            for outcome in outcomes:
                metrics.add_metric(verdict(outcome).capitalize(), MetricUnit.Count, 1)
            answer = {"batch": event["batch"], "items": rest}
            logger.info("compared", lines=len(outcomes), rest=len(rest))
        case "summarise":
            summary = services().batch_tasks.summarise(batch)
            told = ("total", "done", "failed")
            answer = {name: summary[name] for name in told} if summary else {"superseded": True}
            logger.info("summarised", **answer)
        case task:
            raise ValueError(task)
    tell(metrics, context)
    return answer


def _crashed(line: int, error: Exception) -> None:
    logger.error("internal error", line=line, exc_info=error)
