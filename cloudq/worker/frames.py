"""What supervisor and child say to each other: frames of a length and a tuple.

The tuples are coded with marshal: both ends are the same interpreter, a frame costs about a microsecond, and
unlike pickle reading one runs no code. Half a frame is none: nothing that a dying child began to say counts.
"""

from __future__ import annotations

import json
import marshal
from collections.abc import Iterator
from typing import Any, cast

from cloudq.delivery import (
    Dead,
    Done,
    Execution,
    FollowUp,
    Ignored,
    Outcome,
    Outgoing,
    Reason,
    Requeue,
    RetryLater,
)

__all__ = ["FrameError", "Reader", "pack", "pack_execution", "unpack_execution"]

_MAGIC = b"cq1\n"
"""Before each length: what a task writes here by mistake is known at once."""
_LENGTH_SIZE = 4
_HEAD_SIZE = len(_MAGIC) + _LENGTH_SIZE
_LONGEST = 512 * 1024 * 1024
_MARSHAL = 2
"""The version without references: looking for them takes longer than writing a short text twice."""

_DONE = Done()


class FrameError(ValueError):
    """The other end has said what is no frame: a task wrote into a descriptor that isn't its own."""


def pack(*words: Any) -> bytes:
    """A frame."""
    data = marshal.dumps(words, _MARSHAL)
    return _MAGIC + len(data).to_bytes(_LENGTH_SIZE) + data


class Reader:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Any, ...]]:
        """The frames that `data` completes.

        Raises:
            FrameError: It is no frame.
        """
        known: bytes | bytearray = data  # nearly always: whole frames, which needn't be kept
        if self._buffer:
            self._buffer += data
            known = self._buffer
        at, size = 0, len(known)
        while size - at >= _HEAD_SIZE:
            length = int.from_bytes(known[at + len(_MAGIC) : at + _HEAD_SIZE])
            end = at + _HEAD_SIZE + length
            if not known.startswith(_MAGIC, at) or length > _LONGEST:
                raise FrameError(f"{bytes(known[at : at + 40])!r} begins no frame")
            if size < end:
                break
            yield _words(known[at + _HEAD_SIZE : end])
            at = end
        if known is self._buffer:
            del self._buffer[:at]
        elif at < size:
            self._buffer += known[at:]


def _words(data: bytes | bytearray) -> tuple[Any, ...]:
    try:
        words = marshal.loads(data)  # noqa: S302 - our own processes wrote it; see the module's docstring
    except (EOFError, TypeError, ValueError) as error:
        raise FrameError(str(error)) from error
    if not isinstance(words, tuple):
        raise FrameError(f"a {type(words).__name__}, not a tuple")
    return cast("tuple[Any, ...]", words)


def pack_execution(execution: Execution) -> tuple[Any, ...]:
    """An execution as a tuple for `pack`.

    Raises:
        ValueError: Something in its outcome can't be said: a task has raised with a number or a text of a
            class of its own.
    """
    outcome, *rest = execution
    if type(outcome) is Done and outcome.result is None and not outcome.follow_ups:
        return (None, *rest)
    return (marshal.dumps(_pack_outcome(outcome), _MARSHAL), *rest)


def unpack_execution(words: tuple[Any, ...]) -> Execution:
    """What `pack_execution` packed."""
    outcome, *rest = words
    return Execution(_DONE if outcome is None else _unpack_outcome(_words(outcome)), *rest)


def _pack_outcome(outcome: Outcome) -> tuple[Any, ...]:
    match outcome:
        case Done(result, follow_ups):
            # As text: marshal refuses subclasses (an IntEnum), which are JSON values all the same.
            return ("done", json.dumps(result), tuple(_pack_follow_up(one) for one in follow_ups))
        case RetryLater(delay, failures, error, traceback, body):
            return ("retry", delay, failures, error, traceback, body)
        case Requeue(delay, why, body, is_counted):
            return ("requeue", delay, why, body, is_counted)
        case Ignored(why, is_revoked):
            return ("ignored", why, is_revoked)
        case Dead(reason):
            return ("dead", reason.code, reason.text, reason.error, reason.traceback, reason.failures)


def _unpack_outcome(words: tuple[Any, ...]) -> Outcome:
    match words:
        case ("done", result, follow_ups):
            return Done(json.loads(result), tuple(_unpack_follow_up(one) for one in follow_ups))
        case ("retry", *fields):
            return RetryLater(*fields)
        case ("requeue", *fields):
            return Requeue(*fields)
        case ("ignored", *fields):
            return Ignored(*fields)
        case (_, code, text, error, traceback, failures):
            return Dead(Reason(code, text, error, traceback, failures=failures))
        case _:
            raise ValueError(f"no outcome: {words!r}")


def _pack_follow_up(one: FollowUp) -> tuple[Any, ...]:
    out = one.outgoing
    return one.queue, out.id, out.body, out.delay, out.group, out.deduplication_id, dict(out.attributes)


def _unpack_follow_up(words: tuple[Any, ...]) -> FollowUp:
    queue, *fields = words
    return FollowUp(queue, Outgoing(*fields))
