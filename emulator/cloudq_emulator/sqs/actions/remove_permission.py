"""RemovePermission: take a statement out of a queue's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.add_permission import read_statements, write_statements
from cloudq_emulator.sqs.refusals import LABEL_NOT_FOUND, LABEL_NOT_IN_POLICY

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def remove_permission(call: Call) -> dict[str, Any]:
    """Answer nothing."""
    queue, label = call.queue(), call.required("Label")
    statements = read_statements(queue)
    kept = [statement for statement in statements if statement.get("Sid") != label]
    if len(kept) == len(statements):
        raise (LABEL_NOT_IN_POLICY if statements else LABEL_NOT_FOUND).error(value=label)
    write_statements(call, queue, kept)
    return {}
