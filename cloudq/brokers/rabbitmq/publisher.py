"""Publishing with confirmations: many callers' messages on one channel, each waiting for its own."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Condition, Lock
from typing import Any, NamedTuple

from cloudq.brokers.rabbitmq.connection import Channel, Connection
from cloudq.brokers.rabbitmq.frames import (
    RETURN,
    Confirmation,
    Content,
    content,
    published,
    spec,
)
from cloudq.brokers.rabbitmq.messages import read
from cloudq.brokers.rabbitmq.refusals import RefusedError
from cloudq.delivery import Accepted, NotSent, Sent, Unknown
from cloudq.errors import BrokerUnavailableError

__all__ = ["NO_EXCHANGE", "UNROUTABLE", "Publication", "Publisher"]

UNROUTABLE = NotSent("no queue takes it", retryable=False)
"""For what the server returned; compare by identity."""

NO_EXCHANGE = NotSent("its exchange was deleted; it is declared anew at the next try")
"""For what was published to an exchange that isn't there; compare by identity."""

_REFUSED = NotSent("RabbitMQ refused it: is its queue full or unavailable?")

_WINDOW = 500
"""Messages of one call that may wait for their confirmations while more are sent."""


class Publication(NamedTuple):
    """A message on its way. A tuple, which is made in half of a frozen dataclass's time.

    Args:
        id: The message's id.
        exchange: Where it goes; the empty one leads to the queue that the routing key names.
        routing_key: Where that leads it.
        properties: As they are coded.
        body: Its body.
        mandatory: Whether it is an error that no queue takes it.
    """

    id: str
    exchange: str
    routing_key: str
    properties: bytes
    body: bytes
    mandatory: bool = True


@dataclass(slots=True)
class _Batch:
    """What one call published, and what became of each.

    Args:
        publications: What.
        told: Notified once no more than `enough` are left, or none will be answered any more.
    """

    publications: Sequence[Publication]
    told: Condition
    answers: list[Accepted | None] = field(init=False)
    left: int = field(init=False)
    enough: int = 0

    def __post_init__(self) -> None:
        self.left = len(self.publications)
        self.answers = [None] * self.left

    def settle(self, index: int, answer: Accepted) -> None:
        if self.answers[index] is None:
            self.answers[index] = answer
        self.left -= 1
        if self.left == self.enough:
            self.told.notify()


class Publisher:
    """Publishes and makes calls, on a connection that is opened when it is needed.

    It has one of its own: a server that is short of memory stops reading from those who publish, and acks
    must get through all the same.

    Args:
        connect: Makes a connection.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._calling = Lock()
        self._opening = Lock()
        self._sending = Lock()
        self._connection: Connection | None = None
        self._calls: Channel | None = None
        self._confirmed: Channel | None = None
        self._next_tag = 1
        self._pending: dict[int, tuple[_Batch, int]] = {}

    def publish(self, publications: Sequence[Publication]) -> list[Accepted]:
        """Publish, and wait until the server has taken or refused each.

        Raises:
            BrokerUnavailableError: The server can't be reached; nothing was sent.
        """
        if not publications:
            return []
        channel, connection = self._channel()
        batch = _Batch(publications, connection.condition())
        if connection.blocked is not None:
            connection.wait(lambda: connection.blocked is None or None, "room for messages")
        try:
            for start in range(0, len(publications), _WINDOW):
                self._write(channel, connection, batch, start)
                unsent = max(0, len(publications) - start - _WINDOW)
                batch.enough = unsent + _WINDOW if unsent else 0
                connection.wait(
                    lambda: batch.left <= batch.enough or channel.refusal is not None or None,
                    "a confirmation",
                    told=batch.told,
                )
        except (BrokerUnavailableError, RefusedError) as error:
            return self._give_up(batch, error)
        if _REFUSED in batch.answers:
            self._change(channel, connection)
        return self._give_up(batch, channel.refusal)

    def call(self, method: Any) -> Any:
        """Make a call that concerns no message.

        Raises:
            RefusedError: The server refused it.
            BrokerUnavailableError: It can't be reached, or didn't answer.
        """
        # Race: a refusal closes the channel, and would be told to whoever is about to make a call there.
        with self._calling:
            with self._opening:
                connection = self._open()
                if self._calls is None or not self._calls.is_open:
                    self._calls = connection.channel()
                channel = self._calls
            return channel.call(method)

    def channel(self) -> Channel:
        """A channel of the caller's own."""
        with self._opening:
            return self._open().channel()

    def close(self) -> None:
        """Let go of the connection."""
        with self._opening:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> Connection:
        if self._connection is None or self._connection.failure is not None:
            self._connection = self._connect()
            self._calls = self._confirmed = None
        return self._connection

    def _channel(self) -> tuple[Channel, Connection]:
        with self._opening:
            connection = self._open()
            if self._confirmed is None or not self._confirmed.is_open:
                channel = connection.channel()
                channel.call(spec.Confirm.Select())
                with self._sending:
                    self._confirmed, self._next_tag, self._pending = channel, 1, {}
                    pending = self._pending
                channel.on_confirmation = functools.partial(_confirm, pending)
                channel.on_content = functools.partial(_return, pending)
                channel.on_end = functools.partial(_end, pending)
            return self._confirmed, connection

    def _change(self, channel: Channel, connection: Connection) -> None:
        """Publish on another channel from now on, unless somebody waits for a confirmation on this one.

        What RabbitMQ 3.10 refused on a channel, as a quorum queue was full, it refuses there even after the
        policy's limit was lifted, until the queue is all but empty; not on a new one. Seen 2026-11.
        """
        with self._opening, self._sending, connection.changed:
            if channel is not self._confirmed or self._pending:
                return
            self._confirmed = None
        if channel.is_open:
            with contextlib.suppress(BrokerUnavailableError, RefusedError):
                channel.close()

    def _write(self, channel: Channel, connection: Connection, batch: _Batch, start: int) -> None:
        part = batch.publications[start : start + _WINDOW]
        heads = {(one.exchange, one.routing_key, one.mandatory) for one in part}
        framed = {head: published(channel.number, head[0], head[1], mandatory=head[2]) for head in heads}
        frame_max = connection.frame_max
        pieces: list[bytes] = []
        for one in part:
            pieces.append(framed[one.exchange, one.routing_key, one.mandatory])
            pieces.append(content(channel.number, one.properties, one.body, frame_max))
        data = b"".join(pieces)
        with self._sending:
            if channel is not self._confirmed:
                raise BrokerUnavailableError("The channel was closed by another message's fault.")
            with connection.changed:
                for index in range(start, start + len(part)):
                    self._pending[self._next_tag] = (batch, index)
                    self._next_tag += 1
            channel.write(data)

    @staticmethod
    def _give_up(batch: _Batch, error: BrokerUnavailableError | RefusedError | None) -> list[Accepted]:
        """The answers; what isn't confirmed may be there all the same, but where there was no way."""
        missing = error.missing_exchange if isinstance(error, RefusedError) else None
        unsure = Unknown(str(error))
        return [
            answer or (NO_EXCHANGE if publication.exchange == missing else unsure)
            for publication, answer in zip(batch.publications, batch.answers, strict=True)
        ]


def _confirm(pending: dict[int, tuple[_Batch, int]], told: Confirmation) -> None:
    tags = list(itertools.takewhile(lambda tag: tag <= told.tag, pending)) if told.is_multiple else [told.tag]
    answer = Sent() if told.is_positive else _REFUSED
    for tag in tags:
        if (found := pending.pop(tag, None)) is not None:
            batch, index = found
            batch.settle(index, answer)


def _end(pending: dict[int, tuple[_Batch, int]]) -> None:
    """No answers come any more."""
    for batch, _ in pending.values():
        batch.told.notify()


def _return(pending: dict[int, tuple[_Batch, int]], returned: Content) -> None:
    """A message that no queue takes. Its confirmation follows; the oldest of its id is meant."""
    if returned.kind != RETURN:
        return
    message_id = read(returned).id
    for batch, index in pending.values():
        if batch.publications[index].id == message_id and batch.answers[index] is None:
            batch.answers[index] = UNROUTABLE
            return
