"""What a supervisor hears of children that are gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from cloudq.clock import SystemClock
from cloudq.testing.steps import PATIENCE
from cloudq.worker.children import Children
from cloudq.worker.crew import Exited, Hired
from cloudq.worker.frames import pack
from cloudq.worker.loop import Loop
from cloudq.worker.progress import Progress, make_file

CLOCK = SystemClock()


class CrewOfOne:
    """Its child is the test, which says by `tell` that it has ended."""

    def __init__(self) -> None:
        self.channel, self.tell = socket.socketpair()
        self.child: tuple[socket.socket, socket.socket] | None = None

    def hire(self, slots: int) -> Hired:
        (ours, theirs), (urgent, heeded) = socket.socketpair(), socket.socketpair()
        self.child = theirs, heeded
        return Hired(1, ours, urgent, Progress(make_file(slots)))

    def news(self) -> Iterator[Exited]:
        self.channel.recv(1)
        yield Exited(1, "it was killed")

    def kill(self, number: int) -> bool:
        del number
        return False

    def close(self) -> None:
        for end in (self.channel, self.tell, *(self.child or ())):
            end.close()


@pytest.fixture
def crew():
    crew = CrewOfOne()
    yield crew
    crew.close()


def test_what_a_child_said_before_it_was_killed_may_be_answered(crew):
    heard: list[Any] = []

    def hear(child, frame):
        heard.append(frame)
        children.send_urgent(child, "return")

    loop = Loop(lambda: None if "its end" in heard else CLOCK.monotonic() + PATIENCE, CLOCK)
    children = Children(crew, loop, hear, lambda news, was_heard: heard.append("its end"))
    children.hire(1)
    connection, _ = crew.child
    connection.sendall(pack("full", 1000))
    crew.tell.send(b".")

    children._hear_news()
    children.flush()

    assert heard == [("full", 1000), "its end"]
    loop.close()
