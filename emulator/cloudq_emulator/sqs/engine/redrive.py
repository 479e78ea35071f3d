"""Redrive policies: when a queue gives up on a message, and who may use which dead-letter queue.

Source: Amazon SQS API Reference, SetQueueAttributes, read 2026-11.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.refusals import (
    BY_QUEUE_NEEDS_SOURCES,
    INVALID_ALLOW_POLICY,
    INVALID_TARGET,
    MAX_RECEIVES_RANGE,
    POLICY_HAS_MORE,
    POLICY_IS_NO_MAP,
    POLICY_LACKS,
    SOURCES_NEED_BY_QUEUE,
    TARGET_IS_NO_QUEUE,
    TOO_MANY_SOURCES,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARN: Final = re.compile(r"arn:[\w-]+:sqs:[\w-]*:\d{12}:[\w-]{1,80}(?:\.fifo)?")
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_PARTS: Final = ("maxReceiveCount", "deadLetterTargetArn")
_ALLOW_PARTS: Final = frozenset({"redrivePermission", "sourceQueueArns"})


@dataclass(frozen=True, slots=True)
class RedrivePolicy:
    """After `max_receives` receives without a delete, the next one moves a message to `target` (an ARN)."""

    target: str
    max_receives: int

    @staticmethod
    def read(_name: str, text: str) -> RedrivePolicy | None:
        """Parse the attribute; empty text means no policy.

        Raises:
            SqsError: It is no policy that SQS takes.
        """
        if not text:
            return None
        policy = _map(text)
        if policy is None:
            raise POLICY_IS_NO_MAP.error()
        for part in _PARTS:
            if part not in policy:
                raise POLICY_LACKS.error(value=text, name=part)
        if len(policy) > len(_PARTS):
            raise POLICY_HAS_MORE.error(value=text)
        receives = _receives(text, policy["maxReceiveCount"])
        target = str(policy["deadLetterTargetArn"])
        if not _ARN.fullmatch(target):
            is_other = target.startswith("arn:") and target.split(":")[2:3] != ["sqs"]
            raise (TARGET_IS_NO_QUEUE if is_other else INVALID_TARGET).error(value=text)
        return RedrivePolicy(target, receives)

    def write(self) -> str:
        """The attribute as SQS answers it."""
        return json.dumps({"deadLetterTargetArn": self.target, "maxReceiveCount": self.max_receives})


@dataclass(frozen=True, slots=True)
class RedriveAllowPolicy:
    """Who may send dead letters here: ``allowAll``, ``denyAll`` or ``byQueue`` (ARNs in `sources`)."""

    permission: str
    sources: tuple[str, ...] = ()

    @staticmethod
    def read(_name: str, text: str) -> RedriveAllowPolicy | None:
        """Parse the attribute; empty text and ``{}`` mean no policy.

        Raises:
            SqsError: It is no policy that SQS takes.
        """
        policy = _map(text) if text else {}
        if policy is None:
            raise INVALID_ALLOW_POLICY.error()
        if not policy:
            return None
        permission, sources = policy.get("redrivePermission"), policy.get("sourceQueueArns") or []
        # No set of permissions: what came may be unhashable.
        if permission not in ("allowAll", "denyAll", "byQueue") or not _ALLOW_PARTS.issuperset(policy):
            raise INVALID_ALLOW_POLICY.error()
        if not isinstance(sources, list) or not all(isinstance(arn, str) for arn in sources):
            raise INVALID_ALLOW_POLICY.error()
        _check_sources(text, policy, sources)
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


def _map(text: str) -> dict[str, Any] | None:
    try:
        policy = orjson.loads(text)
    except ValueError:
        return None
    return policy if isinstance(policy, dict) else None


def _check_sources(text: str, policy: Mapping[str, Any], sources: list[str]) -> None:
    if policy["redrivePermission"] != "byQueue":
        if policy.get("sourceQueueArns") is not None:
            raise SOURCES_NEED_BY_QUEUE.error(value=text)
    elif not sources:
        raise BY_QUEUE_NEEDS_SOURCES.error(value=text)
    elif len(sources) > limits.REDRIVE_SOURCES:
        raise TOO_MANY_SOURCES.error(value=text)


def _receives(text: str, value: object) -> int:
    count = int(str(value)) if _NUMBER.fullmatch(str(value)) else 0
    if not 1 <= count <= limits.RECEIVES_MOST:
        raise MAX_RECEIVES_RANGE.error(value=text, count=value)
    return count
