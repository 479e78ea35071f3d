"""A run of the emulator in a terminal: from its options to an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
import json
import logging
import os
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cloudq_emulator import environment
from cloudq_emulator.clock import real_now
from cloudq_emulator.holder import holder
from cloudq_emulator.server import Server
from cloudq_emulator.store import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit codes as a shell's."""
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    host: str
    port: int
    account: str
    queues: tuple[str, ...]
    template: Path | None
    data: Path | None
    verbose: bool
    until_eof: bool
    as_json: bool
    command: tuple[str, ...]


def run(options: Options) -> int:
    """Run until stopped, or until the command ends; returns the exit code.

    Raises:
        ClickException: It couldn't start.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if options.host not in _LOOPBACK:
        click.echo(
            f"Warning: {options.host} is no loopback address: whoever reaches it may do anything here, "
            "without credentials, and run code as Lambda functions.",
            err=True,
        )
    return asyncio.run(_run(options))


async def _run(options: Options) -> int:
    signals = _catch_signals()
    if options.until_eof:
        _end_with_stdin(signals)
    server = Server(options.host, options.port, options.account, options.data)
    if options.verbose:
        server.counts.watch(_print_request)
    await _start(server, options)
    try:
        await _prepare(server, options)
        _announce(server, options)
        if options.command:
            environ = environment.for_command(server.endpoint, str(server.clock_file.path))
            return await _run_command(options.command, environ, signals)
        await signals.get()
        return 0
    finally:
        await server.stop()


def _print_request(service: str, operation: str, queue: str, status: int) -> None:
    at = datetime.fromtimestamp(real_now(), UTC).strftime("%H:%M:%S.%f")[:-3]
    click.echo(f"{at} {status} {service or '-'} {operation} {queue}".rstrip(), err=True)


def _catch_signals() -> asyncio.Queue[int]:
    caught: asyncio.Queue[int] = asyncio.Queue()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, caught.put_nowait, number)
    return caught


def _end_with_stdin(signals: asyncio.Queue[int]) -> None:
    loop = asyncio.get_running_loop()

    def read() -> None:
        while os.read(0, 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop is closed: it has ended already
            loop.call_soon_threadsafe(signals.put_nowait, signal.SIGTERM)

    # A thread, since stdin may be a file, which no event loop watches.
    threading.Thread(target=read, name="stdin", daemon=True).start()


async def _start(server: Server, options: Options) -> None:
    try:
        await server.start()
    except StoreError as error:
        raise click.ClickException(f"--data {error}") from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise click.ClickException(
                f"can't listen on {options.host} port {options.port}: {error}"
            ) from error
        raise click.ClickException(
            f"port {options.port} is taken by {holder(options.host, options.port)}; "
            "stop that, or take a free port with --port 0"
        ) from error


async def _prepare(server: Server, options: Options) -> None:
    for name in options.queues:
        attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
        await server.sqs.call(
            "CreateQueue",
            {"QueueName": name, "Attributes": attributes},
            account=options.account,
            region=environment.settings(server.endpoint)["AWS_REGION"],
        )
    if options.template is not None:
        from cloudq_emulator.cloudformation import deploy_template

        await asyncio.to_thread(deploy_template, options.template, server.endpoint)


def _announce(server: Server, options: Options) -> None:
    settings = environment.settings(server.endpoint)
    if options.as_json:
        restored = server.restored and dataclasses.asdict(server.restored)
        told = {
            "endpoint": server.endpoint,
            "port": server.port,
            "environment": settings,
            "clock": str(server.clock_file.path),
            "restored": restored,
        }
        click.echo(json.dumps(told), err=bool(options.command))
        return
    # With a command its own output is what is wanted on stdout.
    click.echo(
        f"cloudq emulate: {server.endpoint}, {_kept(server, options)}, account {options.account}",
        err=bool(options.command),
    )
    if not options.command:
        click.echo("".join(f"  export {name}={value}\n" for name, value in settings.items()), nl=False)
        click.echo("Ctrl-C stops it.")


def _kept(server: Server, options: Options) -> str:
    restored = server.restored
    if restored is None:
        return "all in memory"
    if not restored.queue_count:
        return f"SQS kept in {options.data} and empty so far, all else in memory"
    queues, messages = f"{restored.queue_count} queues", f"{restored.message_count} messages"
    again = ", the template's stack made again" if options.template else ""
    return f"{queues} and {messages} restored from {options.data}{again}, all else empty and in memory"


async def _run_command(command: tuple[str, ...], environ: dict[str, str], signals: asyncio.Queue[int]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environ)
    except FileNotFoundError:
        click.echo(f"Error: {command[0]}: no such command", err=True)
        return _NOT_FOUND
    except PermissionError:
        click.echo(f"Error: {command[0]}: not executable", err=True)
        return _NOT_EXECUTABLE
    passing_on = asyncio.create_task(_pass_on(signals, process))
    code = await process.wait()
    passing_on.cancel()
    return 128 - code if code < 0 else code


async def _pass_on(signals: asyncio.Queue[int], process: asyncio.subprocess.Process) -> None:
    """End the command when we are told to end.

    A Ctrl-C in the terminal has reached it already, and it may be at its last words: the first is not passed
    on, any other is, as SIGTERM.
    """
    first = True
    while True:
        number = await signals.get()
        if number == signal.SIGTERM or not first:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        first = False
