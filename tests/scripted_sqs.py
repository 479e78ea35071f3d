"""SQS's answers as a test wants them, at the seam where boto3 stands otherwise."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

from cloudq.brokers.sqs import SqsBroker
from cloudq.clock import FakeClock
from cloudq.errors import QueueNotFoundError


class HastyClock(FakeClock):
    """A clock on which a sleep takes no time."""

    def sleep(self, seconds):
        self.advance(seconds)


class ScriptedSqs:
    """A transport that succeeds at everything, but where an answer is scripted for an operation.

    Args:
        **answers: By operation: a list of answers, one after the other (then everything succeeds again), or a
            function of the parameters. An exception is raised.
    """

    def __init__(self, **answers: list[Any] | Callable[[dict[str, Any]], Any]) -> None:
        self.endpoint, self.region = "https://sqs.eu-west-1.amazonaws.com", "eu-west-1"
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.missing: set[str] = set()
        self.closed_count = 0
        self._answers = {
            name: answer if callable(answer) else iter(answer) for name, answer in answers.items()
        }
        self._lock = threading.Lock()

    def broker(self, clock=None, **options) -> SqsBroker:
        """A broker on it."""
        return SqsBroker(self, clock=clock or HastyClock(), **options)

    def call(self, operation, **params):
        with self._lock:
            self.calls.append((operation, params))
            scripted = self._answers.get(operation, ())
            answer = None if callable(scripted) else next(iter(scripted), None)
        if callable(scripted):
            answer = scripted(params)
        if answer is None:
            answer = self._success(operation, params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        self.closed_count += 1

    def asked(self, operation) -> list[dict[str, Any]]:
        """The parameters of each call of an operation."""
        return [params for name, params in self.calls if name == operation]

    def entries(self, operation) -> list[list[dict[str, Any]]]:
        """The entries of each batch."""
        return [list(params["Entries"]) for params in self.asked(operation)]

    def _success(self, operation, params):
        match operation:
            case "GetQueueUrl" if params["QueueName"] in self.missing:
                return QueueNotFoundError("no such queue", queue=params["QueueName"])
            case "GetQueueUrl" | "CreateQueue":
                return {"QueueUrl": f"https://sqs.eu-west-1.amazonaws.com/1/{params['QueueName']}"}
            case "GetQueueAttributes":
                return {"Attributes": {"QueueArn": "arn:aws:sqs:eu-west-1:1:" + name_of(params)}}
            case "ReceiveMessage":
                return {}
            case _:
                return {"Successful": [{"Id": entry["Id"]} for entry in params.get("Entries", ())]}


def name_of(params) -> str:
    """The name of the queue that a request is about."""
    return params["QueueUrl"].rpartition("/")[2]


def failing(ids, *, code="InternalError", is_ours=False):
    """An answer to a batch in which some entries fail, and the others don't."""

    def answer(params):
        named = [entry["Id"] for entry in params["Entries"]]
        return {
            "Successful": [{"Id": name} for name in named if name not in ids],
            "Failed": [
                {"Id": name, "Code": code, "Message": f"{name} failed.", "SenderFault": is_ours}
                for name in named
                if name in ids
            ],
        }

    return answer


_numbers = itertools.count(1)


def message(body="{}", *, count=1, **fields):
    """A message as ReceiveMessage answers it."""
    number = next(_numbers)
    return {
        "MessageId": f"m-{number}",
        "ReceiptHandle": f"handle-{number}",
        "Body": body,
        "Attributes": {"ApproximateReceiveCount": str(count), "SentTimestamp": "1800000000123"},
        **fields,
    }
