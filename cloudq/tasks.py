"""The task: what is called. It turns a call into messages and hands them to a `Sender`, which an app is."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, ParamSpec, Protocol, TypeVar, Unpack, cast

from cloudq.arguments import Parameters, Returned
from cloudq.call_options import (
    CallOptions,
    checked_args,
    checked_headers,
    checked_priority,
    instant_of,
    refuse_unknown,
    start_of,
    text_of,
    topic_of,
)
from cloudq.clock import Clock
from cloudq.codec import Writer, instant
from cloudq.errors import ResultError, Retry
from cloudq.message import Message, copy_id, new_id, new_ids
from cloudq.request import Request, running
from cloudq.results import AsyncResult, GroupResult, ResultStore
from cloudq.retry import RetryPolicy

__all__ = ["AsyncTask", "BoundTask", "Calls", "Sender", "Task", "TaskOptions"]

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What a task is registered with.

    Args:
        queue: Where its messages go; None follows the app's routes.
        policy: When a failure is tried again.
        time_limit: Seconds after which a run is killed; None takes the app's.
        soft_time_limit: Seconds after which `SoftTimeLimitError` is raised in it; None takes the app's.
        is_bound: Whether the function's first argument is the task's own run.
        priority: Its messages' level in its queue; None follows the app's routes.
    """

    queue: str | None = None
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    time_limit: float | None = None
    soft_time_limit: float | None = None
    is_bound: bool = False
    priority: int | None = None


class Calls(NamedTuple):
    """Calls of one task on their way, with what the broker must know of them: it is the same of all.

    Args:
        task: The task's name.
        ids: Their messages' ids.
        bodies: Their messages, written.
        queue: Their queue; None follows the task's option and the app's routes.
        delay: Seconds before they can be received.
        group: FIFO and fairness key.
        deduplication_id: FIFO key under which a repeat is dropped.
        topic: What they are published to, in place of being sent to a queue.
        priority: Their level in the queue; None follows the task's option and the app's routes.
    """

    task: str
    ids: Sequence[str]
    bodies: Sequence[bytes]
    queue: str | None = None
    delay: float = 0.0
    group: str | None = None
    deduplication_id: str | None = None
    topic: str | None = None
    priority: int | None = None


class Sender(Protocol):
    """What a task needs of an app."""

    @property
    def clock(self) -> Clock:
        """Stamps messages."""
        ...

    @property
    def results(self) -> ResultStore | None:
        """Where records are; None where no backend is configured."""
        ...

    def send(self, calls: Calls) -> None:
        """Put calls into their queue or topic, or raise what says which weren't taken."""
        ...

    async def asend(self, calls: Calls) -> None:
        """As `send`, without blocking the event loop."""
        ...


class BoundTask:
    """What a task with `bind=True` gets as its first argument: its own run.

    Args:
        request: The run.
        progress: Writes progress to the backend.
    """

    def __init__(self, name: str, request: Request, progress: Callable[[Sequence[Any]], None]) -> None:
        self.name = name
        self.request = request
        self.asked_retry: Retry | None = None
        """What `retry` made last: asked for, though it isn't raised."""
        self._progress = progress

    def retry(self, countdown: float | timedelta | None = None) -> Retry:
        """What to raise to be run again; counts against `retries`.

        Where it isn't raised the rest of the function still runs, and then the message is run again.

        Args:
            countdown: Seconds until then; None takes the task's backoff.
        """
        self.asked_retry = Retry(countdown)
        return self.asked_retry

    def progress(self, done: float, total: float, doing: str = "") -> None:
        """Tell whoever watches how far this run is; without a backend it tells nobody."""
        self._progress((done, total, doing))


class Task(Generic[P, R]):
    """A registered function. Calling it runs it here and now; `delay` and `apply_async` send it.

    Args:
        function: What it runs.
        name: Its name on the wire.
        options: What it was registered with.
        sender: The app.
    """

    def __init__(
        self, function: Callable[..., R], *, name: str, options: TaskOptions, sender: Sender
    ) -> None:
        functools.update_wrapper(self, function)  # first: it copies the function's own attributes, too
        self.name = name
        self.options = options
        self.function = function
        self._sender = sender
        # Made once: a function each for thousands of results keeps the garbage collector busy.
        self._find_store: Callable[[], ResultStore | None] = lambda: sender.results
        self._read: Callable[[Any], R] = lambda value: cast("R", self.returned.read(value))

    def __repr__(self) -> str:
        return f"<Task {self.name}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        if not self.options.is_bound:
            return self.function(*args, **kwargs)
        message = Message(id=new_id(self._sender.clock.now()), task=self.name)
        request = Request(
            message=message, queue="", retries=0, receive_count=1, monotonic=self._sender.clock.monotonic
        )
        return self.function(BoundTask(self.name, request, lambda _: None), *args, **kwargs)

    @functools.cached_property
    def is_async(self) -> bool:
        """Whether its function is a coroutine function."""
        return inspect.iscoroutinefunction(self.function)

    @functools.cached_property
    def parameters(self) -> Parameters:
        """Its arguments' schema."""
        return Parameters(self.function, task=self.name, is_bound=self.options.is_bound)

    @functools.cached_property
    def returned(self) -> Returned:
        """Its result's schema."""
        return Returned(self.function, task=self.name)

    @functools.cached_property
    def _writer(self) -> Writer:
        """Writes its calls that say nothing but the arguments."""
        return Writer(Message(id="", task=self.name))

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send a call with these arguments.

        Raises:
            ArgumentError: An argument doesn't fit the function's signature.
            BrokerError: The broker didn't take it.
        """
        sent = self._plain([(args, kwargs)], 1)
        self._sender.send(sent)
        return self._result(sent.ids[0])

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """As `delay`, without blocking the event loop; calls that are gathered share requests."""
        sent = self._plain([(args, kwargs)], 1)
        await self._sender.asend(sent)
        return self._result(sent.ids[0])

    async def aapply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[R]:
        """As `apply_async`, without blocking the event loop; calls that are gathered share requests."""
        sent = self._call(args, kwargs, options)
        await self._sender.asend(sent)
        return self._result(sent.ids[0], sent.topic)

    def apply_async(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncResult[R]:
        """Send a call.

        Args:
            args: Positional arguments.
            kwargs: Named arguments.
            **options: See `CallOptions`.

        Raises:
            ArgumentError: An argument doesn't fit the function's signature, or an option its kind.
            ConfigurationError: `retries` is no count.
            BrokerError: The broker didn't take it.
        """
        sent = self._call(args, kwargs, options)
        self._sender.send(sent)
        return self._result(sent.ids[0], sent.topic)

    def _call(self, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: CallOptions) -> Calls:
        refuse_unknown(self.name, options)
        now, get = self._sender.clock.now(), options.get
        retries, expires = get("retries"), get("expires")
        retry = None if retries is None else {"retries": retries}
        self.options.policy.override(retry)  # refuses what is no count, before it is sent
        starts = start_of(self.name, get("countdown"), get("eta"), now)
        topic = topic_of(self.name, get("topic"), get("queue"))
        given = self.parameters.write(checked_args(self.name, args), kwargs or {})
        like = self._like(
            eta=starts if starts is not None and starts > now else None,
            expires=None if expires is None else instant_of(self.name, "expires", expires, now),
            retry=retry,
            headers=checked_headers(self.name, get("headers")),
            topic=topic,
        )
        one = text_of(self.name, "task_id", get("task_id")) or new_id(now)
        return Calls(
            task=self.name,
            ids=[one],
            bodies=Writer(like).write([(one, given)], instant(now)),
            queue=text_of(self.name, "queue", get("queue")),
            delay=0.0 if starts is None else max(0.0, starts - now),
            group=text_of(self.name, "group_id", get("group_id")),
            deduplication_id=text_of(self.name, "dedup_id", get("dedup_id")),
            topic=topic,
            priority=checked_priority(self.name, get("priority"), topic),
        )

    def delay_many(self, calls: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> GroupResult[R]:
        """Send several calls in as few requests as the broker needs.

        Args:
            calls: A tuple is positional arguments, a dict named ones.

        Raises:
            TypeError: An item is neither; nothing was sent.
            ArgumentError: An item's arguments don't fit the function's signature; nothing was sent.
            BrokerError: The broker didn't take all of them.
        """
        sent = self._many(list(calls))
        self._sender.send(sent)
        return GroupResult(sent.ids, self._result)

    async def adelay_many(self, calls: Iterable[tuple[Any, ...] | Mapping[str, Any]]) -> GroupResult[R]:
        """As `delay_many`, without blocking the event loop."""
        sent = self._many(list(calls))
        await self._sender.asend(sent)
        return GroupResult(sent.ids, self._result)

    def result(self, id: str, *, queue: str | None = None) -> AsyncResult[R]:
        """The handle on a message that was sent before.

        Args:
            id: Its id.
            queue: Of a message that was published: the queue whose copy is meant.
        """
        return self._result(id if queue is None else copy_id(id, queue))

    def _many(self, calls: Sequence[object]) -> Calls:
        return self._plain(itertools.starmap(_arguments, enumerate(calls)), len(calls))

    def _plain(self, given: Iterable[tuple[Sequence[Any], Mapping[str, Any]]], count: int) -> Calls:
        now = self._sender.clock.now()
        ids = new_ids(now, count)
        writer = self._writer if running.get() is None else Writer(self._like())
        checked = itertools.starmap(self.parameters.write, given)
        return Calls(self.name, ids, writer.write(zip(ids, checked, strict=True), instant(now)))

    def _like(self, **fields: Any) -> Message:
        """A message like those that are sent, which have ids and arguments."""
        if (caller := running.get()) is not None:
            fields |= {"parent": caller.id, "root": caller.message.root or caller.id}
        return Message(id="", task=self.name, **fields)

    def _result(self, id: str, topic: str | None = None) -> AsyncResult[R]:
        return AsyncResult(
            id,
            task=self.name,
            store=self._find_store if topic is None else partial(_no_store, id, topic),
            read=self._read,
        )


class AsyncTask(Task[P, R]):
    """A registered coroutine function: calling it gives a coroutine, its result is what that gives."""

    if TYPE_CHECKING:

        def __call__(  # pyright: ignore[reportIncompatibleMethodOverride] - the only thing that differs
            self, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, R]: ...


def _no_store(id: str, topic: str) -> ResultStore | None:
    raise ResultError(
        f"{id} was published to {topic!r}: the copy in each queue that subscribes has a result of its own, "
        "task.result(id, queue=...).",
        id=id,
    )


def _arguments(index: int, call: object) -> tuple[Sequence[Any], Mapping[str, Any]]:
    match call:
        case tuple():
            return cast("tuple[Any, ...]", call), {}
        case Mapping():
            return (), cast("Mapping[str, Any]", call)
        case _:
            raise TypeError(
                f"Call {index} is {call!r}: a tuple of positional arguments or a dict of named ones is due."
            )
