"""The control API: everything under ``/_cloudq/``, and the two paths that people's habits expect."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

import orjson

from cloudq_emulator.faults import FaultError
from cloudq_emulator.http import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.counts import RequestCounts
    from cloudq_emulator.faults import Fault, Faults
    from cloudq_emulator.http import Request
    from cloudq_emulator.lambda_.killing import Killer
    from cloudq_emulator.page.site import Site
    from cloudq_emulator.sqs.disturbing import SqsDisturber
    from cloudq_emulator.sqs.engine.message import Message
    from cloudq_emulator.sqs.service import SqsService

_PEEK: Final = 100
"""Messages that a peek shows: the oldest."""

_PEEK_PATH: Final = re.compile(r"/_cloudq/queues/([A-Za-z0-9_.-]+)/messages")
_FAULT_PATH: Final = re.compile(r"/_cloudq/faults/([a-z0-9-]+)")
_RESETS: Final = frozenset({"/_cloudq/reset", "/moto-api/reset"})
_OTHERS: Final = _RESETS | {"/_cloudq"}
_SERVICES: Final = (
    *(
        "cloudformation",
        "cloudwatch",
        "dynamodb",
        "events",
        "iam",
        "kms",
        "lambda",
        "logs",
        "s3",
        "scheduler",
    ),
    *("secretsmanager", "sns", "sqs", "ssm", "stepfunctions", "sts"),
)
"""Those that scripts wait for; moto has many more."""


class Control:
    """Answers the control API.

    Args:
        clock: The clock to be moved.
        sqs: The queues to be looked into.
        counts: The count of requests.
        faults: Takes orders for faults.
        site: The page.
        reset: Empties the whole emulator.
        account: Whose queues are meant where none is named.
    """

    def __init__(
        self,
        clock: MovableClock,
        sqs: SqsService,
        counts: RequestCounts,
        faults: FaultOrders,
        site: Site,
        reset: Callable[[], Awaitable[None]],
        account: str,
    ) -> None:
        self._account = account
        self._clock = clock
        self._sqs = sqs
        self._counts = counts
        self._faults = faults
        self._site = site
        self._reset = reset
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/_cloudq/health"): self._health,
            ("GET", "/_localstack/health"): self._localstack_health,
            ("GET", "/_cloudq/requests"): self._show_counts,
            ("DELETE", "/_cloudq/requests"): self._clear_counts,
            ("GET", "/_cloudq/clock"): self._show_clock,
            ("POST", "/_cloudq/clock"): self._move_clock,
            ("GET", "/_cloudq/faults"): self._show_faults,
            ("POST", "/_cloudq/faults"): self._add_fault,
            ("DELETE", "/_cloudq/faults"): self._clear_faults,
        }

    def owns(self, path: str) -> bool:
        """Whether a path is the control API's."""
        return path.startswith(("/_cloudq/", "/_localstack/")) or path in _OTHERS

    async def answer(self, request: Request) -> Response:
        """Answer a request to it."""
        path = request.path.rstrip("/")
        if request.method == "POST" and path in _RESETS:
            await self._reset()
            return _ok({"status": "ok"})
        if self._site.owns(path):
            return self._site.answer(request)
        route = self._routes.get(("GET" if request.method == "HEAD" else request.method, path))
        if route is not None:
            return route(request)
        fault = _FAULT_PATH.fullmatch(path)
        if request.method == "DELETE" and fault is not None:
            return self._remove_fault(fault[1])
        queue = _PEEK_PATH.fullmatch(path)
        if request.method == "GET" and queue is not None:
            return self._peek(queue[1], request.query)
        return _error(404, f"There is no {request.method} {path}.")

    def _health(self, _: Request) -> Response:
        return _ok({"status": "up", "waiting": self._sqs.polls.count})

    def _localstack_health(self, _: Request) -> Response:
        return _ok({"services": dict.fromkeys(_SERVICES, "running"), "edition": "cloudq"})

    def _show_counts(self, _: Request) -> Response:
        return _ok({"requests": self._counts.rows()})

    def _clear_counts(self, request: Request) -> Response:
        self._counts.clear()
        return self._show_counts(request)

    def _show_clock(self, _: Request) -> Response:
        now = datetime.fromtimestamp(self._clock.now(), UTC).isoformat().replace("+00:00", "Z")
        return _ok({"now": now, "frozen": self._clock.frozen, "scale": self._clock.scale})

    def _move_clock(self, request: Request) -> Response:
        try:
            _move(self._clock, orjson.loads(request.body or b"{}"))
        except ValueError as error:
            return _error(
                400, f"{error}. Send one of advance (seconds), set (RFC 3339), freeze (bool), scale (> 0)."
            )
        return self._show_clock(request)

    def _show_faults(self, _: Request) -> Response:
        return _ok({"faults": [fault.shown() for fault in self._faults.all]})

    def _add_fault(self, request: Request) -> Response:
        try:
            return _ok({"id": self._faults.order(orjson.loads(request.body or b"{}")).id})
        except (FaultError, orjson.JSONDecodeError) as error:
            return _error(400, str(error))

    def _clear_faults(self, request: Request) -> Response:
        self._faults.all.clear()
        return self._show_faults(request)

    def _remove_fault(self, id: str) -> Response:
        return _ok({}) if self._faults.all.remove(id) else _error(404, f"There is no fault {id}.")

    def _peek(self, name: str, query: str) -> Response:
        wanted = dict(parse_qsl(query))
        namesakes = [
            queue
            for queue in self._sqs.registry
            if queue.name == name
            and queue.account == wanted.get("account", queue.account)
            and queue.region == wanted.get("region", queue.region)
        ]
        namesakes.sort(key=lambda queue: queue.account != self._account)  # those of who is nobody come first
        queue = next(iter(namesakes), None)
        if queue is None:
            return _error(404, f"There is no queue {' '.join([name, *wanted.values()])}.")
        self._sqs.settle()
        shown = [_shown(message) for message in itertools.islice(queue, _PEEK)]
        return _ok({"queue": queue.arn, "messages": shown})


class FaultOrders:
    """Takes orders for faults; some of them strike at once.

    Args:
        faults: Those that stand.
        sqs: Ends leases.
        killer: Kills functions.
    """

    def __init__(self, faults: Faults, sqs: SqsDisturber, killer: Killer) -> None:
        self.all = faults
        self._sqs = sqs
        self._killer = killer

    def order(self, order: dict[str, Any]) -> Fault:
        """Order one.

        Raises:
            FaultError: There is no such fault.
        """
        fault = self.all.add(order)
        match fault.kind:
            case "expire_lease":
                self._sqs.expire_leases(fault)
            case "kill_function":
                self._killer.kill(fault)
        return fault


def _move(clock: MovableClock, order: object) -> None:
    if not isinstance(order, dict) or len(order) != 1:
        raise ValueError(f"Exactly one thing can be done to the clock at a time, not {order}")
    match order:
        case {"advance": float() | int() as seconds} if not isinstance(seconds, bool):
            clock.advance(seconds)
        case {"set": str() as moment}:
            clock.set(_instant(moment))
        case {"freeze": bool() as frozen}:
            clock.freeze(frozen=frozen)
        case {"scale": float() | int() as scale} if not isinstance(scale, bool):
            clock.rescale(scale)
        case _:
            raise ValueError(f"The clock doesn't understand {order}")


def _instant(moment: str) -> float:
    at = datetime.fromisoformat(moment)
    if at.tzinfo is None:
        raise ValueError(f"{moment} has no offset; end it in Z for UTC")
    return at.timestamp()


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "state": message.state,
        "body": message.body,
        "attributes": message.attributes or {},
        "group": message.group,
        "sent_at": message.sent_at,
        "receive_count": message.receive_count,
        "dead_letter_source": message.dead_letter_source,
    }


def _ok(content: dict[str, Any]) -> Response:
    return Response(200, orjson.dumps(content))


def _error(status: int, message: str) -> Response:
    return Response(status, orjson.dumps({"error": message}))
