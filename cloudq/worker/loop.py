"""The supervisor's loop: sockets that are readable or writable, and calls that other threads have made.

What happens is handled one thing at a time, by whoever has the turn: the loop's own thread, or one that
brings something (`interject`) and handles it on the spot: the way through another thread would take longer.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence

from cloudq.clock import Clock

__all__ = ["Loop"]

_Events = Sequence[tuple[selectors.SelectorKey, int]]


class Loop:
    """Events, one at a time.

    Args:
        act: Called with the turn, after each event. It does what is due, and says when more will be, on the
            clock's `monotonic`; None ends the loop.
        clock: Time.
    """

    def __init__(self, act: Callable[[], float | None], clock: Clock) -> None:
        self._act = act
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self._turn = threading.Lock()
        self._waits_until = float("-inf")
        self._is_over = False
        self._failure: BaseException | None = None
        self._posted: deque[Callable[[], None]] = deque()
        self.watch(self._wake_in, self._drain)

    @property
    def has_posted(self) -> bool:
        """Whether calls wait to be made."""
        return bool(self._posted)

    def post(self, call: Callable[[], None]) -> None:
        """Have a call made in the loop's thread. From any thread, or a signal's handler."""
        self._posted.append(call)
        self._wake()

    def interject(self, call: Callable[[], object]) -> None:
        """Make a call here, with the turn, and act on it. From any thread but the loop's.

        What it raises ends the loop. After the loop's end no call is made.
        """
        with self._turn:
            if self._is_over:
                return
            try:
                call()
                at = self._act()
            except BaseException as error:  # noqa: BLE001 - raised where the loop runs
                self._failure, at = error, None
            if at is None or at < self._waits_until:
                self._waits_until = float("-inf")
                self._wake()

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

    def run(self) -> None:
        """Handle what happens, in this thread, until `act` ends it."""
        events: _Events = ()
        try:
            while (timeout := self._handle(events)) is not None:
                events = self._selector.select(timeout)
        finally:
            with self._turn:
                self._is_over = True

    def close(self) -> None:
        """Let go of it; what is posted from now on is never called."""
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def _handle(self, events: _Events) -> float | None:
        """Seconds to wait for the next events; None at the end."""
        with self._turn:
            for key, _ in events:
                # What was handled before may have unwatched it, and watched another under the same number.
                known = self._selector.get_map().get(key.fd)
                if known is not None and known.fileobj is key.fileobj:
                    key.data()
            while self._posted:
                self._posted.popleft()()
            if self._failure is not None:
                raise self._failure
            if (at := self._act()) is None:
                return None
            self._waits_until = at
            return self._clock.real(max(0.0, at - self._clock.monotonic()))

    def _wake(self) -> None:
        # Full: the loop is about to wake. Closed: it has ended, and a signal or a lane comes too late.
        with contextlib.suppress(OSError):
            self._wake_out.send(b".")

    def _drain(self) -> None:
        self._wake_in.recv(4096)
