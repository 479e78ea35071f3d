"""Where moto's Lambda and the functions' processes meet.

moto keeps what functions and mappings are and answers the API; its `Invoke`, which needs Docker, is replaced.
moto runs in threads, the processes belong to the event loop: a call hands its invocation to the loop.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from moto.awslambda.models import EventSourceMapping, LambdaBackend, LambdaFunction
from moto.core.exceptions import JsonRESTError
from moto.logs.models import logs_backends
from moto.sqs.models import sqs_backends

from cloudq_emulator.lambda_.configuration import Configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence
    from concurrent.futures import Future

    from cloudq_emulator.lambda_.environment import Result
    from cloudq_emulator.lambda_.functions import Functions

logger = logging.getLogger(__name__)

LOG_EVENTS_KEPT: Final = 20_000
"""Newest events kept of a log stream: an emulator that runs for days shall not grow without end."""


def describe(function: LambdaFunction) -> Configuration:
    """A function of moto's as values. CloudFormation leaves numbers as text and values as numbers."""
    variables = {str(name): str(value) for name, value in function.environment_vars.items()}
    return Configuration(
        account=function.account_id,
        region=function.region,
        name=function.function_name,
        version=str(function.version),
        handler=str(function.handler),
        timeout=float(function.timeout),
        memory_mb=int(function.memory_size),
        runtime=function.run_time or "",
        code_sha256=function.code_sha_256,
        variables=tuple(sorted(variables.items())),
    )


def install(functions: Functions) -> Callable[[], None]:
    """Make moto's Invoke run functions, on the running loop; returns what undoes it.

    Asynchronous invocations run once: failed ones aren't repeated and have no destination yet.
    """
    loop = asyncio.get_running_loop()

    def start(function: LambdaFunction, body: str | bytes, headers: Mapping[str, str]) -> Future[Result]:
        running = functions.invoke(
            describe(function),
            function.code_bytes,
            _event(body),
            trace=headers.get("X-Amzn-Trace-Id", ""),
            client_context=_client_context(headers),
        )
        return asyncio.run_coroutine_threadsafe(running, loop)

    def invoke(
        function: LambdaFunction,
        body: str | bytes,
        request_headers: Mapping[str, str],
        response_headers: MutableMapping[str, str],
    ) -> str | bytes:
        # moto's own services (SNS, EventBridge, S3, Logs) call without headers; they invoke asynchronously.
        default = "RequestResponse" if request_headers else "Event"
        kind = request_headers.get("X-Amz-Invocation-Type", default)
        if kind == "DryRun":
            return ""
        future = start(function, body, request_headers)
        if kind == "Event":
            future.add_done_callback(_log_failure)
            return ""
        return _answer(function, future.result(), response_headers)

    original, original_mapping = LambdaFunction.invoke, LambdaBackend.create_event_source_mapping

    def create_event_source_mapping(self: LambdaBackend, spec: dict[str, Any]) -> EventSourceMapping:
        _refuse_mapping(self, spec)
        return original_mapping(self, spec)

    LambdaFunction.invoke = invoke  # pyright: ignore[reportAttributeAccessIssue]
    LambdaBackend.create_event_source_mapping = create_event_source_mapping

    def undo() -> None:
        LambdaFunction.invoke = original
        LambdaBackend.create_event_source_mapping = original_mapping

    return undo


class MotoLogs:
    """Puts functions' log lines where CloudWatch Logs' API finds them."""

    def __init__(self) -> None:
        self.is_muted = False
        """Drop lines: what processes have left to say while everything is being emptied."""

    def write(self, configuration: Configuration, stream: str, lines: Sequence[tuple[int, str]]) -> None:
        if self.is_muted:
            return
        backend = logs_backends[configuration.account][configuration.region]
        backend.ensure_log_group(configuration.log_group)
        group = backend.groups[configuration.log_group]
        if stream not in group.streams:
            group.create_log_stream(stream)
        # Straight to the stream: the API above it refuses what a moved clock stamps as too old or too new.
        events = [{"timestamp": at, "message": text} for at, text in lines]
        group.streams[stream].put_log_events(events)
        del group.streams[stream].events[:-LOG_EVENTS_KEPT]


def _refuse_mapping(backend: LambdaBackend, spec: Mapping[str, Any]) -> None:
    """Refuse what AWS refuses and moto lets pass; the rest is moto's to refuse."""
    function = backend.get_function(spec.get("FunctionName", ""))
    queues = sqs_backends[backend.account_id][backend.region_name].queues.values()
    queue = next((each for each in queues if each.queue_arn == spec.get("EventSourceArn")), None)
    if queue is None:
        return
    visibility = int(queue.attributes["VisibilityTimeout"])
    if visibility < float(function.timeout):
        raise JsonRESTError(
            "InvalidParameterValueException",
            f"Queue visibility timeout: {visibility} seconds is less than "
            f"Function timeout: {function.timeout} seconds",
        )
    for mapping in backend.list_event_source_mappings(queue.queue_arn, ""):
        if mapping.function_arn == function.function_arn:
            raise JsonRESTError(
                "ResourceConflictException",
                f'An event source mapping with SQS arn (" {queue.queue_arn} ") and function '
                f'(" {function.function_name} ") already exists. Please update or delete the existing '
                f"mapping with UUID {mapping.uuid}",
            )


def _event(body: str | bytes) -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    try:
        json.loads(raw or b"{}")
    except ValueError as error:
        raise JsonRESTError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
    return raw or b"{}"


def _client_context(headers: Mapping[str, str]) -> str:
    try:
        return base64.b64decode(headers.get("X-Amz-Client-Context", ""), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise JsonRESTError("InvalidRequestContentException", "Client context must be base64") from error


def _answer(function: LambdaFunction, result: Result, headers: MutableMapping[str, Any]) -> bytes:
    headers["X-Amz-Executed-Version"] = str(function.version)
    headers["x-amz-log-result"] = base64.b64encode(result.log_tail).decode()
    if result.reply.failed:
        headers["x-amz-function-error"] = "Unhandled"
    return result.reply.payload


def _log_failure(future: Future[Result]) -> None:
    if (error := future.exception()) is not None:
        logger.error("An asynchronous invocation failed.", exc_info=error, extra={"action": "invoke_failed"})
