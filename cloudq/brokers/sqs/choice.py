"""Which transport carries requests: our own, or boto3 where what is configured is its business."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import Transport
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.clock import SystemClock
from cloudq.config import environment
from cloudq.processes import PerProcess, unforked

__all__ = ["ChosenTransport"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Holder:
    transport: Transport | None = None


class ChosenTransport:
    """Chooses at the first request of each process, when the environment is what it will be.

    Args:
        url: Where the queues are.
    """

    def __init__(self, url: SqsUrl) -> None:
        self._url = url
        self._holders = PerProcess(_Holder)

    @property
    def endpoint(self) -> str:
        return self._transport().endpoint

    @property
    def region(self) -> str:
        return self._transport().region

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        return self._transport().call(operation, **params)

    def close(self) -> None:
        holder = self._holders.get()
        with unforked:
            transport, holder.transport = holder.transport, None
        if transport is not None:
            transport.close()

    def _transport(self) -> Transport:
        holder = self._holders.get()
        transport = holder.transport
        if transport is None:
            with unforked:
                transport = holder.transport = holder.transport or _choose(self._url)
        return transport


def _choose(url: SqsUrl) -> Transport:
    from cloudq.brokers.sqs.boto_place import place_by_botocore
    from cloudq.brokers.sqs.lean.places import in_environment, unusual
    from cloudq.brokers.sqs.lean.snapshots import after_restore
    from cloudq.brokers.sqs.lean.transport import LeanTransport

    if (name := unusual(environment)) is not None:
        logger.debug(
            "requests to SQS go through boto3, which knows what to do about %s",
            name,
            extra={"action": "boto3_chosen"},
        )
        return BotoTransport(url)
    # Not the app's clock, which may be an emulator's or a test's: AWS compares it with the time.
    clock = SystemClock()
    boto = BotoTransport(url)
    place = in_environment(url, environment, clock) or place_by_botocore(boto)
    if place is None:
        logger.debug(
            "requests to SQS go through boto3, which AWS's configuration files ask for",
            extra={"action": "boto3_chosen"},
        )
        return boto
    lean = LeanTransport(place, Names(url.prefix), clock)
    after_restore(lean.forget)
    return lean
