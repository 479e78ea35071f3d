"""Which of the page's paths shows or does what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

from cloudq_emulator.http import Response
from cloudq_emulator.page import one_queue, overview
from cloudq_emulator.page.html import frame
from cloudq_emulator.page.recent import Recent
from cloudq_emulator.sqs.errors import SqsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudq_emulator.clock import MovableClock
    from cloudq_emulator.counts import RequestCounts
    from cloudq_emulator.faults import Faults
    from cloudq_emulator.http import Request
    from cloudq_emulator.sqs.engine.queue import Queue
    from cloudq_emulator.sqs.service import SqsService

_HOME: Final = "/_cloudq"
_PATHS: Final = "/_cloudq/page/"
_SEE_OTHER: Final = 303


class Site:
    """The page.

    Args:
        clock: The clock.
        sqs: The queues.
        counts: The count of requests.
        faults: The faults.
    """

    def __init__(self, clock: MovableClock, sqs: SqsService, counts: RequestCounts, faults: Faults) -> None:
        self._clock = clock
        self._sqs = sqs
        self._faults = faults
        self._recent = Recent(counts)
        self._actions: dict[str, Callable[[dict[str, str]], None]] = {
            "clock": self._move_clock,
            "send": self._send,
            "purge": self._purge,
            "redrive": self._redrive,
        }

    def owns(self, path: str) -> bool:
        """Whether a path is the page's; without the slash at its end."""
        return path == _HOME or path.startswith(_PATHS)

    def answer(self, request: Request) -> Response:
        """Show a view, or do what a form says and lead back to a view."""
        if request.method == "POST":
            return self._do(request)
        self._sqs.settle()
        asked = _values(request.query)
        if request.path.rstrip("/") == _HOME:
            return _shown(self._overview(asked.get("error", "")))
        queue = self._sqs.registry.by_arn(asked.get("arn", ""))
        if queue is None:
            return _shown(self._overview("There is no such queue."), 404)
        return _shown(self._queue(queue, asked.get("error", "")))

    def _overview(self, error: str) -> bytes:
        return frame(
            "Overview",
            error,
            overview.clock_view(self._clock),
            overview.queues_view(self._sqs.registry),
            overview.requests_view(self._recent),
            overview.functions_view(),
            overview.faults_view(self._faults),
        )

    def _queue(self, queue: Queue, error: str) -> bytes:
        return frame(
            queue.name,
            error,
            one_queue.counts_view(queue),
            one_queue.actions_view(queue, self._sqs.registry.sources_of(queue)),
            one_queue.messages_view(queue),
            one_queue.attributes_view(queue),
        )

    def _do(self, request: Request) -> Response:
        action = self._actions.get(request.path.removeprefix(_PATHS).rstrip("/"))
        if action is None or not _is_own(request):
            return Response(403, b"That is nothing that this page would ask for.", b"text/plain")
        values = _values(request.body.decode("utf-8", "replace"))
        queue = self._sqs.registry.by_arn(values.get("arn", ""))
        back = overview.link_to(queue) if queue is not None else f"{_HOME}/"
        try:
            action(values)
        except (SqsError, ValueError, KeyError) as error:
            text = _text_of(error)
            back += f"{'&' if '?' in back else '?'}error={quote(text)}"
        return Response(_SEE_OTHER, b"", b"text/html", ((b"Location", back.encode()),))

    def _move_clock(self, values: dict[str, str]) -> None:
        if "freeze" in values:
            self._clock.freeze(frozen=values["freeze"] == "True")
        else:
            self._clock.advance(float(values["advance"]))

    def _send(self, values: dict[str, str]) -> None:
        names = ("MessageBody", "MessageGroupId", "MessageDeduplicationId")
        body = values.get("MessageBody", "").replace("\r\n", "\n")
        given = {**{name: values[name] for name in names if values.get(name)}, "MessageBody": body}
        self._perform("SendMessage", values["arn"], given)

    def _purge(self, values: dict[str, str]) -> None:
        self._perform("PurgeQueue", values["arn"], {})

    def _redrive(self, values: dict[str, str]) -> None:
        self._perform("StartMessageMoveTask", values["arn"], {"SourceArn": values["arn"]})

    def _perform(self, operation: str, arn: str, params: dict[str, Any]) -> None:
        region, account, name = arn.split(":", 5)[3:]
        if operation != "StartMessageMoveTask":
            params = {"QueueUrl": f"{self._sqs.origin}/{account}/{name}", **params}
        self._sqs.perform(operation, self._sqs.begin(params, account=account, region=region))


def _text_of(error: Exception) -> str:
    match error:
        case SqsError():
            return error.message
        case KeyError():
            return f"The form lacks {error}."
        case _:
            return str(error)


def _values(form: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(form, keep_blank_values=True).items()}


def _is_own(request: Request) -> bool:
    """Whether a form is of this page: any site that somebody visits could post to this address."""
    origin = request.header(b"origin")
    return not origin or urlsplit(origin).netloc == request.header(b"host")


def _shown(page: bytes, status: int = 200) -> Response:
    return Response(status, page, b"text/html; charset=utf-8", ((b"Cache-Control", b"no-store"),))
