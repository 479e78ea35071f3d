"""A supervisor's children: their connections, on its loop."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cloudq.worker.connection import Connection
from cloudq.worker.crew import Crew, Exited
from cloudq.worker.loop import Loop
from cloudq.worker.progress import Progress
from cloudq.worker.time_limits import Limited

__all__ = ["Children"]

logger = logging.getLogger(__name__)


class Children:
    """Talks with the children of a crew.

    Args:
        crew: Where they come from.
        loop: What watches their connections.
        on_frame: Called with a child's number and what it said; raises ValueError or TypeError at nonsense.
        on_end: Called when a child has ended; whether it had ever spoken is told with it.
    """

    def __init__(
        self,
        crew: Crew,
        loop: Loop,
        on_frame: Callable[[int, tuple[Any, ...]], None],
        on_end: Callable[[Exited, bool], None],
    ) -> None:
        self._crew, self._loop, self._on_frame, self._on_end = crew, loop, on_frame, on_end
        self._connections: dict[int, Connection] = {}
        self._progress: dict[int, Progress] = {}
        self._spoken_to: set[int] = set()
        self._watch_crew()

    def hire(self, slots: int) -> None:
        """Start one more, which runs up to `slots` messages at once."""
        hired = self._crew.hire(slots)
        connection = self._connections[hired.number] = Connection(hired.socket, hired.urgent)
        self._progress[hired.number] = hired.progress
        self._loop.watch(hired.socket, lambda: self._listen(hired.number, connection))

    def running(self) -> list[int]:
        """The tags of what they run now, and of what has just ended without their having said so."""
        return [tag for progress in self._progress.values() for tag in progress.running()]

    def limited(self) -> list[Limited]:
        """What they run under a time limit."""
        return [run for progress in self._progress.values() for run in progress.limited()]

    def send(self, number: int, *words: Any) -> None:
        """Say something to one."""
        self._connections[number].send(*words)
        self._spoken_to.add(number)

    def send_urgent(self, number: int, *words: Any) -> None:
        """Say something to one that is heard whatever it does."""
        self._connections[number].send_urgent(*words)
        self._spoken_to.add(number)

    def flush(self) -> None:
        """Write what was said, as far as the sockets take it."""
        for number in list(self._spoken_to):
            connection = self._connections[number]
            has_more = connection.flush()
            self._loop.want_write(connection.socket, is_wanted=has_more)
            if not has_more:
                self._spoken_to.discard(number)

    def call_back(self) -> None:
        """Have all of them give back what they haven't begun, and all that they are still sent."""
        for number in self._connections:
            self.send_urgent(number, "return")

    def call_back_once(self, numbers: Iterable[int] | None = None) -> None:
        """Have them, or all, give back what they haven't begun; what they are sent from now on is run."""
        for number in self._connections if numbers is None else numbers:
            self.send_urgent(number, "return")
            self.send(number, "go on")

    def kill(self, number: int) -> bool:
        """End one at once, if its crew can; tells whether."""
        return self._crew.kill(number)

    def close(self) -> None:
        """End all that are left."""
        for connection in self._connections.values():
            connection.send("stop")
            connection.flush()
            connection.close()
        self._crew.close()

    def _listen(self, number: int, connection: Connection) -> None:
        self._hear(number, connection.read())
        if connection.is_broken:
            self._loop.unwatch(connection.socket)  # that it has ended is news that comes from the crew

    def _hear(self, number: int, frames: Iterator[tuple[Any, ...]]) -> None:
        try:
            for frame in frames:
                self._on_frame(number, frame)
        except (TypeError, ValueError) as error:
            # What it says can't be relied on any more; what it held is run again.
            logger.error("child %d spoke nonsense: %s", number, error, extra={"action": "child_garbled"})  # noqa: TRY400 - its traceback says nothing
            self._crew.kill(number)

    def _hear_news(self) -> None:
        # A crew that has to start over comes back with another channel, which may have the old one's number.
        if self._crew.channel is not None:
            self._loop.unwatch(self._crew.channel)
        for news in self._crew.news():
            connection = self._connections[news.number]
            self._hear(news.number, connection.drain())  # it may be answered still, in vain
            del self._connections[news.number]
            self._spoken_to.discard(news.number)
            self._loop.unwatch(connection.socket)
            connection.close()
            self._on_end(news, connection.was_heard)
            self._progress.pop(news.number).close()
        self._watch_crew()

    def _watch_crew(self) -> None:
        if self._crew.channel is not None:
            self._loop.watch(self._crew.channel, self._hear_news)
