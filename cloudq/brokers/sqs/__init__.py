"""Queues on SQS, or on anything that speaks its protocol.

| module | what it does |
|---|---|
| `broker` | the `Broker`, put together from the others |
| `urls`, `names`, `addresses` | the broker's URL, the queues' names on AWS, their URLs there |
| `transport`, `choice` | the seam to HTTP, and which of two stands behind it |
| `lean`, `boto`, `boto_place` | our own client, boto3, and what it finds for ours |
| `refusals`, `boto_errors` | what SQS's and botocore's errors mean |
| `entries`, `packing`, `commit` | a message in a request, what goes into a batch, threads that share one |
| `batches`, `send` | a batch and its answers, sending |
| `deliveries`, `receipts` | what comes, and the proof of its lease |
| `requests`, `polls`, `receive` | one request for messages, long polls of several queues, receiving |
| `troubles` | queues that can't be received from, beside others that can |
| `topics` | SNS's topics, and what is published to them |
| `settle`, `release`, `dead_letters` | ends of leases, copies with a delay, giving up |
| `copies_taken` | which copies need no second sending |
| `delays`, `reasons`, `text` | SQS's limits of time, a reason as an attribute, characters that travel |
| `creation`, `inspection` | making queues; counting, naming, purging |
"""

from __future__ import annotations

from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.broker import SqsBroker
from cloudq.brokers.sqs.choice import ChosenTransport
from cloudq.brokers.sqs.transport import Transport
from cloudq.brokers.sqs.urls import parse
from cloudq.clock import Clock

__all__ = ["SqsBroker", "connect"]


def connect(url: str, *, clock: Clock, create_queues: bool | None = None) -> SqsBroker:
    """Make a broker; it connects with its first request.

    Args:
        url: `sqs://[region][?prefix=…&endpoint=…&transport=boto3]`. Credentials, and what the URL leaves out,
            come by boto3's own chain, `AWS_ENDPOINT_URL` included.
        clock: Time.
        create_queues: Whether queues that are missing are made; None: on a loopback endpoint only.

    Raises:
        ConfigurationError: The URL isn't of that shape.
    """
    place = parse(url)
    transport: Transport = BotoTransport(place) if place.transport == "boto3" else ChosenTransport(place)
    return SqsBroker(
        transport,
        sns=BotoTransport(place, "sns"),
        sts=BotoTransport(place, "sts"),
        clock=clock,
        prefix=place.prefix,
        create_queues=create_queues,
    )
