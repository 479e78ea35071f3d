"""What SQS's refusals mean to cloudq, and what a person can do about each."""

from __future__ import annotations

from dataclasses import dataclass

from cloudq.brokers.sqs.names import Names
from cloudq.brokers.sqs.transport import AnswerLostError, BusyError, RefusedError
from cloudq.errors import BrokerError, QueueNotFoundError

__all__ = ["Refusal", "error_of", "plain_code"]

_SERVICE_PREFIX = "AWS.SimpleQueueService."
"""Stands before many codes in the query protocol, and botocore shows those.

Source: SQS API Reference, read 2026-11."""

_NOT_FOUND = {"NonExistentQueue", "QueueDoesNotExist", "InvalidAddress", "NotFound", "NotFoundException"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "KmsAccessDenied"}
_BAD_CREDENTIALS = {
    "AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidSecurity", "SignatureDoesNotMatch",
    "MissingAuthenticationToken", "UnrecognizedClientException",
}  # fmt: skip
_EXPIRED = "the credentials have expired; the next attempt takes fresh ones where there are any"
_TRANSIENT = {
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "RequestExpired": "the request's time is off; check this machine's clock",
    "OverLimit": "too many of the queue's messages are under a lease (about 120,000 may be)",
    "PurgeQueueInProgress": "a queue can be purged once in 60 seconds",
    "QueueDeletedRecently": "a queue of this name was deleted; it can be made again after 60 seconds",
    "RequestThrottled": "SQS is throttling",
    "KmsThrottled": "the key service is throttling",
    "RequestLimitExceeded": "SQS is throttling",
    "SlowDown": "SQS is throttling",
    "Throttled": "SNS is throttling",
    "Throttling": "SQS is throttling",
    "ThrottlingException": "SQS is throttling",
    "TooManyRequestsException": "SQS is throttling",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refusal as it came.

    Args:
        operation: What was asked: `SendMessageBatch`.
        full_name: The queue's name on AWS; empty where the request was about none.
        code: SQS's error code.
        text: SQS's words.
        status: The HTTP status.
        place: Where: the region, and the endpoint where it isn't AWS's.
        service: Who refused: `sqs`, `sns` or `sts`.
    """

    operation: str
    full_name: str
    code: str
    text: str
    status: int
    place: str
    service: str = "sqs"

    @property
    def kind(self) -> str:
        """What the name is a name of."""
        return "topic" if self.service == "sns" else "queue"


def plain_code(code: str) -> str:
    """An error code without the query protocol's prefix or the JSON protocol's namespace."""
    return code.removeprefix(_SERVICE_PREFIX).rpartition("#")[2]


def error_of(refusal: Refusal, names: Names) -> BrokerError:
    """The error that tells cloudq's users what a refusal means."""
    code = plain_code(refusal.code)
    queue = (names.short(refusal.full_name) or None) if refusal.kind == "queue" else None
    service = refusal.service.upper()
    said = f"{refusal.operation} on {_queue(refusal)}"
    if code in _NOT_FOUND:
        return QueueNotFoundError(_missing(refusal), queue=queue)
    if code in _DENIED:
        return RefusedError(
            f"AWS denied {refusal.service}:{_action(refusal.operation)} on {_queue(refusal)}: {refusal.text} "
            f"Grant it in the role's policy, or in the {refusal.kind}'s.",
            queue=queue,
            code=code,
        )
    if code in _BAD_CREDENTIALS:
        return RefusedError(
            f"AWS doesn't accept the credentials ({code}: {refusal.text}). Check them with "
            "`aws sts get-caller-identity`.",
            queue=queue,
            code=code,
        )
    if code in _TRANSIENT:
        return BusyError(f"{said}: {_TRANSIENT[code]} ({code}). Try again later.", queue=queue)
    if refusal.status >= 500:  # SQS may have done it before it failed
        return AnswerLostError(f"{said}: {service} failed ({code}: {refusal.text}). Try again.", queue=queue)
    return RefusedError(f"{said}: {service} refused: {code}: {refusal.text}", queue=queue, code=code)


def _queue(refusal: Refusal) -> str:
    return f"{refusal.kind} {refusal.full_name!r} ({refusal.place})" if refusal.full_name else refusal.place


def _missing(refusal: Refusal) -> str:
    return (
        f"There is no {refusal.kind} {refusal.full_name!r} in {refusal.place} (or this account may not see "
        "it). "
        "Deploy the template that makes it, or set CLOUDQ_CREATE_QUEUES=true to have it made."
    )


def _action(operation: str) -> str:
    # A policy grants the single action, which covers its batch form.
    return operation.removesuffix("Batch")
