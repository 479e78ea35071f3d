"""Redrive policies: when a queue gives up on a message, and who may use which dead-letter queue.

Source: Amazon SQS API Reference, SetQueueAttributes, read 2026-11.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import invalid_value

_SOURCES: Final = 10
"""Source queues that a ``byQueue`` policy may name. Source: API, SetQueueAttributes, read 2026-11."""


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """After `max_receives` receives without a delete, the next one moves a message to `target` (an ARN)."""

    target: str
    max_receives: int

    @staticmethod
    def read(name: str, text: str) -> RedrivePolicy | None:
        """Parse the attribute; empty text and ``{}`` mean no policy.

        Raises:
            SqsError: It is no policy that SQS takes.
        """
        policy = _map(name, text, "Redrive policy")
        if not policy:
            return None
        for part in ("deadLetterTargetArn", "maxReceiveCount"):
            if part not in policy:
                raise invalid_value(
                    text, name, f"Redrive policy does not contain mandatory attribute: {part}."
                )
        return RedrivePolicy(
            str(policy["deadLetterTargetArn"]), _receives(name, text, policy["maxReceiveCount"])
        )

    def write(self) -> str:
        """The attribute as SQS answers it."""
        return json.dumps({"deadLetterTargetArn": self.target, "maxReceiveCount": self.max_receives})


@dataclass(frozen=True, slots=True)
class RedriveAllowPolicy:
    """Who may send dead letters here: ``allowAll``, ``denyAll`` or ``byQueue`` (ARNs in `sources`)."""

    permission: str
    sources: tuple[str, ...] = ()

    @staticmethod
    def read(name: str, text: str) -> RedriveAllowPolicy | None:
        """Parse the attribute; empty text and ``{}`` mean no policy.

        Raises:
            SqsError: It is no policy that SQS takes.
        """
        policy = _map(name, text, "Redrive allow policy")
        if not policy:
            return None
        permission = policy.get("redrivePermission")
        sources = tuple(policy.get("sourceQueueArns") or ())
        if permission not in {"allowAll", "denyAll", "byQueue"}:
            raise invalid_value(text, name, "Redrive permission must be allowAll, denyAll or byQueue.")
        if (permission == "byQueue") != bool(sources) or len(sources) > _SOURCES:
            raise invalid_value(
                text,
                name,
                f"Source queue ARNs, 1 to {_SOURCES}, go with the permission byQueue and with no other.",
            )
        return RedriveAllowPolicy(permission, sources)

    def write(self) -> str:
        """The attribute as SQS answers it."""
        policy: dict[str, Any] = {"redrivePermission": self.permission}
        if self.sources:
            policy["sourceQueueArns"] = list(self.sources)
        return json.dumps(policy)

    def allows(self, source: str) -> bool:
        """Whether the queue with the ARN `source` may send its dead letters here."""
        return self.permission == "allowAll" or (self.permission == "byQueue" and source in self.sources)


def _map(name: str, text: str, what: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise invalid_value(text, name, f"{what} is not a valid JSON map.")
    return policy


def _receives(name: str, text: str, value: object) -> int:
    count = int(str(value)) if str(value).isdecimal() else 0
    if not 1 <= count <= limits.RECEIVES_MOST:
        raise invalid_value(
            text,
            name,
            f"Invalid value for maxReceiveCount: {value}, valid values are from 1 to "
            f"{limits.RECEIVES_MOST} both inclusive.",
        )
    return count
