"""What a queue is called on AWS: the app's prefix and its own name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudq.errors import ConfigurationError
from cloudq.queues import FIFO_SUFFIX

__all__ = ["Names", "named_in"]

LONGEST_NAME = 80
"""Characters, `.fifo` included. Source: SQS API Reference, CreateQueue, read 2026-11."""

_NAME = re.compile(r"[A-Za-z0-9_-]+(\.fifo)?")


@dataclass(frozen=True, slots=True)
class Names:
    """Translates between cloudq's names and AWS's.

    Args:
        prefix: What every queue's name on AWS begins with.
    """

    prefix: str = ""

    def full(self, queue: str) -> str:
        """The name on AWS.

        Raises:
            ConfigurationError: AWS can't have a queue of this name.
        """
        name = self.prefix + queue
        if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"SQS can't have a queue named {name!r}: use at most {LONGEST_NAME} letters, digits, '-' and "
                f"'_', the prefix {self.prefix!r} included, and '.fifo' at the end of a FIFO queue's."
            )
        return name

    def topic(self, topic: str) -> str:
        """A topic's name on AWS, which knows no dots; two hyphens, which no topic has here, stand for one."""
        stem = topic.removesuffix(FIFO_SUFFIX)
        return self.prefix + stem.replace(".", "--") + topic[len(stem) :]

    def short(self, full: str) -> str:
        """The name in cloudq."""
        return full.removeprefix(self.prefix)


def named_in(params: Mapping[str, Any]) -> str:
    """The name on AWS of the queue or topic that a request is about; empty where it is about none."""
    if "TopicArn" in params:
        return str(params["TopicArn"]).rpartition(":")[2]
    if "QueueUrl" in params:
        return str(params["QueueUrl"]).rpartition("/")[2]
    return str(params.get("QueueName", params.get("Name", "")))
