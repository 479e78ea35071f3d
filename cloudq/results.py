"""What became of a message: its record in the backend, and the handle that callers hold.

A record is written under a fence: an execution that lost its lease can't overwrite its successor's record.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from cloudq.backends.base import Backend, Change
from cloudq.clock import Clock
from cloudq.errors import BackendError, ConfigurationError, ResultError, ResultTimeoutError, TaskFailedError
from cloudq.processes import PerProcess
from cloudq.request import running

if TYPE_CHECKING:
    from cloudq.watching import Watcher

__all__ = ["AsyncResult", "GroupResult", "Record", "ResultStore", "State"]

R = TypeVar("R")

State = Literal["PENDING", "STARTED", "PROGRESS", "RETRY", "SUCCESS", "FAILURE", "REVOKED", "DEAD"]

FINAL: frozenset[State] = frozenset({"SUCCESS", "FAILURE", "REVOKED", "DEAD"})

_VERSION = 1
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One message's state, as the backend keeps it.

    Args:
        state: Where it is.
        task: The task's name.
        generation: The message's generation.
        attempt: Which attempt wrote this, from 1.
        failures: Attempts that have failed by now.
        result: The return value, as a JSON value.
        error: The type and text of what was raised.
        traceback: Its traceback, as text.
        progress: Done, total and what is being done.
        at: When it was written (seconds since the epoch).
    """

    state: State
    task: str
    generation: int = 0
    attempt: int = 1
    failures: int = 0
    result: Any = None
    error: str = ""
    traceback: str = ""
    progress: Sequence[Any] = ()
    at: float = 0.0

    def may_replace(self, other: Record | None) -> bool:
        """Whether this record is the later word; a final one stands until its generation is over."""
        if other is None or self.generation > other.generation:
            return True
        if self.generation < other.generation or other.state in FINAL:
            return False
        return (self.attempt, self.has_ended) >= (other.attempt, other.has_ended)

    @property
    def has_ended(self) -> bool:
        """Whether its attempt is over: progress that comes after may not wipe out the failure."""
        return self.state == "RETRY" or self.state in FINAL


_FIELDS = tuple(field.name for field in dataclasses.fields(Record))


class ResultStore:
    """An app's records.

    Args:
        backend: Where they are kept.
        expires: Seconds for which each is kept.
        clock: Stamps them.
    """

    def __init__(self, backend: Backend, *, expires: float, clock: Clock) -> None:
        self.backend = backend
        self.expires = expires
        self._clock = clock
        self._has_watcher = False
        self._watcher: PerProcess[Watcher[Record]] = PerProcess(self._make_watcher)

    def load(self, id: str) -> Record | None:
        """A message's record; None where there is none (yet, or any more)."""
        return _read(self.backend.get(_key(id)))

    def load_many(self, ids: Sequence[str]) -> dict[str, Record]:
        """The records of the messages that have one."""
        found = self.backend.get_many([_key(one) for one in ids])
        records = {one: _read(found.get(_key(one))) for one in ids}
        return {one: record for one, record in records.items() if record is not None}

    def save(self, records: Mapping[str, Record]) -> None:
        """Write messages' records, each unless a later word stands there."""
        now = self._clock.now()
        unsaved = {one: dataclasses.replace(record, at=now) for one, record in records.items()}
        while unsaved:
            present = self.backend.get_many([_key(one) for one in unsaved])
            changes = {
                one: Change(_key(one), _write(record), present.get(_key(one)), self.expires)
                for one, record in unsaved.items()
                if record.may_replace(_read(present.get(_key(one))))
            }
            made = self.backend.put_if(list(changes.values())) if changes else []
            # Race: what somebody else has changed meanwhile is looked at again.
            unsaved = {one: unsaved[one] for one, was_made in zip(changes, made, strict=True) if not was_made}

    def wait(self, ids: Sequence[str], timeout: float | None) -> Iterator[tuple[str, Record]]:
        """Each message's final record as it comes, until all are there or `timeout` seconds have passed."""
        open_ids = dict.fromkeys(ids)
        until = None if timeout is None else self._clock.monotonic() + timeout
        while True:
            # What was read is told to the wait below: what changes from here on ends it at once.
            known = self.backend.get_many([_key(one) for one in open_ids])
            for one in list(open_ids):
                record = _read(known.get(_key(one)))
                if record is not None and record.state in FINAL:
                    del open_ids[one]
                    yield one, record
            left = _LONGEST_WAIT if until is None else until - self._clock.monotonic()
            if not open_ids or left <= 0:
                return
            self.backend.wait([_key(one) for one in open_ids], left, known=known)

    async def await_(self, id: str, timeout: float | None) -> Record | None:
        """A message's final record, when it comes; None after `timeout` seconds. Blocks no event loop."""
        return await self._watcher.get().result(id, timeout)

    def close(self) -> None:
        """End the thread that waits for what is awaited, once nothing is."""
        if self._has_watcher:
            self._watcher.get().rest()

    def _make_watcher(self) -> Watcher[Record]:
        from cloudq.watching import Watcher  # and with it asyncio, for those who await

        self._has_watcher = True
        return Watcher(self.wait, self._clock.monotonic)


class AsyncResult(Generic[R]):
    """A handle on what becomes of one message.

    Args:
        id: The message's id.
        task: The task's name.
        store: Where records are; None where no backend is configured.
        read: Turns the record's JSON value into what the function returned.
    """

    __slots__ = ("_find_store", "_read", "id", "task")

    def __init__(
        self, id: str, *, task: str, store: Callable[[], ResultStore | None], read: Callable[[Any], R]
    ) -> None:
        self.id = id
        self.task = task
        self._find_store = store
        self._read = read

    def __repr__(self) -> str:
        return f"<AsyncResult {self.id} of {self.task}>"

    @property
    def record(self) -> Record:
        """What the backend knows; a `PENDING` record where it knows nothing."""
        return self.store.load(self.id) or Record(state="PENDING", task=self.task)

    @property
    def state(self) -> State:
        """`PENDING` until something is known, then where the message is."""
        return self.record.state

    @property
    def progress(self) -> Sequence[Any]:
        """Done, total and what is being done, as the task last said; empty where it said nothing."""
        return self.record.progress

    def ready(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.state in FINAL

    def successful(self) -> bool:
        """Whether it has ended well."""
        return self.state == "SUCCESS"

    def get(self, timeout: float | None = None, *, allow_in_task: bool = False) -> R:
        """Wait for the result.

        Args:
            timeout: Seconds to wait at most; None waits for ever.
            allow_in_task: Whether to wait inside a task, where a worker whose every place waits stands still.

        Raises:
            ResultTimeoutError: It wasn't there in time.
            TaskFailedError: The task failed for good; `error` and `traceback` say how.
            ConfigurationError: No backend is configured.
            ResultError: Called inside a task.
        """
        _refuse_in_task(self.id, is_allowed=allow_in_task)
        for _, record in self.store.wait([self.id], timeout):
            return self.outcome(record)
        raise self._not_there(timeout)

    async def aget(self, timeout: float | None = None, *, allow_in_task: bool = False) -> R:
        """Wait for the result without blocking the event loop; all that is awaited shares one thread.

        Args:
            timeout: As `get` has it.
            allow_in_task: As `get` has it.

        Raises:
            CloudqError: As `get` does.
        """
        _refuse_in_task(self.id, is_allowed=allow_in_task)
        record = await self.store.await_(self.id, timeout)
        if record is None:
            raise self._not_there(timeout)
        return self.outcome(record)

    def _not_there(self, timeout: float | None) -> ResultTimeoutError:
        return ResultTimeoutError(
            f"{self.task} ({self.id}) has no result after {timeout or 0:g} s; it may still come. Does a "
            "worker run for its queue?",
            id=self.id,
        )

    def outcome(self, record: Record) -> R:
        """What the function returned, or the failure raised, as a final record tells it."""
        if record.state == "SUCCESS":
            return self._read(record.result)
        raise TaskFailedError(
            f"{self.task} ({self.id}) failed: {record.error}",
            id=self.id,
            error=record.error,
            traceback=record.traceback,
        )

    @property
    def store(self) -> ResultStore:
        """Where its record is."""
        if (store := self._find_store()) is None:
            raise ConfigurationError(
                "No result backend is configured: set result_backend (CLOUDQ_RESULT_BACKEND, "
                "App(backend=...)), for example to sqlite:///results.db."
            )
        return store


class GroupResult(Generic[R]):
    """A handle on what becomes of several messages, in the order of their calls.

    Args:
        ids: The messages' ids.
        handle: Makes one message's handle.
    """

    def __init__(self, ids: Sequence[str], handle: Callable[[str], AsyncResult[R]]) -> None:
        self._ids = ids
        self._handle = handle

    @functools.cached_property
    def results(self) -> list[AsyncResult[R]]:
        """Each message's handle; made when they are asked for, as most who send thousands never ask."""
        return list(map(self._handle, self._ids))

    def __iter__(self) -> Iterator[AsyncResult[R]]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self._ids)

    def __getitem__(self, index: int) -> AsyncResult[R]:
        return self.results[index]

    def ready(self) -> bool:
        """Whether all have ended."""
        return all(result.ready() for result in self.results)

    def get(self, timeout: float | None = None, *, allow_in_task: bool = False) -> list[R]:
        """Wait for all results; `timeout` seconds are for all of them together.

        Raises:
            ResultTimeoutError: Not all were there in time.
            TaskFailedError: One of them failed for good.
        """
        if not self.results:
            return []
        first = self.results[0]
        _refuse_in_task(first.id, is_allowed=allow_in_task)
        records = dict(first.store.wait([one.id for one in self.results], timeout))
        missing = [one for one in self.results if one.id not in records]
        if missing:
            raise self._missing(missing, timeout)
        return [one.outcome(records[one.id]) for one in self.results]

    async def aget(self, timeout: float | None = None, *, allow_in_task: bool = False) -> list[R]:
        """Wait for all results without blocking the event loop; otherwise as `get`."""
        if not self.results:
            return []
        from asyncio import gather

        store = self.results[0].store
        _refuse_in_task(self.results[0].id, is_allowed=allow_in_task)
        found = await gather(*(store.await_(one.id, timeout) for one in self.results))
        missing = [one for one, record in zip(self.results, found, strict=True) if record is None]
        if missing:
            raise self._missing(missing, timeout)
        return [
            one.outcome(record) for one, record in zip(self.results, found, strict=True) if record is not None
        ]

    def _missing(self, missing: Sequence[AsyncResult[R]], timeout: float | None) -> ResultTimeoutError:
        return ResultTimeoutError(
            f"{len(missing)} of {len(self.results)} results are missing after {timeout or 0:g} s; the first "
            f"is {missing[0]!r}.",
            id=missing[0].id,
        )


def _refuse_in_task(id: str, *, is_allowed: bool) -> None:
    if running.get() is not None and not is_allowed:
        raise ResultError(
            "A task that waits for another one's result may wait for ever, when every worker does: chain "
            "them, or say get(allow_in_task=True).",
            id=id,
        )


def _key(id: str) -> str:
    return f"result:{id}"


def _write(record: Record) -> bytes:
    return json.dumps({"v": _VERSION, **{name: getattr(record, name) for name in _FIELDS}}).encode()


def _read(data: bytes | None) -> Record | None:
    if data is None:
        return None
    try:
        fields = json.loads(data)
        return Record(**{name: fields[name] for name in _FIELDS if name in fields})
    except (ValueError, TypeError) as error:
        raise BackendError(f"A record in the result backend can't be read: {error}.") from error
