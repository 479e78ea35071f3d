"""What faults do to requests over HTTP, of SQS as of any other service.

request ──► latency ──► throttle, error    answered without being done
                    ├─► reset              not done, not answered
                    └─► done ──► lost_response   done, not answered
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import orjson

from cloudq_emulator.caller import form_of, operation_of
from cloudq_emulator.http import HangUp, Response
from cloudq_emulator.sqs.engine.message import new_id
from cloudq_emulator.sqs.protocol import query

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloudq_emulator.caller import Caller
    from cloudq_emulator.counts import RequestCounts
    from cloudq_emulator.faults import Fault, Faults
    from cloudq_emulator.http import Request

KINDS: Final = frozenset({"throttle", "error", "latency", "reset", "lost_response"})

_THROTTLED: Final = {
    "sqs": (400, "RequestThrottled"),
    "s3": (503, "SlowDown"),
    "lambda": (429, "TooManyRequestsException"),
    "sns": (400, "Throttling"),
    "cloudformation": (400, "Throttling"),
}
_THROTTLED_ELSE: Final = (400, "ThrottlingException")
_CODES: Final = {403: "AccessDenied", 404: "ResourceNotFound", 503: "ServiceUnavailable"}
_LATENCY: Final = 1.0
"""Seconds that a request is late unless the fault says otherwise."""
_SERVER_ERRORS: Final = 500


class Disturber:
    """Lets faults strike requests.

    Args:
        faults: Those that stand.
        counts: Where requests that weren't done are counted; a status of 0 stands for no answer.
    """

    def __init__(self, faults: Faults, counts: RequestCounts) -> None:
        self._faults = faults
        self._counts = counts

    def faults_for(self, request: Request, caller: Caller, *, is_sqs: bool) -> list[Fault]:
        """The faults that could strike a request."""
        service = "sqs" if is_sqs else caller.service
        queue = _queue_of(request) if is_sqs else ""
        return self._faults.of(KINDS, service=service, operation=operation_of(request), queue=queue)

    async def answer(
        self,
        request: Request,
        service: str,
        faults: list[Fault],
        done: Callable[[], Awaitable[Response]],
    ) -> Response:
        """Answer a request as far as faults let it be answered.

        Args:
            request: The request.
            service: Whose it is.
            faults: Those that could strike it.
            done: Does what it asks for.

        Raises:
            HangUp: The connection is to be reset.
        """
        is_lost = False
        for fault in faults:
            match fault.kind if fault.strikes() else None:
                case "latency":
                    await asyncio.sleep(_LATENCY if fault.seconds is None else fault.seconds)
                case "throttle" | "error":
                    return self._refuse(request, service, fault)
                case "reset":
                    self._counts.add(service, operation_of(request), _queue_of(request), 0)
                    raise HangUp
                case "lost_response":
                    is_lost = True
        response = await done()
        if is_lost:
            raise HangUp
        return response

    def _refuse(self, request: Request, service: str, fault: Fault) -> Response:
        status, code = _THROTTLED.get(service, _THROTTLED_ELSE) if fault.kind == "throttle" else _error(fault)
        status = fault.status or status
        self._counts.add(service, operation_of(request), _queue_of(request), status)
        return _refusal(request, service, status, code)


def _error(fault: Fault) -> tuple[int, str]:
    status = fault.status or _SERVER_ERRORS
    default = "InternalFailure" if status >= _SERVER_ERRORS else "ValidationError"
    return status, _CODES.get(status, default)


def _refusal(request: Request, service: str, status: int, code: str) -> Response:
    """An error as the service's own protocol has it."""
    text, id_ = "This fault was ordered.", new_id()
    header = (b"x-amzn-RequestId", id_.encode())
    if request.header(b"x-amz-target") or service == "lambda":
        shape = f"com.amazonaws.sqs#{code}" if service == "sqs" else code
        fault = "Sender" if status < _SERVER_ERRORS else "Receiver"
        named = ((b"x-amzn-query-error", f"{code};{fault}".encode()),) if service == "sqs" else ()
        kind = (b"x-amzn-ErrorType", code.encode())
        body = orjson.dumps({"__type": shape, "message": text})
        return Response(status, body, b"application/x-amz-json-1.0", (header, kind, *named))
    error = f"<Code>{code}</Code><Message>{text}</Message>"
    if service == "s3":
        body = f"<Error>{error}<RequestId>{id_}</RequestId></Error>"
        return Response(status, body.encode(), b"application/xml", (header,))
    kind = "Sender" if status < _SERVER_ERRORS else "Receiver"
    body = (
        f"<ErrorResponse><Error><Type>{kind}</Type>{error}</Error>"
        f"<RequestId>{id_}</RequestId></ErrorResponse>"
    )
    return Response(status, body.encode(), b"text/xml", (header,))


def _queue_of(request: Request) -> str:
    """The name of the queue that a request of SQS's is about."""
    if request.header(b"x-amz-target"):
        try:
            params = orjson.loads(request.body or b"{}")
        except orjson.JSONDecodeError:
            return ""
    else:
        _, params = query.read(form_of(request))
    if not isinstance(params, dict):
        return ""
    named = params.get("QueueUrl") or params.get("QueueName") or request.path
    return str(named).rstrip("/").rpartition("/")[2]
