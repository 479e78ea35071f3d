"""Tasks in AWS Lambda: what an event source mapping of an SQS queue invokes.

    Handler: cloudq.lambda_handler.handler          with CLOUDQ_APP=shop.tasks:app
    handler = cloudq.lambda_handler.for_app(app)    in a module of your own
    record_handler(app)                             inside a Powertools BatchProcessor

| module | what it holds |
|---|---|
| `entry` | the three entrances above |
| `event` | the event's records as deliveries |
| `batch` | one invocation: which records run, how each ends |
| `remaining` | how much of the invocation is left |
| `fifo` | which groups stand still after a failure |
| `delays` | what goes back to the queue, at the end and all at once |

The mapping must report batch item failures (`FunctionResponseTypes: [ReportBatchItemFailures]`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloudq.lambda_handler.entry import Handler, for_app, from_environment, record_handler

if TYPE_CHECKING:
    handler: Handler

__all__ = ["Handler", "for_app", "handler", "record_handler"]


def __getattr__(name: str) -> Any:
    """Make `handler` when it is asked for: in Lambda's init phase, which shows what goes wrong."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    made = globals()["handler"] = from_environment()
    return made
