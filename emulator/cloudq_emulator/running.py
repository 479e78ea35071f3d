"""A run of the emulator in a terminal: from its options to an exit code."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from cloudq_emulator import environment
from cloudq_emulator.announcing import announce
from cloudq_emulator.clock import real_now
from cloudq_emulator.holder import holder
from cloudq_emulator.server import Server
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.store import StoreError

if TYPE_CHECKING:
    from pathlib import Path

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit codes as a shell's."""
_INVOCATIONS = "cloudq_emulator.lambda_.outcomes"
"""The logger that tells of functions."""
_STACKS = "cloudq_emulator.stacks"
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
    _log_to_terminal(verbose=options.verbose)
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
        announce(server, options)
        if options.command:
            environ = environment.for_command(server.endpoint, str(server.clock_file.path))
            return await _run_command(options.command, environ, signals)
        await signals.get()
        return 0
    finally:
        await server.stop()


def _print_request(service: str, operation: str, queue: str, status: int) -> None:
    click.echo(f"{_time()} {status} {service or '-'} {operation} {queue}".rstrip(), err=True)


def _time() -> str:
    return datetime.fromtimestamp(real_now(), UTC).strftime("%H:%M:%S.%f")[:-3]


def _log_to_terminal(*, verbose: bool) -> None:
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger(_INVOCATIONS).setLevel(logging.INFO if verbose else logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_Formatter())


class _Formatter(logging.Formatter):
    """Log records as lines: those on invocations like those on requests, all others with their origin."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name != _INVOCATIONS:
            return f"{record.levelname} {record.name}: {super().format(record)}"
        warning = "" if record.levelno == logging.INFO else f"{record.levelname} "
        return f"{_time()} {warning}{record.getMessage()}"


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
        await _make_queue(server, name, options.account)
    if options.template is not None:
        await _deploy(server, options.template, options.account)


async def _make_queue(server: Server, name: str, account: str) -> None:
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    parameters = {"QueueName": name, "Attributes": attributes}
    try:
        await server.sqs.call("CreateQueue", parameters, account=account, region=environment.region())
    except SqsError as error:
        raise click.ClickException(f"--queue {name}: SQS refuses it: {error.message}") from error


async def _deploy(server: Server, template: Path, account: str) -> None:
    from cloudq_emulator.cloudformation import DeployError, deploy_template

    log = logging.getLogger(_STACKS)
    log.disabled = True  # what it would say of a failed stack is the error's text
    try:
        await asyncio.to_thread(
            deploy_template, template, server.endpoint, account=account, region=environment.region()
        )
    except DeployError as error:
        raise click.ClickException(f"--template {template}: {' '.join(str(error).split())}") from error
    finally:
        log.disabled = False


async def _run_command(command: tuple[str, ...], environ: dict[str, str], signals: asyncio.Queue[int]) -> int:
    try:
        process = await asyncio.create_subprocess_exec(*command, env=environ)
    except FileNotFoundError:
        click.echo(f"Error: {command[0]}: no such command", err=True)
        return _NOT_FOUND
    except PermissionError:
        click.echo(f"Error: {command[0]}: not executable", err=True)
        return _NOT_EXECUTABLE
    except OSError as error:  # as a script without its first line
        click.echo(f"Error: {command[0]}: {error.strerror}", err=True)
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
