"""A queue's attributes: checked once, kept typed, written back as SQS writes them.

Names, ranges and defaults: Amazon SQS API Reference, SetQueueAttributes, read 2026-11.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.engine.redrive import RedriveAllowPolicy, RedrivePolicy
from cloudq_emulator.sqs.refusals import (
    INVALID_ATTRIBUTE_VALUE,
    ONE_ENCRYPTION,
    THROUGHPUT_NEEDS_SCOPE,
    UNKNOWN_ATTRIBUTE,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_NUMBER: Final = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Settings:
    """The attributes that a queue's owner sets; durations in seconds."""

    lease: int = limits.LEASE_DEFAULT
    delay: int = 0
    retention: int = limits.RETENTION_DEFAULT
    size_bytes: int = limits.MESSAGE_BYTES
    wait: int = 0
    policy: str = ""
    redrive: RedrivePolicy | None = None
    redrive_allow: RedriveAllowPolicy | None = None
    kms_key: str = ""
    kms_reuse: int = 300
    is_encrypted: bool = True
    is_fifo: bool = False
    is_deduplicated_by_content: bool = False
    deduplication_scope: str = "queue"
    throughput_limit: str = "perQueue"

    def changed(self, attributes: Mapping[str, Any]) -> Settings:
        """These settings with `attributes`, as a request has them, put over them.

        Raises:
            SqsError: An attribute that doesn't exist or can't have that value.
        """
        changes: dict[str, Any] = {}
        for name, value in attributes.items():
            row = _ROWS.get(name)
            if row is None:
                raise UNKNOWN_ATTRIBUTE.error(name=name)
            changes[row.field] = row.read(name, _text(value))
        # A key of one's own takes the place of SQS's, and the other way round; only one can be in force.
        if changes.get("kms_key"):
            if changes.get("is_encrypted"):
                raise ONE_ENCRYPTION.error()
            changes["is_encrypted"] = False
        elif changes.get("is_encrypted"):
            changes["kms_key"] = ""
        return dataclasses.replace(self, **changes)

    def check(self) -> None:
        """Check that the attributes go together.

        Raises:
            SqsError: They don't.
        """
        if self.throughput_limit == "perMessageGroupId" and self.deduplication_scope != "messageGroup":
            raise THROUGHPUT_NEEDS_SCOPE.error()

    def written(self, name: str) -> str | None:
        """One attribute as SQS writes it; None where it doesn't show it."""
        row = _ROWS[name]
        if row.is_fifo_only and not self.is_fifo:
            return None
        value = getattr(self, row.field)
        return None if row.is_hidden(value) else row.write(value)


@dataclass(frozen=True, slots=True)
class _Row:
    """How one attribute is read and written, and when it isn't shown."""

    field: str
    read: Callable[[str, str], Any]
    write: Callable[[Any], str] = str
    is_hidden: Callable[[Any], bool] = lambda _: False
    is_fifo_only: bool = False


def _text(value: object) -> str:
    """A value as the wire has it; CloudFormation's come as numbers, booleans and maps."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _integer(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
            raise INVALID_ATTRIBUTE_VALUE.error(name=name)
        return int(text)

    return read


def _choice(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            raise INVALID_ATTRIBUTE_VALUE.error(name=name)
        return text

    return read


def _boolean(name: str, text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise INVALID_ATTRIBUTE_VALUE.error(name=name)
    return text.lower() == "true"


def _policy(name: str, text: str) -> str:
    try:
        if text and not isinstance(orjson.loads(text), dict):
            raise INVALID_ATTRIBUTE_VALUE.error(name=name)
    except ValueError:
        raise INVALID_ATTRIBUTE_VALUE.error(name=name) from None
    return text


def _write_boolean(value: bool) -> str:  # noqa: FBT001 - a value, not a flag
    return "true" if value else "false"


def _is_empty(value: object) -> bool:
    return not value


def _number(field: str, least: int, most: int) -> _Row:
    return _Row(field, _integer(least, most))


_ROWS: Final[dict[str, _Row]] = {
    "VisibilityTimeout": _number("lease", 0, limits.LEASE),
    "DelaySeconds": _number("delay", 0, limits.DELAY),
    "MessageRetentionPeriod": _number("retention", limits.RETENTION_LEAST, limits.RETENTION_MOST),
    "MaximumMessageSize": _number("size_bytes", limits.MESSAGE_BYTES_LEAST, limits.MESSAGE_BYTES),
    "ReceiveMessageWaitTimeSeconds": _number("wait", 0, limits.WAIT),
    "Policy": _Row("policy", _policy, is_hidden=_is_empty),
    "RedrivePolicy": _Row("redrive", RedrivePolicy.read, RedrivePolicy.write, _is_empty),
    "RedriveAllowPolicy": _Row("redrive_allow", RedriveAllowPolicy.read, RedriveAllowPolicy.write, _is_empty),
    "KmsMasterKeyId": _Row("kms_key", lambda _, text: text, is_hidden=_is_empty),
    "KmsDataKeyReusePeriodSeconds": _number("kms_reuse", limits.KMS_REUSE_LEAST, limits.KMS_REUSE_MOST),
    "SqsManagedSseEnabled": _Row("is_encrypted", _boolean, _write_boolean),
    "FifoQueue": _Row("is_fifo", _boolean, _write_boolean, is_fifo_only=True),
    "ContentBasedDeduplication": _Row(
        "is_deduplicated_by_content", _boolean, _write_boolean, is_fifo_only=True
    ),
    "DeduplicationScope": _Row("deduplication_scope", _choice("queue", "messageGroup"), is_fifo_only=True),
    "FifoThroughputLimit": _Row(
        "throughput_limit", _choice("perQueue", "perMessageGroupId"), is_fifo_only=True
    ),
}

SETTABLE: Final = tuple(_ROWS)
"""Names of the attributes that may be set."""

FIFO_ONLY: Final = frozenset(name for name, row in _ROWS.items() if row.is_fifo_only)
"""Names of those that a standard queue doesn't have."""
