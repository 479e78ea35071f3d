"""AddPermission: put a statement in a queue's policy."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import (
    INVALID_ACTION_NAME,
    INVALID_LABEL,
    INVALID_PRINCIPAL,
    LABEL_EXISTS,
    MISSING_PARAMETER,
    ONLY_THE_OWNER,
    TOO_MANY_ACTIONS,
    TOO_MANY_STATEMENTS,
)

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
_THE_OWNERS: Final = frozenset(
    {
        "AddPermission",
        "CancelMessageMoveTask",
        "CreateQueue",
        "DeleteQueue",
        "ListMessageMoveTasks",
        "ListQueueTags",
        "ListQueues",
        "RemovePermission",
        "SetQueueAttributes",
        "StartMessageMoveTask",
        "TagQueue",
        "UntagQueue",
    }
)
"""Actions that can't be granted to another account. Source: as above."""
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


def add_permission(call: Call) -> dict[str, Any]:
    """Answer nothing; the policy is kept and shown, never enforced."""
    queue = call.queue()
    label = _check_label(call.required("Label"))
    actions = _check_actions(call.params.get("Actions"))
    accounts = call.params.get("AWSAccountIds")
    if accounts is None:
        raise MISSING_PARAMETER.error(name="AWSAccountIds")
    if not accounts:
        raise INVALID_PRINCIPAL.error(value="[]")
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SQS:{action}" for action in actions]),
        "Resource": queue.arn,
    }
    statements = read_statements(queue)
    if statement in statements:
        return {}
    if any(existing.get("Sid") == label for existing in statements):
        raise LABEL_EXISTS.error(value=label)
    if len(statements) >= limits.POLICY_STATEMENTS:
        raise TOO_MANY_STATEMENTS.error(count=len(statements) + 1)
    write_statements(call, queue, [*statements, statement])
    return {}


def read_statements(queue: Queue) -> list[dict[str, Any]]:
    """The statements of a queue's policy."""
    policy = json.loads(queue.settings.policy) if queue.settings.policy else {}
    statements = policy.get("Statement", [])
    # The only statement may stand without a list around it.
    return [
        one for one in (statements if isinstance(statements, list) else [statements]) if isinstance(one, dict)
    ]


def write_statements(call: Call, queue: Queue, statements: list[dict[str, Any]]) -> None:
    """Give a queue a policy of these statements; of none, no policy."""
    policy = {"Version": "2008-10-17", "Id": f"{queue.arn}/SQSDefaultPolicy", "Statement": statements}
    call.registry.change(queue, {"Policy": json.dumps(policy) if statements else ""}, call.now)


def _check_label(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise INVALID_LABEL.error(value=label)
    return label


def _check_actions(actions: Sequence[str] | None) -> Sequence[str]:
    if not actions:
        # None by local-aws-sqs's tests, no item by moto's.
        raise MISSING_PARAMETER.error(name="ActionName" if actions is None else "Actions")
    if len(actions) > limits.PERMISSION_ACTIONS:
        raise TOO_MANY_ACTIONS.error(count=len(actions))
    for action in actions:
        if action not in _GRANTABLE:
            refusal = ONLY_THE_OWNER if action in _THE_OWNERS else INVALID_ACTION_NAME
            raise refusal.error(value=f"SQS:{action}")
    return actions


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
