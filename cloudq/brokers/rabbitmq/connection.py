"""A connection to RabbitMQ: a thread reads, any thread writes and waits for answers."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable
from itertools import count
from threading import Condition, Lock, RLock, Thread
from typing import Any

from cloudq.brokers.rabbitmq.frames import (
    HEARTBEAT,
    Answer,
    Confirmation,
    Content,
    FrameReader,
    ProtocolError,
    called,
    spec,
)
from cloudq.brokers.rabbitmq.handshake import Handshake
from cloudq.brokers.rabbitmq.refusals import RefusedError
from cloudq.brokers.rabbitmq.sockets import dial
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.clock import Clock
from cloudq.errors import BrokerUnavailableError, CloudqError

__all__ = ["Channel", "Connection"]

logger = logging.getLogger(__name__)

_GOODBYE = 1.0
"""Seconds that a server is given to answer a close."""


class Channel:
    """One channel: a line of calls and answers on a connection.

    Its callbacks run in the reading thread, which holds the connection's `changed`: they must not wait.

    Args:
        connection: Whose.
        number: Its number.
    """

    def __init__(self, connection: Connection, number: int) -> None:
        self._connection = connection
        self.number = number
        self.refusal: RefusedError | None = None
        """Why the server closed it; None as long as it is open."""
        self.on_content: Callable[[Content], None] | None = None
        self.on_confirmation: Callable[[Confirmation], None] | None = None
        self.on_cancel: Callable[[], None] | None = None
        self.on_end: Callable[[], object] = lambda: None
        self.answers: deque[Any] = deque()
        self._calling = Lock()
        self._is_closed = False

    @property
    def is_open(self) -> bool:
        return not self._is_closed and self.refusal is None and self._connection.failure is None

    def call(self, method: Any) -> Any:
        """Make a call and wait for its answer: pika's method, or a `Content` that was got.

        Raises:
            RefusedError: The server closed the channel over it.
            BrokerUnavailableError: The connection is lost, or no answer came in time.
        """
        with self._calling:
            self.answers.clear()
            self.write(called(self.number, method))
            return self._connection.wait(lambda: self._answer(), f"an answer to {method.NAME}")  # noqa: PLW0108

    def close(self) -> None:
        """Let go of it; what was delivered and not acked returns to its queue. Raises as `call`."""
        self._is_closed = True
        self.call(spec.Channel.Close(200, "goodbye", 0, 0))
        self._connection.forget(self.number)

    def write(self, data: bytes) -> None:
        """Send frames that were made for this channel; as `call`."""
        if self.refusal is not None:
            raise self.refusal
        self._connection.write(data)

    def _answer(self) -> Any:
        if self.answers:
            return self.answers.popleft()
        if self.refusal is not None:
            raise self.refusal
        return None


class Connection:
    """A connection and the thread that reads it.

    Args:
        address: Where to.
        clock: Time.
        name: What the server's lists call it.
        tick: Called by the reading thread, without locks: at once, after each `wake`, and when it wants to be
            called again, which it says.

    Raises:
        BrokerUnavailableError: The server can't be reached.
        ConfigurationError: It refuses the user or the virtual host.
    """

    def __init__(
        self, address: Address, clock: Clock, name: str, tick: Callable[[float], float] | None = None
    ) -> None:
        self.address = address
        self._lock = RLock()
        self.changed = Condition(self._lock)
        """Guards what the reading thread changes, and wakes those who wait for it."""
        self.failure: CloudqError | None = None
        """Why it can't be used any more."""
        self.blocked: str | None = None
        """Why the server takes no messages at the moment."""
        self._clock = clock
        self._tick = tick
        self._tick_at = float("inf")
        self._must_tick = tick is not None
        self._channels: dict[int, Channel] = {}
        self._reader = FrameReader()
        self._heard_at = self._said_at = clock.monotonic()
        self._wire = dial(address, clock)
        self._handshake = Handshake(address, f"cloudq {name} {os.getpid()}")
        try:
            self._begin()
        except BaseException as error:
            self._wire.close()
            if isinstance(error, OSError):
                raise BrokerUnavailableError(
                    f"The connection to RabbitMQ at {address} was lost at its beginning ({error}): is this "
                    "its port, and does it want amqps://?"
                ) from error
            raise
        self._thread = Thread(target=self._read, name=f"cloudq-amqp-{name}", daemon=True)
        self._thread.start()

    @property
    def frame_max(self) -> int:
        """Bytes that a frame has at most."""
        return self._handshake.frame_max

    def channel(self) -> Channel:
        """Open a channel.

        Raises:
            BrokerUnavailableError: The connection is lost.
        """
        with self.changed:
            number = next(one for one in count(1) if one not in self._channels)
            channel = self._channels[number] = Channel(self, number)
        channel.call(spec.Channel.Open())
        return channel

    def forget(self, number: int) -> None:
        """A channel was closed: its number is free."""
        with self.changed:
            self._channels.pop(number, None)

    def write(self, data: bytes) -> None:
        """Send frames.

        Raises:
            BrokerUnavailableError: The connection is lost.
        """
        if self.failure is not None:
            raise _anew(self.failure)
        self._said_at = self._clock.monotonic()
        try:
            self._wire.write(data)
        except BrokerUnavailableError as error:
            self._fail(error)
            raise
        except (OSError, ValueError) as error:  # the latter: a selector's, of a socket closed meanwhile
            raise self._fail(self._lost(str(error))) from error

    def condition(self) -> Condition:
        """A condition under the lock of `changed`, for one who isn't woken by whatever comes for others."""
        return Condition(self._lock)

    def wait(
        self,
        find: Callable[[], Any],
        what: str,
        timeout: float | None = None,
        told: Condition | None = None,
    ) -> Any:
        """Wait until `find`, called with `changed` held, brings something.

        Args:
            find: What is waited for; None is nothing.
            what: What that is, for the error's text.
            timeout: Seconds; None takes the address's.
            told: What is notified when it is worth looking; None takes `changed`.

        Raises:
            BrokerUnavailableError: The connection was lost, or it took too long.
        """
        timeout = self.address.timeout if timeout is None else timeout
        deadline = self._clock.monotonic() + timeout
        with self.changed:
            while (found := find()) is None:
                if self.failure is not None:
                    raise _anew(self.failure)
                if self._clock.monotonic() >= deadline:
                    blocked = f"; it takes no messages: {self.blocked}" if self.blocked else ""
                    raise BrokerUnavailableError(
                        f"RabbitMQ at {self.address} gave no sign of {what} in {timeout:g} s{blocked}."
                    )
                self._clock.wait(told or self.changed, deadline)
            return found

    def wake(self) -> None:
        """Let the reading thread call `tick`."""
        self._must_tick = True
        self._wire.wake()

    def close(self) -> None:
        """Say goodbye and let go; what was delivered and not acked returns to its queue."""
        if self.failure is None:
            try:
                self.write(called(0, spec.Connection.Close(200, "goodbye", 0, 0)))
                self.wait(lambda: None, "a goodbye", _GOODBYE)
            except BrokerUnavailableError as error:
                logger.debug("closed: %s", error, extra={"action": "connection_closed"})
        self._fail(self._lost("it was closed"))
        self._thread.join(_GOODBYE)

    # The reading thread

    def _begin(self) -> None:
        deadline = self._clock.monotonic() + self.address.timeout
        self._wire.write(self._handshake.begin())
        while not self._handshake.is_done:
            data = self._wire.read(self._clock.real(deadline - self._clock.monotonic()))
            if data is None:
                raise BrokerUnavailableError(
                    f"RabbitMQ at {self.address} hung up at once: is this its port, and does it want amqps://?"
                )
            if not data and self._clock.monotonic() >= deadline:
                raise BrokerUnavailableError(
                    f"RabbitMQ at {self.address} didn't answer in {self.address.timeout:g} s."
                )
            try:
                for event in self._reader.feed(data):
                    self._wire.write(self._handshake.answer(event))
            except ProtocolError as error:
                raise BrokerUnavailableError(f"{self.address} doesn't speak AMQP 0-9-1: {error}.") from error

    def _read(self) -> None:
        try:
            while self.failure is None:
                now = self._clock.monotonic()
                if self._tick is not None and (self._must_tick or now >= self._tick_at):
                    self._must_tick = False  # Race: a `wake` while it runs has it run again
                    self._tick_at = self._tick(now)
                data = self._wire.read(self._clock.real(min(self._tick_at, self._beat(now)) - now))
                if data is None:
                    self._fail(self._lost("the server hung up"))
                elif data:
                    self._heard_at = self._clock.monotonic()
                    self._take(data)
        except BrokerUnavailableError as error:
            self._fail(error)
        except (OSError, ProtocolError) as error:
            self._fail(self._lost(str(error)))
        except Exception as error:
            logger.exception("the reading thread failed", extra={"action": "unexpected_error"})
            self._fail(self._lost(f"{type(error).__name__}: {error}"))
        finally:
            self._wire.close()

    def _beat(self, now: float) -> float:
        """Keep the connection alive; when to look again."""
        pause = self._handshake.heartbeat / 2
        if now - self._heard_at > 4 * pause:
            raise self._lost(f"it has been silent for {4 * pause:g} s")
        if now - self._said_at >= pause:
            self.write(HEARTBEAT)
        return self._said_at + pause

    def _take(self, data: bytes) -> None:
        with self.changed:
            for event in self._reader.feed(data):
                channel = self._channels.get(event.channel)
                if isinstance(event, Answer):
                    self._answered(channel, event.method)
                elif channel is None:
                    continue  # it came while its channel was closed
                elif isinstance(event, Confirmation):
                    if channel.on_confirmation is not None:
                        channel.on_confirmation(event)
                elif channel.on_content is not None:
                    channel.on_content(event)
            self.changed.notify_all()

    def _answered(self, channel: Channel | None, method: Any) -> None:
        match method.NAME:
            case "Connection.Close":
                self._wire.write(called(0, spec.Connection.CloseOk()))
                raise self._lost(f"the server closed it: {method.reply_code} {method.reply_text}")
            case "Connection.CloseOk":
                raise self._lost("it was closed")
            case "Connection.Blocked":
                self.blocked = str(method.reason)
                logger.warning(
                    "RabbitMQ takes no messages: %s", self.blocked, extra={"action": "broker_blocked"}
                )
            case "Connection.Unblocked":
                self.blocked = None
            case _ if channel is None:
                return
            case "Channel.Close":
                channel.refusal = RefusedError(method.reply_code, str(method.reply_text), self.address)
                channel.on_end()
                self._wire.write(called(channel.number, spec.Channel.CloseOk()))
                del self._channels[channel.number]
            case "Basic.Cancel":
                if channel.on_cancel is not None:
                    channel.on_cancel()
            case "Channel.Flow":
                self._wire.write(called(channel.number, spec.Channel.FlowOk(method.active)))
            case _:
                channel.answers.append(method)

    def _lost(self, why: str) -> BrokerUnavailableError:
        return BrokerUnavailableError(f"The connection to RabbitMQ at {self.address} is lost: {why}.")

    def _fail(self, error: BrokerUnavailableError) -> BrokerUnavailableError:
        with self.changed:
            if self.failure is None:
                self.failure = error
            for channel in self._channels.values():
                channel.on_end()
            self.changed.notify_all()
        self._wire.wake()
        return error


def _anew(error: CloudqError) -> CloudqError:
    """An error of the same words: one that was raised before carries that raise's traceback."""
    return type(error)(str(error))
