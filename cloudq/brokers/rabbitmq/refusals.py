"""What RabbitMQ's refusals mean, and what to do about each."""

from __future__ import annotations

import re

from cloudq.brokers.rabbitmq.urls import Address
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError, QueueNotFoundError

__all__ = ["NOT_FOUND", "RefusedError", "meaning"]

# Source: AMQP 0-9-1 reference, reply codes, read 2026-11.
_ACCESS_REFUSED, NOT_FOUND, _RESOURCE_LOCKED, _PRECONDITION_FAILED = 403, 404, 405, 406


class RefusedError(BrokerError):
    """The server closed a channel.

    Args:
        code: The protocol's.
        text: The server's words.
        address: The server.
    """

    def __init__(self, code: int, text: str, address: Address) -> None:
        hint = f" User {address.user!r} needs permission to configure, write and read."
        told = f"RabbitMQ at {address} refused: {code} {text}."
        super().__init__(told + hint if code == _ACCESS_REFUSED else told)
        self.code = code
        self.text = text
        self.address = address

    @property
    def missing_exchange(self) -> str | None:
        """The exchange that isn't there; None where it refused for another reason."""
        found = re.search(r"no exchange '([^']*)'", self.text) if self.code == NOT_FOUND else None
        return None if found is None else found[1]


def meaning(refused: RefusedError, queue: str) -> BrokerError | ConfigurationError:
    """What to raise for a refusal that concerns a queue."""
    where, text = refused.address, refused.text
    if (exchange := refused.missing_exchange) is not None:
        return BrokerUnavailableError(
            f"There is no exchange {exchange!r} on RabbitMQ at {where}: it was deleted. It is declared anew "
            "at the next try.",
            queue=queue,
        )
    if refused.code == NOT_FOUND:
        return QueueNotFoundError(
            f"There is no queue {queue!r} on RabbitMQ at {where}: declare it first.", queue=queue
        )
    if refused.code == _PRECONDITION_FAILED and "inequivalent arg" in text:
        return ConfigurationError(
            f"Queue {queue!r} is on RabbitMQ at {where} with other arguments ({text}). Arguments can't be "
            "changed: delete it there, name it differently, or see ?queue_type= in broker_url."
        )
    if refused.code == _ACCESS_REFUSED:
        return ConfigurationError(
            f"User {where.user!r} may not do that with queue {queue!r} on RabbitMQ at {where} ({text}): it "
            "needs permission to configure, write and read it."
        )
    if refused.code == _RESOURCE_LOCKED:
        return ConfigurationError(f"Queue {queue!r} on RabbitMQ at {where} is another's own: {text}.")
    return BrokerError(f"RabbitMQ at {where} refused, queue {queue!r}: {refused.code} {text}.", queue=queue)
