"""Every function's execution environments: started when needed, kept warm, ended with their code."""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudq_emulator.lambda_.environment import Environment, Result, Surroundings
from cloudq_emulator.lambda_.outcomes import Outcomes
from cloudq_emulator.lambda_.runtime import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from cloudq_emulator.lambda_.configuration import Configuration

MAX_ENVIRONMENTS: Final = 10
"""Processes of one function at once. AWS gives 1,000; here more invocations wait for a free process."""

IDLE_SECONDS: Final = 600.0
"""How long a process is kept warm; AWS keeps them some minutes and promises nothing."""


class Functions:
    """Runs functions.

    Args:
        surroundings: What the functions' processes share.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._outcomes = Outcomes(surroundings.endpoint, surroundings.clock)
        self._pools: dict[tuple[str, str], _Pool] = {}
        self._endings: set[asyncio.Task[None]] = set()

    async def invoke(
        self,
        configuration: Configuration,
        code: bytes,
        payload: bytes,
        *,
        trace: str = "",
        client_context: str = "",
    ) -> Result:
        """Run a function once, in a warm process if there is one.

        Args:
            configuration: The function as it is now: another configuration ends the processes of the old.
            code: Its code, a zip; read when the first process starts.
            payload: The event, as JSON.
            trace: The X-Ray trace header.
            client_context: The caller's client context, as JSON.
        """
        began = self._surroundings.clock.monotonic()
        if configuration.runtime.startswith("python"):
            pool = self._pool(configuration, code)
            result = await pool.invoke(payload, trace=trace, client_context=client_context)
        else:
            result = _unsupported(configuration)
        self._outcomes.tell(configuration, result.reply, self._surroundings.clock.monotonic() - began)
        return result

    def retain(self, exists: Callable[[Configuration], bool]) -> None:
        """End the processes of functions that no longer exist, and those idle for long.

        Args:
            exists: Whether there still is this version of this function.
        """
        for key, pool in list(self._pools.items()):
            if not exists(pool.configuration):
                del self._pools[key]
                self._spawn(pool.end())
        for pool in self._pools.values():
            for environment in pool.take_idle(self._surroundings.clock.monotonic() - IDLE_SECONDS):
                self._spawn(environment.end())

    async def stop(self) -> None:
        """End every process."""
        for pool in self._pools.values():
            self._spawn(pool.end(kill=True))
        self._pools.clear()
        await asyncio.gather(*self._endings)
        self._outcomes.forget()

    def _pool(self, configuration: Configuration, code: bytes) -> _Pool:
        key = configuration.arn, configuration.version
        pool = self._pools.get(key)
        if pool is None or pool.configuration != configuration:
            if pool is not None:
                self._spawn(pool.end())
            pool = self._pools[key] = _Pool(configuration, code, self._surroundings)
        return pool

    def _spawn(self, ending: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(ending)
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


class _Pool:
    """The processes of one configuration; they own the folder with its code."""

    def __init__(self, configuration: Configuration, code: bytes, surroundings: Surroundings) -> None:
        self.configuration = configuration
        self._surroundings = surroundings
        self._slots = asyncio.Semaphore(MAX_ENVIRONMENTS)
        self._idle: list[tuple[float, Environment]] = []
        self._busy: set[Environment] = set()
        self._folder = asyncio.create_task(asyncio.to_thread(_unpack, code))
        self._is_ended = False

    async def invoke(self, payload: bytes, *, trace: str, client_context: str) -> Result:
        async with self._slots:
            environment = await self._warm() or await self._cold()
            self._busy.add(environment)
            try:
                with self._surroundings.killer.running(self.configuration.name, environment.kill):
                    return await environment.invoke(
                        payload,
                        function_arn=self.configuration.arn,
                        trace=trace,
                        client_context=client_context,
                    )
            finally:
                await self._keep(environment)

    def take_idle(self, since: float) -> list[Environment]:
        """Remove and return the environments that have been idle since `since` (monotonic) or longer."""
        taken = [environment for idle_at, environment in self._idle if idle_at <= since]
        self._idle = [entry for entry in self._idle if entry[0] > since]
        return taken

    async def end(self, *, kill: bool = False) -> None:
        """End what is idle, and wait until what is busy has ended, killed or by itself."""
        self._is_ended = True
        for environment in self.take_idle(self._surroundings.clock.monotonic()):
            await environment.end()
        for environment in self._busy if kill else ():
            environment.kill()
        for _ in range(MAX_ENVIRONMENTS):
            await self._slots.acquire()
        await asyncio.to_thread(shutil.rmtree, await self._folder, ignore_errors=True)

    async def _warm(self) -> Environment | None:
        while self._idle:
            _, environment = self._idle.pop()  # the last one first: the others grow idle and end
            if environment.alive:
                return environment
            await environment.end()
        return None

    async def _cold(self) -> Environment:
        environment = Environment(self.configuration, await self._folder, self._surroundings)
        await environment.start()
        return environment

    async def _keep(self, environment: Environment) -> None:
        self._busy.discard(environment)
        if environment.alive and not self._is_ended:
            self._idle.append((self._surroundings.clock.monotonic(), environment))
        else:
            await environment.end()


def _unsupported(configuration: Configuration) -> Result:
    what = f"The emulator runs Python functions only, not {configuration.runtime or 'an image'}."
    return Result(Reply.error("Runtime.Unsupported", what), "", b"")


def _unpack(code: bytes) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="cloudq-lambda-"))
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(folder)
        for entry in archive.infolist():
            if mode := entry.external_attr >> 16 & 0o777:
                (folder / entry.filename).chmod(mode | 0o600)
    return folder
