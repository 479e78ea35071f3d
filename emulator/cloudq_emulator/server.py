"""The emulator's server: one process, one event loop, one port on loopback.

request ──► control API          /_cloudq/…
        ├─► SQS, ours            answered on the spot; a long poll waits in a task
        └─► everything else      moto, in a thread
"""

from __future__ import annotations

import asyncio
import errno
import gc
from typing import TYPE_CHECKING, Final

from cloudq_emulator import moto_clock, topics
from cloudq_emulator.caller import Caller, Callers, operation_of
from cloudq_emulator.clock import MovableClock
from cloudq_emulator.control import Control, FaultOrders
from cloudq_emulator.counts import RequestCounts
from cloudq_emulator.disturbing import Disturber
from cloudq_emulator.faults import Faults
from cloudq_emulator.following import ClockFile
from cloudq_emulator.http import Connection, Request, Response
from cloudq_emulator.lambda_.killing import Killer
from cloudq_emulator.late import LateServices
from cloudq_emulator.moto_app import MotoApp
from cloudq_emulator.page.site import Site
from cloudq_emulator.sqs import moto_backend
from cloudq_emulator.sqs.disturbing import SqsDisturber
from cloudq_emulator.sqs.door import SqsDoor
from cloudq_emulator.sqs.service import SqsService

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from cloudq_emulator.faults import Fault
    from cloudq_emulator.sqs.keeping import Restored

DEFAULT_ACCOUNT: Final = "000000000000"
DEFAULT_PORT: Final = 4566
"""Where LocalStack listens, and so where people's scripts look."""

_LOOPBACK: Final = "127.0.0.1"
_NAMES: Final = {_LOOPBACK: "localhost", "0.0.0.0": "localhost", "::": "[::1]"}  # noqa: S104 - compared
"""What leads to an address from this machine."""
_GC_THRESHOLD: Final = (50_000, 20, 1_000)
"""Rarer collections, full ones next to never: a full one over a million messages, none of which is in a
cycle, halts everybody for 0.2 s. What moto leaves behind is young and found by the others."""


class Server:
    """A running emulator.

    Args:
        host: The address to listen on.
        port: The port; 0 takes a free one.
        account: The account of callers whose access key isn't one.
        data: The folder in which SQS's queues are kept; None for nowhere.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        account: str = DEFAULT_ACCOUNT,
        data: Path | None = None,
    ) -> None:
        self._host = _LOOPBACK if host == "localhost" else host
        self._port = port
        self._data = data
        self.restored: Restored | None = None
        self._callers = Callers(account)
        self.account = account
        self.clock = MovableClock()
        self.counts = RequestCounts()
        self.sqs = SqsService(self.clock)
        self.faults = Faults()
        killer = Killer(self.faults)
        self._late = LateServices(self.sqs, self.clock, killer)
        self._door = SqsDoor(self.sqs, self.counts)
        self._disturber = Disturber(self.faults, self.counts)
        self._is_disturbed = False
        self.faults.on_change.append(self._follow_faults)
        orders = FaultOrders(self.faults, SqsDisturber(self.faults, self.sqs), killer)
        site = Site(self.clock, self.sqs, self.counts, self.faults)
        self._control = Control(self.clock, self.sqs, self.counts, orders, site, self.reset, account)
        self._connections: set[Connection] = set()

    @property
    def port(self) -> int:
        """The port that it listens on, once started."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The URL to give to clients; by name, since moto takes an address for an S3 bucket."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{_NAMES.get(self._host, host)}:{self._port}"

    async def start(self) -> None:
        """Listen; when it returns, every service answers.

        Raises:
            OSError: The port is taken.
            StoreError: The folder can't be used.
        """
        loop = asyncio.get_running_loop()
        self._listeners = await self._listen()
        self._port = self._listeners[0].sockets[0].getsockname()[1]
        self.sqs.live_on(loop)
        self._gc_threshold = gc.get_threshold()
        gc.set_threshold(*_GC_THRESHOLD)
        if self._data is not None:
            self.restored = self._keep(self._data)
        self.clock_file = ClockFile(self.clock)
        self.sqs.origin = self.endpoint
        self._moto = MotoApp(self._host, self._port)
        moto_backend.install(self.sqs)
        moto_clock.install(self.clock)
        topics.install()
        gc.collect()
        gc.freeze()
        for listener in self._listeners:
            await listener.start_serving()

    async def stop(self) -> None:
        """Stop listening, end what waits, close every connection."""
        self._stop_listening()
        await self._late.stop()
        self.sqs.polls.release()
        for connection in list(self._connections):
            connection.close()
        self._moto.close()
        self.clock_file.close()
        if self.sqs.keeper is not None:
            self.sqs.keeper.close()
        gc.unfreeze()
        gc.set_threshold(*self._gc_threshold)

    async def reset(self) -> None:
        """Empty everything, and go back to real time."""
        self.faults.clear()
        await self._moto.reset()
        await self._late.reset()
        self.sqs.reset()
        self.clock.reset()
        self.counts.clear()

    async def _listen(self) -> list[asyncio.Server]:
        """Listen on both kinds of loopback, where there are two: some clients take localhost for ::1."""
        loop = asyncio.get_running_loop()
        listener = await loop.create_server(self._connect, self._host, self._port, start_serving=False)
        if self._host != _LOOPBACK:
            return [listener]
        port = listener.sockets[0].getsockname()[1]
        try:
            return [listener, await loop.create_server(self._connect, "::1", port, start_serving=False)]
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                return [listener]
            listener.close()
            if self._port:
                raise
        return await self._listen()  # a port that is free on one of them is no free port

    def _stop_listening(self) -> None:
        for listener in self._listeners:
            listener.close()

    def _keep(self, folder: Path) -> Restored:
        from cloudq_emulator.sqs.keeping import Keeper
        from cloudq_emulator.store import Journal

        try:
            return Keeper(Journal(folder), self.sqs).restore()
        except BaseException:
            self._stop_listening()
            gc.set_threshold(*self._gc_threshold)
            raise

    def _follow_faults(self) -> None:
        self._is_disturbed = bool(self.faults)

    def _connect(self) -> Connection:
        return Connection(self._handle, self._door.refuse_unreadable, self._connections)

    def _handle(self, request: Request) -> Response | Coroutine[None, None, Response]:
        caller = self._callers.of(request)
        if self._is_disturbed and not self._control.owns(request.path):
            faults = self._disturber.faults_for(request, caller, is_sqs=self._is_sqs(request, caller))
            if faults:
                return self._answer_disturbed(request, caller, faults)
        return self._answer(request, caller)

    def _answer(self, request: Request, caller: Caller) -> Response | Coroutine[None, None, Response]:
        if self._door.is_json(request):
            return self._door.answer_json(request, caller)
        if self._control.owns(request.path):
            return self._control.answer(request)
        if self._door.is_query(request, caller):
            return self._door.answer_query(request, caller)
        return self._ask_moto(request, caller)

    def _is_sqs(self, request: Request, caller: Caller) -> bool:
        return self._door.is_json(request) or self._door.is_query(request, caller)

    async def _answer_disturbed(self, request: Request, caller: Caller, faults: list[Fault]) -> Response:
        async def done() -> Response:
            answer = self._answer(request, caller)
            return answer if isinstance(answer, Response) else await answer

        service = "sqs" if self._is_sqs(request, caller) else caller.service
        return await self._disturber.answer(request, service, faults, done)

    async def _ask_moto(self, request: Request, caller: Caller) -> Response:
        await self._late.prepare(caller.service)
        response = await self._moto.answer(request, caller.account)
        self.counts.add(caller.service, operation_of(request), "", response.status)
        return response
