"""Topics are SNS's: a queue subscribes to one, and SNS puts a copy of what is published into it, as it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from cloudq.brokers.sqs.addresses import Addresses
from cloudq.brokers.sqs.batches import Answered, request_batch
from cloudq.brokers.sqs.commit import GroupCommit
from cloudq.brokers.sqs.entries import Entry, entry_of, size_bytes
from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.send import submit
from cloudq.brokers.sqs.transport import Transport
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Outgoing
from cloudq.errors import MessageTooLargeError, QueueNotFoundError
from cloudq.processes import PerProcess
from cloudq.queues import FIFO_SUFFIX, Queue

__all__ = ["MAX_TOPIC_BYTES", "Topics"]

MAX_TOPIC_BYTES = 262_144
"""Of one message and of a batch, attributes included, unless the topic's `MaximumMessageSize` says otherwise.
Source: SNS API Reference, Publish and PublishBatch, read 2026-11."""


class Topics:
    """Makes topics, subscribes queues, publishes.

    Args:
        transport: What carries requests to SQS.
        sns: What carries those to SNS.
        sts: What says whose account this is.
        addresses: Where the queues are.
        names: What topics are called on AWS.
        clock: What measures pauses.
        makes: Whether topics are made here; a template does it elsewhere.
    """

    def __init__(
        self,
        transport: Transport,
        sns: Transport,
        sts: Transport,
        *,
        addresses: Addresses,
        names: Names,
        clock: Clock,
        makes: Callable[[], bool],
    ) -> None:
        self._transport, self._sns, self._sts = transport, sns, sts
        self._addresses, self._names, self._clock = addresses, names, clock
        self._makes = makes
        self._arns: dict[str, str] = {}
        self._commits = PerProcess(dict[str, GroupCommit])

    def subscribe(self, queue: Queue) -> None:
        """Let a queue that is there have copies of what is published to its topics."""
        if not queue.topics:
            return
        url = self._addresses.of(queue.name)
        asked = self._transport.call(
            "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn", "Policy"]
        )["Attributes"]
        self._arns.update({topic: self._make(topic) for topic in queue.topics})
        arns = [self._arns[topic] for topic in queue.topics]
        policy = _allowing(asked.get("Policy"), asked["QueueArn"], arns)
        if policy is not None:
            self._transport.call("SetQueueAttributes", QueueUrl=url, Attributes={"Policy": policy})
        for arn in arns:
            self._sns.call(
                "Subscribe",
                TopicArn=arn,
                Protocol="sqs",
                Endpoint=asked["QueueArn"],
                Attributes={"RawMessageDelivery": "true"},
            )

    def publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        """As `Broker.publish`."""
        # SNS holds nothing back, and knows no system attributes.
        prompt = [message._replace(delay=0.0) for message in messages]
        _check_sizes(topic, prompt)
        return submit(topic, prompt, self._commit(topic), _entry) if prompt else []

    def close(self) -> None:
        """Let go of idle connections."""
        self._sns.close()
        self._sts.close()

    def _commit(self, topic: str) -> GroupCommit:
        arn = self._arn(topic)
        commits = self._commits.get()
        if topic not in commits:
            commit = GroupCommit(lambda entries: self._send_batch(topic, arn, entries), MAX_TOPIC_BYTES)
            commits.setdefault(topic, commit)
        return commits[topic]

    def _send_batch(self, topic: str, arn: str, entries: list[Entry]) -> list[Answered]:
        def request(named: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
            try:
                return self._sns.call("PublishBatch", TopicArn=arn, PublishBatchRequestEntries=list(named))
            except QueueNotFoundError:
                self._arns.pop(topic, None)  # deleted: where topics are made, the next try makes it anew
                raise

        return request_batch(request, self._clock, "PublishBatch", [entry.fields for entry in entries])

    def _arn(self, topic: str) -> str:
        if topic not in self._arns:
            self._arns[topic] = self._make(topic) if self._makes() else self._guess(topic)
        return self._arns[topic]

    def _make(self, topic: str) -> str:
        """Make it, unless it is there."""
        fifo = {"Attributes": {"FifoTopic": "true"}} if topic.endswith(FIFO_SUFFIX) else {}
        made = self._sns.call("CreateTopic", Name=self._names.topic(topic), **fifo)
        return made["TopicArn"]

    def _guess(self, topic: str) -> str:
        """Its ARN, made up: SNS tells nobody an ARN who may not make or list topics."""
        partition, account = self._sts.call("GetCallerIdentity")["Arn"].split(":")[1:5:3]
        return f"arn:{partition}:sns:{self._transport.region}:{account}:{self._names.topic(topic)}"


def _entry(topic: str, message: Outgoing) -> Entry:
    entry = entry_of(topic, message)
    fields = {name: value for name, value in entry.fields.items() if name != "MessageSystemAttributes"}
    fields["Message"] = fields.pop("MessageBody")
    return replace(entry, fields=fields)


def _allowing(policy: str | None, queue: str, topics: Sequence[str]) -> str | None:
    """A queue's policy by which these topics may send to it; None where it says so already."""
    told: dict[str, Any] = json.loads(policy) if policy else {"Version": "2012-10-17", "Statement": []}
    known = {statement.get("Sid") for statement in told["Statement"]}
    missing = [topic for topic in topics if _sid(topic) not in known]
    if not missing:
        return None
    for topic in missing:
        told["Statement"].append(
            {
                "Sid": _sid(topic),
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        )
    return json.dumps(told)


def _sid(topic: str) -> str:
    # Letters and digits alone. Source: IAM User Guide, policy elements, Sid, read 2026-11.
    return "CloudqTopic" + topic.rpartition(":")[2].encode().hex()


def _check_sizes(topic: str, messages: Sequence[Outgoing]) -> None:
    for message in messages:
        if (size := size_bytes(message)) > MAX_TOPIC_BYTES:
            raise MessageTooLargeError(
                f"Message {message.id} for topic {topic!r} has {size:,} bytes, attributes included; SNS "
                f"takes {MAX_TOPIC_BYTES:,}. Send a reference to the data, or set claim_checks.",
                queue=None,
                size_bytes=size,
                limit_bytes=MAX_TOPIC_BYTES,
            )
