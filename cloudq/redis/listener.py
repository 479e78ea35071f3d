"""Hearing of what is published: one connection for all threads of a process.

Of the threads that wait, one reads for all of them; when it has waited enough, another takes over. So there
is no thread to be started, stopped, or missed in a forked child.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from cloudq.clock import Clock
from cloudq.processes import PerProcess
from cloudq.redis.calls import command
from cloudq.redis.connections import Connection, Connections

__all__ = ["Listener"]


@dataclass(eq=False, slots=True)
class _Waiter:
    channels: frozenset[bytes]
    has_heard: bool = False


@dataclass(slots=True)
class _Line:
    """A process's connection, and who listens."""

    changed: Condition = field(default_factory=Condition)
    connection: Connection | None = None
    is_read: bool = False
    waiters: set[_Waiter] = field(default_factory=set[_Waiter])
    listeners: Counter[bytes] = field(default_factory=Counter[bytes])
    unconfirmed: Counter[bytes] = field(default_factory=Counter[bytes])
    """Subscriptions that were asked for, and not answered yet."""


class Listener:
    """Waits for messages on channels.

    Args:
        connections: Where one more comes from.
        clock: What waits are measured on.
    """

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._clock = clock
        self._lines = PerProcess(_Line)
        self._is_closed = False

    def wait(self, channels: Iterable[str], seconds: float, is_over: Callable[[], bool]) -> None:
        """Return when something is published on a channel, after `seconds`, or on `close`; perhaps early.

        Args:
            channels: Which.
            seconds: How long at most.
            is_over: Asked once they are listened to: whether what is waited for has happened before.

        Raises:
            CloudqError: The server can't be reached.
        """
        deadline = self._clock.monotonic() + seconds
        line = self._lines.get()
        waiter = _Waiter(frozenset(channel.encode() for channel in channels))
        self._join(line, waiter)
        try:
            has_asked = False
            while not (waiter.has_heard or self._is_closed) and self._clock.monotonic() < deadline:
                if not has_asked and not any(line.unconfirmed[channel] for channel in waiter.channels):
                    has_asked = True
                    if is_over():
                        return
                self._listen(line, deadline)
        finally:
            self._leave(line, waiter)

    def close(self) -> None:
        """Let go of the connection; waits return at once."""
        self._is_closed = True
        line = self._lines.get()
        with line.changed:
            if line.connection is not None:
                line.connection.cut()
            line.changed.notify_all()

    def _join(self, line: _Line, waiter: _Waiter) -> None:
        with line.changed:
            if line.connection is None:
                line.connection = self._connections.connect()
            line.waiters.add(waiter)
            fresh = [channel for channel in waiter.channels if not line.listeners[channel]]
            line.listeners.update(waiter.channels)
            line.unconfirmed.update(fresh)
            self._say(line, "SUBSCRIBE", fresh)

    def _leave(self, line: _Line, waiter: _Waiter) -> None:
        with line.changed:
            line.changed.notify_all()  # another may have to read now
            if waiter not in line.waiters:
                return  # the connection broke meanwhile, and with it all that it listened to
            line.waiters.discard(waiter)
            line.listeners.subtract(waiter.channels)
            stale = [channel for channel in waiter.channels if not line.listeners[channel]]
            for channel in stale:
                del line.listeners[channel]
            self._say(line, "UNSUBSCRIBE", stale)

    def _say(self, line: _Line, word: str, channels: Sequence[bytes]) -> None:
        if not channels or line.connection is None:
            return
        try:
            line.connection.send(command(word, *channels).packed)
        except OSError:
            self._break(line)

    def _listen(self, line: _Line, deadline: float) -> None:
        """Read for all, or wait until whoever does has read something."""
        with line.changed:
            if line.is_read:
                self._clock.wait(line.changed, deadline)
                return
            connection = line.connection
            if connection is None:
                return
            line.is_read = True
        heard: Sequence[Any] | None = None
        is_broken = False
        try:
            seconds = self._clock.real(max(0.0, deadline - self._clock.monotonic()))
            if connection.can_read(seconds):
                heard = connection.read()
        except OSError:
            is_broken = True
        finally:
            with line.changed:
                line.is_read = False
                if is_broken:
                    self._break(line)
                elif heard is not None:
                    self._dispatch(line, heard)
                line.changed.notify_all()

    @staticmethod
    def _dispatch(line: _Line, heard: Sequence[Any]) -> None:
        kind, channel, *_ = heard
        if kind == b"subscribe":
            line.unconfirmed[channel] -= 1
            if not line.unconfirmed[channel]:
                del line.unconfirmed[channel]
        elif kind == b"message":
            for waiter in line.waiters:
                if channel in waiter.channels:
                    waiter.has_heard = True

    @staticmethod
    def _break(line: _Line) -> None:
        """The connection is gone: nobody will hear anything, so that everybody has to look."""
        if line.connection is not None:
            line.connection.cut()
        line.connection = None
        for waiter in line.waiters:
            waiter.has_heard = True
        line.waiters.clear()
        line.listeners.clear()
        line.unconfirmed.clear()
