"""Batch requests: SQS answers 200 with failures inside, so each entry has an answer of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudq.brokers.sqs.refusals import plain_code
from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.clock import Clock
from cloudq.errors import BrokerUnavailableError

__all__ = ["Answered", "Failed", "Succeeded", "raise_if_out_of_reach", "request_batch"]

PAUSES = (0.1, 0.4)
"""Seconds before an entry that failed through no fault of its own is tried again: twice."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """SQS did it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """SQS didn't do it.

    Args:
        code: SQS's error code, without its service prefix.
        text: SQS's words.
        is_ours: Whether the entry itself is at fault, so that another try would fail, too.
    """

    code: str
    text: str
    is_ours: bool


BatchRequest = Callable[[Sequence[Mapping[str, Any]]], Mapping[str, Any]]

Answered = Succeeded | Failed | BrokerUnavailableError
"""The error answers for an entry whose request failed as a whole: `AnswerLostError` where it may be done."""


def request_batch(
    request: BatchRequest, clock: Clock, operation: str, entries: Sequence[Mapping[str, Any]]
) -> list[Answered]:
    """Make one batch request, and further ones for those entries that failed through no fault of theirs.

    Args:
        request: Makes it, with entries that have ids.
        clock: What measures the pauses between.
        operation: As in the API Reference: `SendMessageBatch`.
        entries: At most ten, without ids.
    """
    answers: list[Answered] = [Failed("", "", is_ours=False)] * len(entries)
    left = list(range(len(entries)))
    for pause in (*PAUSES, None):
        named = [{"Id": str(index), **entries[index]} for index in left]
        for index, answer in zip(left, _request(request, operation, named), strict=True):
            answers[index] = answer
        left = [index for index in left if _is_worth_a_try(answers[index])]
        if not left or pause is None:
            break
        clock.sleep(pause)
    return answers


def raise_if_out_of_reach(answers: Sequence[Answered]) -> None:
    """Raise where surely nothing was done, since SQS couldn't be reached or throttled every request."""
    errors = [answer for answer in answers if isinstance(answer, BrokerUnavailableError)]
    lost = any(isinstance(error, AnswerLostError) for error in errors)
    if errors and len(errors) == len(answers) and not lost:
        # A new error each time: one of a batch belongs to several threads' entries.
        raise BrokerUnavailableError(str(errors[0]), queue=errors[0].queue) from errors[0]


def _request(request: BatchRequest, operation: str, entries: Sequence[Mapping[str, Any]]) -> list[Answered]:
    try:
        answer = request(entries)
    except BrokerUnavailableError as error:
        return [error] * len(entries)
    failed = {entry["Id"]: _failed(entry) for entry in answer.get("Failed", ())}
    succeeded = {entry["Id"] for entry in answer.get("Successful", ())}
    lost = AnswerLostError(f"{operation}: SQS's answer doesn't mention the entry.")
    return [failed.get(entry["Id"], Succeeded() if entry["Id"] in succeeded else lost) for entry in entries]


def _failed(entry: Mapping[str, Any]) -> Failed:
    return Failed(plain_code(entry.get("Code", "")), entry.get("Message", ""), bool(entry.get("SenderFault")))


def _is_worth_a_try(answer: Answered) -> bool:
    return isinstance(answer, Failed) and not answer.is_ours
