"""SQS over HTTP: which requests are its own, and how they are answered."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.caller import form_of, operation_of
from cloudq_emulator.http import Response
from cloudq_emulator.sqs.actions import ACTIONS, Reception
from cloudq_emulator.sqs.engine.message import new_id
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.sqs.protocol import json, kinds, query, query_as_json
from cloudq_emulator.sqs.refusals import INVALID_ACTION, MALFORMED_REQUEST

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine
    from types import ModuleType

    from cloudq_emulator.caller import Caller
    from cloudq_emulator.counts import RequestCounts
    from cloudq_emulator.http import Headers, Request
    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.service import SqsService

_OPERATIONS: Final = {json.TARGET_PREFIX + name.encode(): name for name in ACTIONS}
_NOT_A_QUEUES: Final = frozenset({"CreateQueue", "ListQueues"})
"""Operations that a queue's own URL doesn't know."""
_HOST: Final = re.compile(r"(?:[a-z0-9-]+\.)?(?:sqs|queue)\.")
_QUEUE_PATH: Final = re.compile(r"/(?:queue/[a-z0-9-]+/)?\d{12}/[A-Za-z0-9_-]+(?:\.fifo)?/?")


class SqsDoor:
    """Answers SQS's requests in whichever protocol they come.

    Args:
        service: SQS.
        counts: Where requests are counted.
    """

    def __init__(self, service: SqsService, counts: RequestCounts) -> None:
        self._service = service
        self._counts = counts

    def is_json(self, request: Request) -> bool:
        """Whether a request is SQS's in the JSON protocol."""
        return request.headers.get(b"x-amz-target", b"").startswith(json.TARGET_PREFIX)

    def is_query(self, request: Request, caller: Caller) -> bool:
        """Whether a request is SQS's in the query protocol: by signature or host, or else by what it asks.

        So is what was signed for SQS, and asks another service's operation: that has to be refused.
        """
        if b"x-amz-target" in request.headers:
            return caller.service == "sqs"
        if caller.service:
            return caller.service == "sqs"
        if _HOST.match(request.header(b"host")) or _QUEUE_PATH.fullmatch(request.path):
            return True
        return operation_of(request) in ACTIONS

    def answer_json(self, request: Request, caller: Caller) -> Response | Coroutine[None, None, Response]:
        """Answer in the JSON protocol."""
        target = request.headers[b"x-amz-target"]
        operation = _OPERATIONS.get(target) or target[len(json.TARGET_PREFIX) :].decode("latin-1")
        return self._answer(operation, None, request, caller, _JSON)

    def answer_query(self, request: Request, caller: Caller) -> Response | Coroutine[None, None, Response]:
        """Answer in the query protocol; a queue's URL may be the request's own path."""
        if b"x-amz-target" in request.headers:
            return _JSON.refuse(INVALID_ACTION.error(operation=operation_of(request)))
        operation, params = query.read(form_of(request))
        if not operation:
            return Response(404, query.write_unknown(), query.CONTENT_TYPE, (_request_id(),))
        protocol = query_as_json if "json" in request.header(b"accept") else query
        exchange = _QueryExchange(operation, protocol)
        if _QUEUE_PATH.fullmatch(request.path):
            if operation in _NOT_A_QUEUES:
                return exchange.refuse(INVALID_ACTION.error(operation=operation))
            params.setdefault("QueueUrl", request.path)
        return self._answer(operation, params, request, caller, exchange)

    def refuse_unreadable(self, headers: Headers, reason: str) -> Response:
        """Answer what is no HTTP, in the JSON protocol if as much as was read says that it is its."""
        error = MALFORMED_REQUEST.error(reason=reason)
        is_json = any(name.lower() == b"x-amz-target" for name, _ in headers)
        return _JSON.refuse(error) if is_json else _QueryExchange("", query).refuse(error)

    def _answer(
        self,
        operation: str,
        params: dict[str, Any] | None,
        request: Request,
        caller: Caller,
        exchange: _JsonExchange | _QueryExchange,
    ) -> Response | Coroutine[None, None, Response]:
        call = None
        try:
            params = json.read(request.body) if params is None else kinds.check(params, is_query=True)
            host = request.headers.get(b"host")
            call = self._service.begin(
                params, account=caller.account, region=caller.region, origin=_origin(host) if host else ""
            )
            if b"x-amzn-trace-id" in request.headers:
                call.trace = request.header(b"x-amzn-trace-id")
            answer = self._service.perform(operation, call)
        except SqsError as error:
            queue = call.touched.name if call and call.touched else ""
            self._counts.add("sqs", operation, queue, error.status)
            return exchange.refuse(error)
        if isinstance(answer, Reception):
            return self._answer_later(operation, call, self._service.polls.wait(answer), exchange)
        self._counts.add("sqs", operation, call.touched.name if call.touched else "", 200)
        return exchange.accept(answer)

    async def _answer_later(
        self,
        operation: str,
        call: Call,
        coming: Awaitable[dict[str, Any]],
        exchange: _JsonExchange | _QueryExchange,
    ) -> Response:
        answer = await coming
        self._counts.add("sqs", operation, call.touched.name if call.touched else "", 200)
        return exchange.accept(answer)


class _JsonExchange:
    """The answers of one JSON request."""

    def accept(self, answer: dict[str, Any]) -> Response:
        return Response(200, json.write(answer), json.CONTENT_TYPE, (_request_id(),))

    def refuse(self, error: SqsError) -> Response:
        body, code = json.write_error(error)
        return Response(error.status, body, json.CONTENT_TYPE, (_request_id(), (b"x-amzn-query-error", code)))


_JSON: Final = _JsonExchange()


class _QueryExchange:
    """The answers of one query request, written as its client likes them."""

    def __init__(self, operation: str, writer: ModuleType) -> None:
        self._operation = operation
        self._writer = writer

    def accept(self, answer: dict[str, Any]) -> Response:
        header = _request_id()
        body = self._writer.write(self._operation, answer, header[1].decode())
        return Response(200, body, self._writer.CONTENT_TYPE, (header,))

    def refuse(self, error: SqsError) -> Response:
        header = _request_id()
        body = self._writer.write_error(error, header[1].decode())
        return Response(error.status, body, self._writer.CONTENT_TYPE, (header,))


def _request_id() -> tuple[bytes, bytes]:
    return b"x-amzn-RequestId", new_id().encode()


@functools.lru_cache(maxsize=100)
def _origin(host: bytes) -> str:
    return f"http://{host.decode('latin-1')}"
