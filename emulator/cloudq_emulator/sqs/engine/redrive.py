"""Redrive policies: when a queue gives up on a message, and who may use which dead-letter queue.

Source: Amazon SQS API Reference, SetQueueAttributes, read 2026-11.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import (
    INVALID_PERMISSION,
    INVALID_SOURCES,
    INVALID_TARGET,
    MAX_RECEIVES_RANGE,
    POLICY_IS_NO_MAP,
    POLICY_LACKS,
)

_ARN: Final = re.compile(r"arn:[\w-]+:sqs:[\w-]*:\d{12}:[\w-]{1,80}(?:\.fifo)?")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_SOURCES: Final = 10
"""Source queues that a ``byQueue`` policy may name. Source: API, SetQueueAttributes, read 2026-11."""


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """After `max_receives` receives without a delete, the next one moves a message to `target` (an ARN)."""

    target: str
    max_receives: int

    @staticmethod
    def read(name: str, text: str) -> RedrivePolicy | None:
        """Parse the attribute; empty text means no policy.

        Raises:
            SqsError: It is no policy that SQS takes.
        """
        if not text:
            return None
        policy = _map(name, text, "Redrive policy")
        for part in ("maxReceiveCount", "deadLetterTargetArn"):
            if part not in policy:
                raise POLICY_LACKS.error(value=text, name=part)
        target = str(policy["deadLetterTargetArn"])
        if not _ARN.fullmatch(target):
            raise INVALID_TARGET.error(value=text)
        return RedrivePolicy(target, _receives(text, policy["maxReceiveCount"]))

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
        policy = _map(name, text, "Redrive allow policy") if text else {}
        if not policy:
            return None
        permission = policy.get("redrivePermission")
        sources = policy.get("sourceQueueArns") or []
        if permission not in ("allowAll", "denyAll", "byQueue"):  # no set: it may be unhashable
            raise INVALID_PERMISSION.error(value=text)
        is_list = isinstance(sources, list) and all(isinstance(arn, str) for arn in sources)
        if not is_list or (permission == "byQueue") != bool(sources) or len(sources) > _SOURCES:
            raise INVALID_SOURCES.error(value=text)
        return RedriveAllowPolicy(permission, tuple(sources))

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
    try:
        policy = orjson.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise POLICY_IS_NO_MAP.error(value=text, name=name, what=what)
    return policy


def _receives(text: str, value: object) -> int:
    count = int(str(value)) if _NUMBER.fullmatch(str(value)) else 0
    if not 1 <= count <= limits.RECEIVES_MOST:
        raise MAX_RECEIVES_RANGE.error(value=text, count=value)
    return count
