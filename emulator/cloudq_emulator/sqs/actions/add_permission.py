"""AddPermission: put a statement in a queue's policy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import MISSING_PARAMETER, OVER_LIMIT, invalid_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue

_GRANTABLE: Final = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)
"""Actions that may be granted so. Source: Amazon SQS Developer Guide, "API permissions", read 2026-11."""
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


def add_permission(call: Call) -> dict[str, Any]:
    """Answer nothing; the policy is kept and shown, never enforced."""
    queue = call.queue()
    label = _check_label(call.required("Label"))
    actions = _check_actions(call.params.get("Actions") or ())
    accounts = call.params.get("AWSAccountIds") or ()
    if not accounts:
        raise invalid_value("[]", "PrincipalId", "Unable to verify.")
    statements = read_statements(queue)
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid_value(label, "Label", "Already exists.")
    statements.append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
            "Action": _one_or_all([f"SQS:{action}" for action in actions]),
            "Resource": queue.arn,
        }
    )
    write_statements(call, queue, statements)
    return {}


def read_statements(queue: Queue) -> list[dict[str, Any]]:
    """The statements of a queue's policy."""
    return json.loads(queue.settings.policy).get("Statement", []) if queue.settings.policy else []


def write_statements(call: Call, queue: Queue, statements: list[dict[str, Any]]) -> None:
    """Give a queue a policy of these statements; of none, no policy."""
    policy = {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": statements}
    call.registry.change(queue, {"Policy": json.dumps(policy) if statements else ""}, call.now)


def _check_label(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise invalid_value(
            label, "Label", "It takes 1 to 80 alphanumeric characters, hyphens or underscores."
        )
    return label


def _check_actions(actions: Sequence[str]) -> Sequence[str]:
    if not actions:
        raise MISSING_PARAMETER.error(name="Actions")
    if len(actions) > limits.PERMISSION_ACTIONS:
        raise OVER_LIMIT.error(
            text=f"{len(actions)} Actions were found, maximum allowed is {limits.PERMISSION_ACTIONS}."
        )
    for action in actions:
        if action not in _GRANTABLE:
            raise invalid_value(
                f"SQS:{action}", "ActionName", "Only the queue owner is allowed to invoke this action."
            )
    return actions


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
