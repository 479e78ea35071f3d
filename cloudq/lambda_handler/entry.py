"""The ways in: the handler that Lambda names, one for an app, one for a record."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from cloudq.app import App
from cloudq.config import environment
from cloudq.delivery import Delivery
from cloudq.errors import ConfigurationError, TaskError
from cloudq.finding import load
from cloudq.lambda_handler.batch import Batch
from cloudq.lambda_handler.event import Reader, queue_prefix
from cloudq.lambda_handler.remaining import LambdaContext

__all__ = ["Handler", "ItemFailure", "Response", "for_app", "from_environment", "record_handler"]

logger = logging.getLogger(__name__)


class ItemFailure(TypedDict):
    """A record that Lambda leaves in its queue."""

    itemIdentifier: str


class Response(TypedDict):
    """What the event source mapping reads: it deletes the records that aren't named here.

    Source: AWS Lambda Developer Guide, "Handling errors for an SQS event source", read 2026-11.
    """

    batchItemFailures: list[ItemFailure]


Handler = Callable[[Mapping[str, Any], LambdaContext | None], Response]
"""What Lambda calls, with the event and its context."""


def from_environment() -> Handler:
    """A handler for the app that `CLOUDQ_APP` names.

    Raises:
        ConfigurationError: It names none, or its module has none.
        Exception: Whatever importing the app's module raises.
    """
    spec = environment("CLOUDQ_APP")
    if not spec:
        raise ConfigurationError(
            "CLOUDQ_APP isn't set: give the function's environment the app's place, as in "
            "CLOUDQ_APP=shop.tasks:app."
        )
    try:
        app = load(spec)
    except AttributeError as error:
        # Lambda's runtime client would take it for a handler that doesn't exist.
        raise ConfigurationError(
            f"CLOUDQ_APP={spec}: importing it failed: AttributeError: {error}"
        ) from error
    app.broker  # noqa: B018 - a URL that doesn't fit shows now, not with the first message
    app.backend  # noqa: B018 - as above
    return for_app(app)


def for_app(app: App) -> Handler:
    """A Lambda handler that runs an app's tasks.

    No exception of a task or a message escapes from it, since that would return the whole batch.

    Args:
        app: The app, with all its tasks.

    Raises:
        ConfigurationError: The app's broker isn't configured.
    """
    read = Reader(queue_prefix(app.conf.settings.broker_url))

    def handle(event: Mapping[str, Any], context: LambdaContext | None) -> Response:
        deliveries = read.deliveries(event)
        started_at = app.clock.monotonic()
        failed = Batch(app, context).run(deliveries)
        logger.info(
            "%d of %d records done",
            len(deliveries) - len(failed),
            len(deliveries),
            extra={
                "action": "batch_done",
                "records": len(deliveries),
                "failed": len(failed),
                "seconds": round(app.clock.monotonic() - started_at, 6),
            },
        )
        return {"batchItemFailures": [{"itemIdentifier": delivery.id} for delivery in failed]}

    return handle


def record_handler(app: App) -> Callable[..., None]:
    """A handler of single records, for a Powertools `BatchProcessor` of your own.

    Each record that fails is given back by a request of its own; `for_app` makes one for the whole batch, so
    take that where nothing else needs the processor. For a FIFO queue use Powertools'
    `SqsFifoPartialProcessor(skip_group_on_error=True)`: what may follow a failure is its decision. Let it
    report (`raise_on_entire_batch_failure=False`) where every record fails.

    Args:
        app: The app, with all its tasks.

    Returns:
        A function of `record` (an `SQSRecord`, or the record as the event has it) and `lambda_context`, which
        Powertools fills in by their names. It raises `TaskError` where the record must stay in its queue.
    """
    read = Reader(queue_prefix(app.conf.settings.broker_url))

    def handle(record: Mapping[str, Any], lambda_context: LambdaContext | None = None) -> None:
        delivery = read.delivery(record)
        failed = Batch(app, lambda_context).run([delivery])
        if failed:
            raise _failed(delivery)

    return handle


def _failed(delivery: Delivery) -> TaskError:
    return TaskError(
        f"Message {delivery.id} goes back to queue {delivery.queue!r}; the log line before says why.", task=""
    )
