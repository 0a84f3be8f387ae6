"""Nothing of a deployed stack is left once it is deleted."""

import pytest

from tests.e2e.deployment.deployed import STACK, Deployed
from tests.e2e.deployment.ministack import REGION

OTHER = f"{STACK}-other"


@pytest.fixture
def other(stack: Deployed) -> Deployed:
    """A stack beside the one that all tests share, of the same template."""
    cloudformation = stack.aws.client("cloudformation")
    [deployed] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    template = cloudformation.get_template(StackName=STACK, TemplateStage="Original")
    # Larger than what can be given directly.
    s3 = stack.aws.client("s3")
    s3.create_bucket(Bucket="templates", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket="templates", Key="other", Body=template["TemplateBody"])
    cloudformation.create_stack(
        StackName=OTHER,
        TemplateURL=f"{stack.aws.url}/templates/other",
        Parameters=deployed["Parameters"],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=OTHER, WaiterConfig={"Delay": 1}
    )
    return Deployed(stack.aws, OTHER)


def names(stack: Deployed) -> set[str]:
    """The names of all that is there, whatever made it."""
    paged = (
        ("s3", "list_buckets", "Buckets[].Name"),
        ("dynamodb", "list_tables", "TableNames[]"),
        ("lambda", "list_functions", "Functions[].FunctionName"),
        ("lambda", "list_layers", "Layers[].LayerName"),
        ("lambda", "list_event_source_mappings", "EventSourceMappings[].FunctionArn"),
        ("iam", "list_roles", "Roles[].RoleName"),
        ("sqs", "list_queues", "QueueUrls[]"),
        ("events", "list_rules", "Rules[].Name"),
        ("stepfunctions", "list_state_machines", "stateMachines[].name"),
        ("logs", "describe_log_groups", "logGroups[].logGroupName"),
        ("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
        ("cloudwatch", "list_dashboards", "DashboardEntries[].DashboardName"),
        ("apigatewayv2", "get_apis", "Items[].Name"),
    )
    return {
        f"{service} {name}"
        for service, operation, path in paged
        for name in stack.aws.client(service).get_paginator(operation).paginate().search(path)
        if name
    }


def test_a_stack_that_is_deleted_leaves_nothing(stack: Deployed, other: Deployed) -> None:
    def of_other() -> set[str]:
        return {name for name in names(stack) if OTHER in name}

    s3 = stack.aws.client("s3")
    for bucket in ("MediaBucketName", "InboxBucketName", "ResultsBucketName"):
        for content in (b"first", b"second"):
            s3.put_object(Bucket=other.outputs[bucket], Key="source/e2e", Body=content)
    assert len(of_other()) > 20

    other.run("tools.delete", "--confirm", OTHER)

    assert of_other() == set()
    assert stack.call("GET", "/health").status_code == 200
