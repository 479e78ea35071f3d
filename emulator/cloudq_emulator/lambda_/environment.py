"""One execution environment: a process that runs a function, one invocation at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cloudq_emulator.lambda_.configuration import process_environment
from cloudq_emulator.lambda_.logs import Output
from cloudq_emulator.lambda_.runtime import Invocation, Reply, RuntimeApi

if TYPE_CHECKING:
    from cloudq.clock import Clock
    from cloudq_emulator.lambda_.configuration import Configuration
    from cloudq_emulator.lambda_.killing import Killer
    from cloudq_emulator.lambda_.logs import LogSink

INIT_SECONDS: Final = 10.0
"""Initialisation has this long, and after it the function's own timeout.

Source: Lambda Developer Guide, "Understanding the execution environment lifecycle", read 2026-11.
"""


@dataclass(frozen=True, slots=True)
class Result:
    """An invocation that has ended.

    Args:
        reply: What the caller gets.
        request_id: The invocation's id.
        log_tail: The end of its log.
    """

    reply: Reply
    request_id: str
    log_tail: bytes


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all environments of an emulator share.

    Args:
        endpoint: The emulator's URL.
        clock: The machine's clock: deadlines and run times are real, whatever the emulator's clock says.
        log_clock: The emulator's clock, which stamps log lines.
        sink: Where log lines go.
        killer: Kills what runs, when a fault is ordered.
    """

    endpoint: str
    clock: Clock
    log_clock: Clock
    sink: LogSink
    killer: Killer


class Environment:
    """A process with its Runtime API and its log.

    The interpreter is the emulator's own and its site-packages serve as the layer: a function may import
    what is installed beside the emulator, cloudq and boto3 included, without bundling it. The function's
    own folder comes first.

    Args:
        configuration: The function.
        code: The folder with its code.
        surroundings: The emulator around it.
    """

    def __init__(self, configuration: Configuration, code: Path, surroundings: Surroundings) -> None:
        self.configuration = configuration
        self._code = code
        self._surroundings = surroundings
        self._api = RuntimeApi()
        self._stream = f"[{configuration.version}]{uuid.uuid4().hex}"
        self._output = Output(
            configuration, self._stream, clock=surroundings.log_clock, sink=surroundings.sink
        )
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._is_cold = True
        self._is_killed = False

    @property
    def alive(self) -> bool:
        """Whether it can take another invocation."""
        return self._process is not None and self._process.returncode is None and not self._is_killed

    async def start(self) -> None:
        """Start the process; `invoke` waits for its initialisation."""
        self._started_at = self._surroundings.clock.monotonic()
        environment = process_environment(
            self.configuration,
            code=self._code,
            runtime_api=await self._api.start(),
            endpoint=self._surroundings.endpoint,
            log_stream=self._stream,
        )
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "awslambdaric", self.configuration.handler),
            cwd=self._code,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=self._output.write_end,
            stderr=self._output.write_end,
            start_new_session=True,  # so that what the function started dies with it
        )
        self._output.started()
        self._watcher = asyncio.create_task(self._watch(self._process))

    async def invoke(
        self, payload: bytes, *, function_arn: str, trace: str = "", client_context: str = ""
    ) -> Result:
        """Run the function once; the process is gone afterwards if it exited or was stopped."""
        request_id = str(uuid.uuid4())
        self._output.begin()
        self._output.add(f"START RequestId: {request_id} Version: {self.configuration.version}")
        reply = await self._initialise(request_id)
        run_from = self._surroundings.clock.monotonic()
        if reply is None:
            deadline = self._surroundings.clock.now() + self.configuration.timeout
            reply = await self._run(
                Invocation(request_id, payload, function_arn, deadline, trace, client_context)
            )
        self._output.drain()
        self._report(request_id, run_from)
        return Result(reply, request_id, self._output.tail())

    def kill(self) -> None:
        """Kill the process and all that it started; an invocation that runs gets an exit error."""
        self._is_killed = True
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill the process, wait until it is gone, let go of what it held."""
        self.kill()
        if self._watcher is not None:
            await self._watcher
        self._api.close()
        self._output.close()

    async def _initialise(self, request_id: str) -> Reply | None:
        limit = INIT_SECONDS + self.configuration.timeout
        try:
            error = await asyncio.wait_for(asyncio.shield(self._api.initialised), limit)
        except TimeoutError:
            self.kill()
            return Reply.error("Sandbox.Timedout", f"RequestId: {request_id} Error: Init timed out")
        if error is None:
            return None
        self.kill()
        return error

    async def _run(self, invocation: Invocation) -> Reply:
        reply = self._api.give(invocation)
        if not self.alive:  # it ended while it was idle
            self._api.finish(self._exit_error())
        timer = asyncio.get_running_loop().call_later(
            self.configuration.timeout, self._time_out, invocation.request_id
        )
        try:
            return await reply
        except asyncio.CancelledError:  # nobody waits for the reply: don't hand it to the next invocation
            self.kill()
            raise
        finally:
            timer.cancel()

    def _time_out(self, request_id: str) -> None:
        text = f"Task timed out after {self.configuration.timeout:.2f} seconds"
        self._api.finish(Reply.error("Sandbox.Timedout", f"RequestId: {request_id} Error: {text}"))
        self._output.add(f"{request_id} {text}")
        self.kill()

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._output.drain()
        if not self._api.initialised.done():
            self._api.initialised.set_result(self._exit_error())
        self._api.finish(self._exit_error())

    def _exit_error(self) -> Reply:
        code = self._process.returncode if self._process is not None else None
        if code is not None and code < 0:
            return Reply.error(
                "Runtime.ExitError", f"Runtime exited with signal: {signal.Signals(-code).name}"
            )
        if code:
            return Reply.error("Runtime.ExitError", f"Runtime exited with error: exit status {code}")
        return Reply.error("Runtime.ExitError", "Runtime exited without providing a reason")

    def _report(self, request_id: str, run_from: float) -> None:
        seconds = self._surroundings.clock.monotonic() - run_from
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {seconds * 1000:.2f} ms",
            f"Billed Duration: {int(seconds * 1000) + 1} ms",
            f"Memory Size: {self.configuration.memory_mb} MB",
            f"Max Memory Used: {self._peak_memory_mb()} MB",
        ]
        if self._is_cold:
            parts.append(f"Init Duration: {(run_from - self._started_at) * 1000:.2f} ms")
            self._is_cold = False
        self._output.add(f"END RequestId: {request_id}")
        self._output.add("\t".join(parts))

    def _peak_memory_mb(self) -> int:
        """The process's peak resident memory; 0 where the system has no /proc or the process is gone."""
        pid = self._process.pid if self._process is not None else 0
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/status").read_bytes().splitlines():
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) // 1024
        return 0
