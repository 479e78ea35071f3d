"""Ending deliveries: acks, and copies where a message must change, wait or go elsewhere.

A copy is sent first, and the delivery acked only when the server has it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from cloudq.brokers.rabbitmq.frames import Properties
from cloudq.brokers.rabbitmq.holdings import Held
from cloudq.brokers.rabbitmq.messages import copied, read, received_before
from cloudq.brokers.rabbitmq.publisher import UNROUTABLE, Publication
from cloudq.brokers.rabbitmq.receiver import Receiver
from cloudq.brokers.rabbitmq.sender import Sender
from cloudq.brokers.rabbitmq.streams import Stream
from cloudq.clock import Clock
from cloudq.delivery import Accepted, Answer, Delivery, Lost, Reason, Release, Sent, Settled, Unknown
from cloudq.errors import BrokerError, QueueNotFoundError
from cloudq.queues import dead_letter_name

__all__ = ["Settler"]

_Begun = Mapping[Stream, Sequence[tuple[int, Held]]]
"""What is being settled of each stream, with the place of its answer."""


class Settler:
    """Ends leases.

    Args:
        receiver: Where the leases are.
        sender: What sends copies.
        clock: Time.
        is_counting: Whether the server counts what is given back, as it does in quorum queues.
    """

    def __init__(self, receiver: Receiver, sender: Sender, clock: Clock, *, is_counting: bool) -> None:
        self._receiver = receiver
        self._sender = sender
        self._clock = clock
        self._is_counting = is_counting

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        """As `Broker.ack`. The server doesn't answer: what a lost connection swallows, it delivers again."""
        answers, begun = self._begin(deliveries)
        self._finish(begun, answers, Stream.ack)
        return answers

    def extend(self, leases: Sequence[tuple[Delivery, float]]) -> list[Answer]:
        """As `Broker.extend`. The server isn't asked: a lease is ours to measure."""
        answers: list[Answer] = []
        for delivery, lease in leases:
            found = self._receiver.find(delivery.receipt)
            is_held = found is not None and found[0].extend(found[1], lease)
            answers.append(Settled() if is_held else Lost())
        self._receiver.plan()
        return answers

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        """As `Broker.release`."""
        for release in releases:
            if release.body is not None:
                self._sender.check_size(release.delivery.queue, release.body)
        answers, begun = self._begin([release.delivery for release in releases])
        back = _those(begun, lambda index: self._goes_back(releases[index]))
        self._finish(back, answers, Stream.release)
        changed = _those(begun, lambda index: not self._goes_back(releases[index]))
        for stream in _those(changed, lambda index: releases[index].delay <= 0):
            stream.rest()
        self._copy(
            changed, answers, lambda index, stream, held: self._released(stream, held, releases[index])
        )
        return answers

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        """As `Broker.dead_letter`."""
        answers, begun = self._begin([delivery for delivery, _ in dead])
        self._copy(begun, answers, lambda index, stream, held: self._buried(stream, held, dead[index][1]))
        return answers

    def return_copies(self, stream: Stream, expired: Sequence[Held]) -> None:
        """Give back, counted, what has outlived its lease: the server doesn't count."""
        answers: list[Answer] = [Lost()] * len(expired)
        begun = {stream: list(enumerate(expired))}
        self._copy(begun, answers, lambda _, stream, held: self._released(stream, held, None))

    def _begin(self, deliveries: Sequence[Delivery]) -> tuple[list[Answer], _Begun]:
        named: dict[Stream, list[tuple[int, int]]] = defaultdict(list)
        for index, delivery in enumerate(deliveries):
            if (found := self._receiver.find(delivery.receipt)) is not None:
                stream, tag = found
                named[stream].append((index, tag))
        begun: dict[Stream, list[tuple[int, Held]]] = {}
        for stream, mine in named.items():
            left = stream.leave([tag for _, tag in mine])
            begun[stream] = [
                (index, held) for (index, _), held in zip(mine, left, strict=True) if held is not None
            ]
        return [Lost()] * len(deliveries), begun

    def _finish(
        self,
        begun: _Begun,
        answers: list[Answer],
        end: Callable[[Stream, Sequence[int]], None],
    ) -> None:
        for stream, mine in begun.items():
            try:
                end(stream, [held.tag for _, held in mine])
                answer: Answer = Settled()
            except BrokerError as error:
                answer = Unknown(str(error))  # the server will deliver it again
            for index, _ in mine:
                answers[index] = answer

    def _copy(
        self,
        begun: _Begun,
        answers: list[Answer],
        make: Callable[[int, Stream, Held], Publication],
    ) -> None:
        each = [(index, stream, held) for stream, mine in begun.items() for index, held in mine]
        if not each:
            return
        try:
            publications = [make(*one) for one in each]
            accepted = self._sender.publish(publications)
            self._check_routable(publications, accepted)
        except BaseException:
            for _, stream, held in each:
                stream.stay([held.tag])
            raise
        sure: dict[Stream, list[tuple[int, Held]]] = defaultdict(list)
        for (index, stream, held), answer in zip(each, accepted, strict=True):
            if isinstance(answer, Sent):
                sure[stream].append((index, held))
            else:
                stream.stay([held.tag])
                answers[index] = Unknown(answer.why)
        self._finish(sure, answers, Stream.ack)

    @staticmethod
    def _check_routable(publications: Sequence[Publication], accepted: Sequence[Accepted]) -> None:
        if not all(answer is UNROUTABLE for answer in accepted):
            return
        key = publications[0].routing_key
        queue = key.rpartition(".")[2] if publications[0].exchange else key
        raise QueueNotFoundError(
            f"There is no queue {queue!r} on RabbitMQ: it was deleted. Declare it again.", queue=queue
        )

    def _goes_back(self, release: Release) -> bool:
        """Whether the server can give it back itself: nothing about it changes but the count."""
        return self._is_counting and release.is_counted and release.delay <= 0 and release.body is None

    def _released(self, stream: Stream, held: Held, release: Release | None) -> Publication:
        properties, count = self._counted(held)
        if release is not None and not release.is_counted:
            count -= 1
        body = held.content.body if release is None or release.body is None else release.body
        delay = 0.0 if release is None else release.delay
        return self._sender.publication(stream.queue, copied(properties, count), body, delay)

    def _buried(self, stream: Stream, held: Held, reason: Reason) -> Publication:
        properties, count = self._counted(held)
        full = replace(reason, queue=stream.queue, receive_count=count, died_at=self._clock.now())
        target = dead_letter_name(stream.queue)
        return self._sender.publication(target, copied(properties, 0, full), held.content.body, 0.0)

    @staticmethod
    def _counted(held: Held) -> tuple[Properties, int]:
        properties = read(held.content)
        return properties, received_before(properties, is_redelivered=held.content.is_redelivered) + 1


def _those(begun: _Begun, is_meant: Callable[[int], bool]) -> _Begun:
    """Those whose answers' places are meant."""
    chosen = {stream: [one for one in mine if is_meant(one[0])] for stream, mine in begun.items()}
    return {stream: mine for stream, mine in chosen.items() if mine}
