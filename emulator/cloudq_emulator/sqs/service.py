"""The door to SQS for everybody in this process: both protocols, event source mappings, moto's services."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from cloudq_emulator.sqs.actions import ACTIONS, Reception
from cloudq_emulator.sqs.call import Call
from cloudq_emulator.sqs.engine.registry import Registry
from cloudq_emulator.sqs.refusals import INVALID_ACTION
from cloudq_emulator.sqs.waiting import LongPolls

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.sqs.keeping import Keeper

T = TypeVar("T")


class SqsService:
    """SQS's operations over the engine.

    The engine has no lock: everything here runs on the event loop's thread. Other threads, as those that
    moto runs in, use `hand_over`, which costs them about 100 µs and the hot path nothing.

    Args:
        clock: The time that queues live by.
        origin: What queue URLs begin with when the caller's host isn't known.
    """

    def __init__(self, clock: MovableClock, origin: str = "http://localhost:4566") -> None:
        self.clock = clock
        self.origin = origin
        self.registry = Registry()
        self.polls = LongPolls(clock, self.registry.moves)
        self.disturber: Callable[[str, Call], dict[str, Any] | Reception] | None = None
        """Performs operations in the actions' place, if set: while there are faults."""
        self.keeper: Keeper | None = None
        """Keeps the queues on disk, if set."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    async def call(
        self,
        operation: str,
        params: Mapping[str, Any],
        *,
        account: str,
        region: str,
        origin: str = "",
    ) -> dict[str, Any]:
        """Run one operation; a ReceiveMessage with a wait returns as soon as there is a message.

        Args:
            operation: The operation's name, as ``SendMessage``.
            params: The request as the JSON protocol has it (binary values as bytes or base64 text).
            account: The caller's account, twelve digits.
            region: The caller's region.
            origin: What queue URLs in the answer begin with (``http://localhost:4566``); empty takes ours.

        Raises:
            SqsError: SQS refuses.
        """
        answer = self.perform(operation, self.begin(params, account=account, region=region, origin=origin))
        return await self.polls.wait(answer) if isinstance(answer, Reception) else answer

    def begin(self, params: Mapping[str, Any], *, account: str, region: str, origin: str = "") -> Call:
        """A call on this service's queues, as of now."""
        now = self.clock.now()
        self.registry.moves.advance(now)
        return Call(params, account, region, origin or self.origin, now, self.registry)

    def perform(self, operation: str, call: Call) -> dict[str, Any] | Reception:
        """Run one operation without waiting; what still has to be waited for is returned as a `Reception`.

        Raises:
            SqsError: SQS refuses.
        """
        action = ACTIONS.get(operation)
        if action is None:
            raise INVALID_ACTION.error(operation=operation)
        try:
            return action(call) if self.disturber is None else self.disturber(operation, call)
        finally:
            if operation == "DeleteQueue" and call.touched is not None:
                self.polls.release(call.touched)
            if self.polls.woken:
                self.polls.serve()
            if self.keeper is not None:
                self.keeper.after(operation, call.touched)

    def settle(self) -> None:
        """Let what is due by now have happened, for those who look into queues without asking SQS."""
        now = self.clock.now()
        self.registry.moves.advance(now)
        for queue in self.registry:
            queue.advance(now)
        self.polls.serve()

    def live_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Settle on an event loop; called on its thread."""
        self._loop = loop
        self._thread = threading.get_ident()

    def hand_over(self, do: Callable[[], T]) -> T:
        """Have `do` done on the event loop's thread, and wait for what it returns or raises."""
        if self._loop is None or threading.get_ident() == self._thread:
            return do()
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(do())
            except BaseException as error:  # noqa: BLE001 - it is the waiting thread's
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result()

    def reset(self) -> None:
        """Forget all queues; waiting receives return empty."""
        self.polls.release()
        self.registry.clear()
        if self.keeper is not None:
            self.keeper.clear()
