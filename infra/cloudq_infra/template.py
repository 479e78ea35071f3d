"""A plan as a SAM template, in Python's own dicts and lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudq_infra.intrinsics import NO_VALUE, arn, attribute, either, ref, sub
from cloudq_infra.model import BATCH_SIZE, MAX_CONCURRENCY, logical_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_infra.model import FunctionPlan, Plan, QueuePlan

DEAD_LETTER_DAYS: Final = 14
"""SQS's longest retention. A standard queue's dead letters keep the age they had in their source queue."""

LATE_SECONDS: Final = 900
"""An oldest message of this age raises the alarm."""

LOG_DAYS: Final = 30
MEMORY_MB: Final = 512
RUNTIME: Final = "python3.13"

_DAY: Final = 86_400
_ANY_FUNCTION_LOG: Final = (
    "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/${AWS::StackName}-*"
)


def template(plan: Plan, *, code: str = ".", variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The template of a plan.

    Args:
        plan: What the app needs.
        code: The folder with the functions' code, as seen from the template.
        variables: Environment variables of the functions that become parameters, with their defaults.
    """
    variables = variables or {}
    resources: dict[str, Any] = {}
    for queue in plan.queues:
        resources |= _queue(queue)
    for queue in plan.queues:
        if queue.function is not None:
            resources |= _function(plan, queue, queue.function, variables)
    if plan.table is not None:
        resources["ResultsTable"] = _table(plan.table)
    for queue in plan.queues:
        resources |= _alarms(queue)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Description": f"Queues and functions of {plan.title}.",
        # What `infra check` needs to write it anew.
        "Metadata": {"Cloudq": {"App": plan.app, "Code": code, "Variables": dict(variables)}},
        "Parameters": _parameters(plan, variables),
        "Conditions": {"HasAlarmTopic": _not_empty("AlarmTopic")},
        **_globals(plan, code),
        "Resources": resources,
        "Outputs": {
            f"{resource}Url": {"Value": ref(resource)}
            for queue in plan.queues
            for resource in _sources(queue)
        },
    }


def _parameters(plan: Plan, variables: Mapping[str, str]) -> dict[str, Any]:
    parameters = {
        "Prefix": _text("", "What every name begins with, such as a stage: prod-"),
        "AlarmTopic": _text("", "ARN of the SNS topic that alarms go to; empty for none"),
    }
    if plan.table is None and _has_functions(plan):
        parameters["ResultBackend"] = _text("disabled", "URL of the result backend")
    for name, default in variables.items():
        parameters[logical_id(name.title())] = _text(default, f"{name} of the functions")
    return parameters


def _text(default: str, description: str) -> dict[str, str]:
    return {"Type": "String", "Default": default, "Description": description}


def _not_empty(parameter: str) -> Any:
    return {"Fn::Not": [{"Fn::Equals": [ref(parameter), ""]}]}


def _has_functions(plan: Plan) -> bool:
    return any(queue.function for queue in plan.queues)


def _globals(plan: Plan, code: str) -> dict[str, Any]:
    if not _has_functions(plan):
        return {}
    shared = {"CodeUri": code, "Handler": "cloudq.lambda_handler.handler", "Runtime": RUNTIME}
    return {"Globals": {"Function": {**shared, "MemorySize": MEMORY_MB}}}


def _dead(queue: QueuePlan) -> str:
    return f"{queue.logical_id}DeadQueue"


def _sources(queue: QueuePlan) -> dict[str, str]:
    """A queue and its higher levels of priority: names by their resources."""
    return {f"{logical_id(name)}Queue": name for name in (queue.name, *queue.levels)}


def _queue(queue: QueuePlan) -> dict[str, Any]:
    kind = {"FifoQueue": True} if queue.is_fifo else {}
    sources = {
        resource: {
            "QueueName": sub("${Prefix}" + name),
            **kind,
            "VisibilityTimeout": queue.visibility,
            "SqsManagedSseEnabled": True,
            "RedrivePolicy": {
                "deadLetterTargetArn": arn(_dead(queue)),
                "maxReceiveCount": queue.max_receives,
            },
        }
        for resource, name in _sources(queue).items()
    }
    here = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${Prefix}"
    source_arns = [sub(here + name) for name in _sources(queue).values()]
    dead = {
        "QueueName": sub("${Prefix}" + queue.dead_letter),
        **kind,
        "MessageRetentionPeriod": DEAD_LETTER_DAYS * _DAY,
        "SqsManagedSseEnabled": True,
        # By name: each queue's attribute would otherwise wait for the other's.
        "RedriveAllowPolicy": {"redrivePermission": "byQueue", "sourceQueueArns": source_arns},
    }
    made = {resource: _resource("SQS::Queue", properties) for resource, properties in sources.items()}
    return made | {_dead(queue): _resource("SQS::Queue", dead)}


def _function(
    plan: Plan, queue: QueuePlan, function: FunctionPlan, variables: Mapping[str, str]
) -> dict[str, Any]:
    role = f"{queue.logical_id}Role"
    properties = {
        "Role": arn(role),
        "Timeout": function.timeout,
        "Environment": {"Variables": _environment(plan, variables)},
        "Events": {
            # AWS polls each level by itself: the higher ones don't go first, but wait behind no others.
            f"Messages{resource.removesuffix('Queue').removeprefix(queue.logical_id)}": _mapping(resource)
            for resource in _sources(queue)
        },
    }
    log_group = {"LogGroupName": sub(f"/aws/lambda/${{{function.logical_id}}}"), "RetentionInDays": LOG_DAYS}
    return {
        function.logical_id: _resource("Serverless::Function", properties),
        role: _role(plan, queue),
        f"{queue.logical_id}Logs": _resource("Logs::LogGroup", log_group),
    }


def _mapping(resource: str) -> dict[str, Any]:
    properties = {
        "Queue": arn(resource),
        "BatchSize": BATCH_SIZE,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": MAX_CONCURRENCY},
    }
    return {"Type": "SQS", "Properties": properties}


def _environment(plan: Plan, variables: Mapping[str, str]) -> dict[str, Any]:
    has_table = plan.table is not None
    backend = sub("dynamodb://${ResultsTable}") if has_table else ref("ResultBackend")
    return {
        "CLOUDQ_APP": plan.app,
        "CLOUDQ_BROKER_URL": sub("sqs://${AWS::Region}?prefix=${Prefix}"),
        "CLOUDQ_RESULT_BACKEND": backend,
        **{name: ref(logical_id(name.title())) for name in variables},
    }


def _role(plan: Plan, queue: QueuePlan) -> dict[str, Any]:
    """What its functions may: empty their queue, bury in its dead-letter queue, send to the app's others."""
    sending = [arn(resource) for other in plan.queues for resource in _sources(other)]
    statements = [
        _allow(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:ChangeMessageVisibility",
                "sqs:GetQueueAttributes",
            ],
            [arn(resource) for resource in _sources(queue)],
        ),
        _allow(["sqs:SendMessage", "sqs:GetQueueUrl"], [*sending, arn(_dead(queue))]),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [sub(_ANY_FUNCTION_LOG)]),
    ]
    if plan.table is not None:
        items = ["GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"]
        statements.append(_allow([f"dynamodb:{item}" for item in items], [arn("ResultsTable")]))
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    policy = {"PolicyName": "cloudq", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
    properties = {
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
        "Policies": [policy],
    }
    return _resource("IAM::Role", properties)


def _allow(actions: list[str], resources: list[Any]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _table(name: str) -> dict[str, Any]:
    properties = {
        "TableName": sub("${Prefix}" + name),
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
        "SSESpecification": {"SSEEnabled": True},
        "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
    }
    return _resource("DynamoDB::Table", properties)


def _alarms(queue: QueuePlan) -> dict[str, Any]:
    dead = _alarm(
        f"Messages of {queue.name} were given up",
        _dead(queue),
        "ApproximateNumberOfMessagesVisible",  # counts what was moved by redrive too, as sent messages don't
        threshold=0,
    )
    late = {
        f"{logical_id(name)}LateAlarm": _alarm(
            f"Messages of {name} wait too long",
            resource,
            "ApproximateAgeOfOldestMessage",
            threshold=LATE_SECONDS,
        )
        for resource, name in _sources(queue).items()
    }
    return {f"{queue.logical_id}DeadAlarm": dead, **late}


def _alarm(description: str, queue: str, metric: str, *, threshold: int) -> dict[str, Any]:
    properties = {
        "AlarmDescription": description,
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Dimensions": [{"Name": "QueueName", "Value": attribute(queue, "QueueName")}],
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 5,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": either("HasAlarmTopic", [ref("AlarmTopic")], NO_VALUE),
    }
    return _resource("CloudWatch::Alarm", properties)


def _resource(kind: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": dict(properties)}
