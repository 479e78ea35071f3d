"""Ending deliveries: acks, and copies where a message must change, wait or go elsewhere.

A copy is sent first, and the delivery acked only when the server has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

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

T = TypeVar("T")

_Begun = tuple[int, Stream, Held]
"""The place of its answer, and what is being settled."""


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
        back = [one for one in begun if self._goes_back(releases[one[0]])]
        self._finish(back, answers, Stream.release)
        changed = [one for one in begun if not self._goes_back(releases[one[0]])]
        for stream in {one[1] for one in changed if releases[one[0]].delay <= 0}:
            stream.rest()
        self._copy(changed, answers, lambda one: self._released(one, releases[one[0]]))
        return answers

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        """As `Broker.dead_letter`."""
        answers, begun = self._begin([delivery for delivery, _ in dead])
        self._copy(begun, answers, lambda one: self._buried(one, dead[one[0]][1]))
        return answers

    def return_copies(self, stream: Stream, expired: Sequence[Held]) -> None:
        """Give back, counted, what has outlived its lease: the server doesn't count."""
        begun: list[_Begun] = [(index, stream, held) for index, held in enumerate(expired)]
        answers: list[Answer] = [Lost()] * len(begun)
        self._copy(begun, answers, lambda one: self._released(one, None))

    def _begin(self, deliveries: Sequence[Delivery]) -> tuple[list[Answer], list[_Begun]]:
        answers: list[Answer] = [Lost()] * len(deliveries)
        begun: list[_Begun] = []
        for index, delivery in enumerate(deliveries):
            if (found := self._receiver.find(delivery.receipt)) is None:
                continue
            stream, tag = found
            if (held := stream.leave(tag)) is not None:
                begun.append((index, stream, held))
        return answers, begun

    def _finish(
        self,
        begun: Sequence[_Begun],
        answers: list[Answer],
        end: Callable[[Stream, Sequence[int]], None],
    ) -> None:
        for stream in {id(one): one for _, one, _ in begun}.values():
            mine = [(index, held) for index, other, held in begun if other is stream]
            try:
                end(stream, [held.tag for _, held in mine])
                answer: Answer = Settled()
            except BrokerError as error:
                answer = Unknown(str(error))  # the server will deliver it again
            for index, _ in mine:
                answers[index] = answer

    def _copy(
        self,
        begun: Sequence[_Begun],
        answers: list[Answer],
        make: Callable[[_Begun], Publication],
    ) -> None:
        if not begun:
            return
        try:
            publications = [make(one) for one in begun]
            accepted = self._sender.publish(publications)
            self._check_routable(publications, accepted)
        except BaseException:
            for _, stream, held in begun:
                stream.stay([held.tag])
            raise
        sure: list[_Begun] = []
        for one, answer in zip(begun, accepted, strict=True):
            if isinstance(answer, Sent):
                sure.append(one)
            else:
                one[1].stay([one[2].tag])
                answers[one[0]] = Unknown(answer.why)
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

    def _released(self, one: _Begun, release: Release | None) -> Publication:
        _, stream, held = one
        properties, count = self._counted(held)
        if release is not None and not release.is_counted:
            count -= 1
        body = held.content.body if release is None or release.body is None else release.body
        delay = 0.0 if release is None else release.delay
        return self._sender.publication(stream.queue, copied(properties, count), body, delay)

    def _buried(self, one: _Begun, reason: Reason) -> Publication:
        _, stream, held = one
        properties, count = self._counted(held)
        full = replace(reason, queue=stream.queue, receive_count=count, died_at=self._clock.now())
        target = dead_letter_name(stream.queue)
        return self._sender.publication(target, copied(properties, 0, full), held.content.body, 0.0)

    @staticmethod
    def _counted(held: Held) -> tuple[Properties, int]:
        properties = read(held.content)
        return properties, received_before(properties, is_redelivered=held.content.is_redelivered) + 1
