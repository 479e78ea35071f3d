"""Every exception that cloudq raises, and the signals that a task steers its message with.

CloudqError
├── ConfigurationError (ValueError)      a setting, a URL or an option is wrong
├── AppImportError                       the app's module raised while it was imported
├── SerializationError
│   ├── EncodeError                      a value can't travel as JSON
│   └── DecodeError                      a body can't be read
│       └── UnknownVersionError          a body of a wire format newer than this reader
├── ArgumentError (TypeError)            an argument doesn't fit the task's signature
├── BrokerError                          raised by ``cloudq.brokers`` only
│   ├── BrokerUnavailableError           transient: the call may be made again
│   ├── QueueNotFoundError
│   ├── MessageTooLargeError
│   ├── NotAcceptedError                 the broker refused a message, or its answer was lost
│   └── UnsupportedError                 the broker can't do it; known from its ``Limits``
├── BackendError                         raised by ``cloudq.backends`` only
│   └── BackendUnavailableError          transient
├── TaskError
│   ├── UnknownTaskError
│   ├── TimeLimitError (TimeoutError)      the hard one: the run's process was killed
│   └── SoftTimeLimitError (TimeoutError)  raised inside the run, for it to clean up
└── ResultError
    ├── ResultTimeoutError (TimeoutError)
    └── TaskFailedError

TaskSignal (Exception)                   no errors: a task raises them to steer
├── Retry(countdown)
├── Reject(requeue)
└── Ignore
"""

from __future__ import annotations

import math
from datetime import timedelta


class CloudqError(Exception):
    """The root of every error of cloudq."""


class ConfigurationError(CloudqError, ValueError):
    """A setting, a URL or an option is wrong; the message names it and what is accepted."""


class AppImportError(CloudqError):
    """Importing the app's module failed.

    Args:
        message: Which, and why in one line.
        traceback: The module's, without cloudq's frames; empty where its code wasn't reached.
    """

    def __init__(self, message: str, traceback: str) -> None:
        super().__init__(message)
        self.traceback = traceback


class SerializationError(CloudqError):
    """A value can't be written to, or read from, the wire."""


class EncodeError(SerializationError):
    """A value can't travel as JSON; the message names where it stands."""


class DecodeError(SerializationError):
    """A body can't be read as a message.

    Args:
        message: What was wrong.
        data: The body as it came.
    """

    def __init__(self, message: str, data: bytes) -> None:
        super().__init__(message)
        self.data = data


class UnknownVersionError(DecodeError):
    """A body whose wire format is newer than this reader: a newer producer, as during a deploy."""


class ArgumentError(CloudqError, TypeError):
    """An argument doesn't fit a task's signature.

    Args:
        message: What was wrong, with the task's and the argument's names.
        task: The task's name.
        argument: The argument's name; None where the call as a whole doesn't fit.
    """

    def __init__(self, message: str, *, task: str, argument: str | None = None) -> None:
        super().__init__(message)
        self.task = task
        self.argument = argument


class BrokerError(CloudqError):
    """A broker couldn't do what was asked.

    Args:
        message: What happened and what to do.
        queue: The queue that it happened to, where there is one.
    """

    def __init__(self, message: str, *, queue: str | None = None) -> None:
        super().__init__(message)
        self.queue = queue


class BrokerUnavailableError(BrokerError):
    """The broker couldn't be reached or was overloaded; the same call may be made again."""


class QueueNotFoundError(BrokerError):
    """The queue doesn't exist on the broker."""


class MessageTooLargeError(BrokerError):
    """A message is larger than the broker takes.

    Args:
        message: What happened and what to do.
        queue: The queue it was meant for; None for a topic.
        size_bytes: The message's size.
        limit_bytes: The broker's limit.
    """

    def __init__(self, message: str, *, queue: str | None, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(message, queue=queue)
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class NotAcceptedError(BrokerError):
    """The broker refused a message, or the answer was lost and the message may be there.

    Args:
        message: What happened.
        queue: The queue it was meant for; None for a topic.
        may_be_sent: Whether the message may be in the queue all the same.
    """

    def __init__(self, message: str, *, queue: str | None, may_be_sent: bool) -> None:
        super().__init__(message, queue=queue)
        self.may_be_sent = may_be_sent


class UnsupportedError(BrokerError):
    """The broker can't do what is asked of it; raised before anything is sent."""


class BackendError(CloudqError):
    """The result backend couldn't do what was asked."""


class BackendUnavailableError(BackendError):
    """The result backend couldn't be reached; the same call may be made again."""


class TaskError(CloudqError):
    """Something is wrong with a task.

    Args:
        message: What was wrong.
        task: The task's name.
    """

    def __init__(self, message: str, *, task: str) -> None:
        super().__init__(message)
        self.task = task


class UnknownTaskError(TaskError):
    """No task of this name is registered here; the message lists the nearest names."""


class TimeLimitError(TaskError, TimeoutError):
    """A task ran past its hard time limit and was stopped."""


class SoftTimeLimitError(TaskError, TimeoutError):
    """Raised inside a run that has passed its soft time limit: catch it to clean up."""

    def __init__(self, message: str = "The run has passed its soft time limit.", *, task: str = "") -> None:
        super().__init__(message, task=task)


class ResultError(CloudqError):
    """A result can't be had.

    Args:
        message: Why, and what to do.
        id: The message's id.
    """

    def __init__(self, message: str, *, id: str) -> None:
        super().__init__(message)
        self.id = id


class ResultTimeoutError(ResultError, TimeoutError):
    """The result wasn't there in time; the task may still finish."""


class TaskFailedError(ResultError):
    """The task failed for good.

    Args:
        message: What happened.
        id: The message's id.
        error: The type and text of what the task raised.
        traceback: Its traceback, as text; empty where there is none.
    """

    def __init__(self, message: str, *, id: str, error: str, traceback: str = "") -> None:
        super().__init__(message, id=id)
        self.error = error
        self.traceback = traceback


class TaskSignal(Exception):
    """Raised by a task to steer its message; no error."""


class Retry(TaskSignal):
    """Run this message again later; counts against the task's ``retries``.

    Args:
        countdown: Seconds until then; None takes the task's own backoff.
    """

    def __init__(self, countdown: float | timedelta | None = None) -> None:
        super().__init__(countdown)
        seconds = countdown.total_seconds() if isinstance(countdown, timedelta) else countdown
        if seconds is not None and not math.isfinite(seconds):
            raise ValueError(f"countdown is {countdown!r}: a finite number of seconds is expected.")
        self.countdown = None if seconds is None else float(seconds)


class Reject(TaskSignal):
    """Refuse this message.

    Args:
        reason: Why, for the person who finds it in the dead-letter queue.
        requeue: True gives it back to the queue, uncounted; False sends it to the dead-letter queue.
    """

    def __init__(self, reason: str = "", *, requeue: bool = False) -> None:
        super().__init__(reason)
        self.reason = str(reason)
        self.requeue = requeue


class Ignore(TaskSignal):
    """Finish this message without a result."""
