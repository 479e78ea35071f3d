"""RemovePermission: take a statement out of a queue's policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq_emulator.sqs.actions.add_permission import read_statements, write_statements
from cloudq_emulator.sqs.errors import invalid_value

if TYPE_CHECKING:
    from cloudq_emulator.sqs.call import Call


def remove_permission(call: Call) -> dict[str, Any]:
    """Answer nothing."""
    queue, label = call.queue(), call.required("Label")
    statements = read_statements(queue)
    kept = [statement for statement in statements if statement.get("Sid") != label]
    if len(kept) == len(statements):
        raise invalid_value(label, "Label", "can't find label on existing policy.")
    write_statements(call, queue, kept)
    return {}
