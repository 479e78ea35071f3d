"""The supervisor's loop: sockets that are readable or writable, and calls that other threads post."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections import deque
from collections.abc import Callable

__all__ = ["Loop"]


class Loop:
    """One thread's events."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._posted: deque[Callable[[], None]] = deque()
        self.watch(self._wake_in, self._drain)

    @property
    def has_posted(self) -> bool:
        """Whether calls wait to be made."""
        return bool(self._posted)

    def post(self, call: Callable[[], None]) -> None:
        """Have a call made in the loop's thread. From any thread, or a signal's handler."""
        self._posted.append(call)
        # Full: the loop is about to wake. Closed: it has ended, and a signal or a lane comes too late.
        with contextlib.suppress(OSError):
            self._wake_out.send(b".")

    def watch(self, channel: socket.socket, then: Callable[[], None]) -> None:
        """Call `then` whenever the channel is readable (or, once asked for, writable)."""
        self._selector.register(channel, selectors.EVENT_READ, then)

    def unwatch(self, channel: socket.socket) -> None:
        """Call nothing for it any more; not to be watched is as good."""
        if channel in self._selector.get_map():
            self._selector.unregister(channel)

    def want_write(self, channel: socket.socket, *, is_wanted: bool) -> None:
        """Whether to wake when the channel takes more bytes."""
        key = self._selector.get_map().get(channel)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if is_wanted else 0)
        if key is not None and key.events != events:
            self._selector.modify(channel, events, key.data)

    def turn(self, timeout: float) -> None:
        """Wait `timeout` seconds at most for something to happen, and handle it."""
        for key, _ in self._selector.select(timeout):
            # What was handled before may have unwatched it, and watched another under the same number.
            known = self._selector.get_map().get(key.fd)
            if known is not None and known.fileobj is key.fileobj:
                key.data()
        while self._posted:
            self._posted.popleft()()

    def close(self) -> None:
        """Let go of it; what is posted from now on is never called."""
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _drain(self) -> None:
        self._wake_in.recv(4096)
