"""The app: tasks, queues, broker and backend, put together here and nowhere else."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, Unpack, cast, overload

from cloudq.backends.base import Backend
from cloudq.brokers.base import Broker, QueueStats
from cloudq.clock import Clock, clock_of
from cloudq.config import CLOCK, Conf
from cloudq.delivery import Accepted, Outgoing
from cloudq.errors import (
    ArgumentError,
    CloudqError,
    ConfigurationError,
    QueueNotFoundError,
    UnsupportedError,
)
from cloudq.options import Register, RegisterBound, TaskKeywords, task_options
from cloudq.processes import unforked
from cloudq.queues import Queue, base_name, priority_of, route
from cloudq.results import ResultStore
from cloudq.sending import Place, failure, failures
from cloudq.tasks import AsyncTask, Calls, Task, TaskOptions

if TYPE_CHECKING:  # a Lambda function has no use for it
    from cloudq.claims import Claims
    from cloudq.pauses import Pauses
    from cloudq.sharing import SharedSends

__all__ = ["App", "default_app"]

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

_REDIS = {"redis": "redis", "rediss": "redis", "redis+unix": "redis"}
_NO_ROUTE: Mapping[str, Any] = {}
_RABBITMQ = {"amqp": "rabbitmq", "amqps": "rabbitmq"}
_BROKERS = {"memory": "memory", "sqlite": "sqlite", "sqs": "sqs", **_REDIS, **_RABBITMQ}
_BACKENDS = {"memory": "memory", "sqlite": "sqlite", **_REDIS}


class App:
    """A registry of tasks and what they run on. Making one connects to nothing.

    Args:
        name: What the app is called.
        broker: Where messages wait; the setting `broker_url`.
        backend: Where results live; the setting `result_backend`.
        queues: Queues with options of their own; others come into being with the tasks that name them.
        environ: What stands for the environment: `{}` reads none, so that a shell's variable can't turn a
            test's `memory://` into a real broker. None reads the process's.
        clock: Time.
        **settings: Any other setting, by its name.

    Raises:
        ConfigurationError: A setting is unknown or of the wrong type.
    """

    def __init__(
        self,
        name: str,
        *,
        broker: str | None = None,
        backend: str | None = None,
        queues: Iterable[Queue] = (),
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        self.name = name
        self.conf = Conf({"broker_url": broker, "result_backend": backend, **settings}, environ=environ)
        self.clock: Clock = clock or clock_of(self.conf.environ.get(CLOCK))
        self._tasks: dict[str, Task[..., Any]] = {}
        self._given = {queue.name: queue for queue in map(_checked, queues)}
        self._declared: set[str] = set()
        self._broker: Broker | None = None
        self._backend: Backend | None = None
        self._results: ResultStore | None = None
        self._claims: Claims | None = None

    def __repr__(self) -> str:
        return f"<App {self.name}>"

    @overload
    def task(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> AsyncTask[P, R]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R]: ...
    @overload
    def task(self, /, *, bind: Literal[True], **options: Unpack[TaskKeywords]) -> RegisterBound: ...
    @overload
    def task(self, /, *, bind: Literal[False] = False, **options: Unpack[TaskKeywords]) -> Register: ...
    def task(
        self,
        function: Callable[..., Any] | None = None,
        /,
        *,
        bind: bool = False,
        **options: Unpack[TaskKeywords],
    ) -> Any:
        """Register a function as a task; with or without brackets.

        Args:
            function: The function.
            bind: Whether its first argument is the task's own run (`self.request`, `self.retry()`).
            **options: See `TaskKeywords`.

        Raises:
            ConfigurationError: Another function has this name already, or an option is wrong.
        """
        register = functools.partial(
            self._register, name=options.get("name"), options=task_options(options, is_bound=bind)
        )
        return register if function is None else register(function)

    def _register(
        self, function: Callable[..., Any], name: str | None, options: TaskOptions
    ) -> Task[..., Any]:
        if not hasattr(function, "__code__"):
            raise ConfigurationError(f"A task is a function, which {function!r} is not.")
        name = name or f"{_module(function)}.{function.__qualname__}"
        known = self._tasks.get(name)
        if known is not None and known.function.__code__ != function.__code__:
            raise ConfigurationError(
                f"Two functions are called {name!r}: give one of them a name= of its own."
            )
        kind = cast("type[Task[..., Any]]", AsyncTask if inspect.iscoroutinefunction(function) else Task)
        task = kind(function, name=name, options=options, sender=self)
        self._tasks[name] = task
        return task

    @property
    def tasks(self) -> Mapping[str, Task[..., Any]]:
        """The tasks by name."""
        return self._tasks

    @property
    def queues(self) -> Mapping[str, Queue]:
        """The queues by name: those that were given, and those that the tasks lead to."""
        led_to = (base_name(self.queue_of(task)) for task in self._tasks.values())
        names = dict.fromkeys([*self._given, *led_to])
        return {name: self.queue(name) for name in names or [self.conf.settings.task_default_queue]}

    def queue(self, name: str) -> Queue:
        """A queue by name, as given or with the defaults; its lease is always set.

        The name of a level of priority gives that level alone.
        """
        base = base_name(name)
        queue = self._given.get(base) or Queue(base)
        if queue.lease is None:
            queue = replace(queue, lease=self.conf.settings.task_lease)
        if name == base:
            return queue
        # One beyond those that are declared may be left from when there were more.
        more = replace(queue, priorities=max(queue.priorities, priority_of(name) + 1))
        return next(level for level in more.levels if level.name == name)

    def queue_of(self, task: Task[..., Any]) -> str:
        """The queue that a task's messages go to unless the call names another."""
        return task.options.queue or self._routed(task).get("queue") or self.conf.settings.task_default_queue

    def place_of(self, calls: Calls) -> str:
        """The queue on the broker that calls go to: their queue, or a level of priority of that.

        Raises:
            ArgumentError: The queue has no such level.
        """
        task, name, priority = self._tasks[calls.task], calls.queue, calls.priority
        if name is None:
            settings, options = self.conf.settings, task.options
            routed = route(task.name, settings.task_routes) if settings.task_routes else _NO_ROUTE
            name = options.queue or routed.get("queue") or settings.task_default_queue
            if priority is None:
                priority = routed.get("priority") if options.priority is None else options.priority
        if not priority:
            return name
        levels = self.queue(name).levels
        if priority < len(levels):
            return levels[-1 - priority].name
        has = f"has priorities 0 to {len(levels) - 1}" if len(levels) > 1 else "has no priorities"
        raise ArgumentError(
            f"{task.name}: priority {priority} is asked for, and queue {name!r} {has}: declare them with "
            f"App(queues=[Queue({name!r}, priorities={priority + 1})]).",
            task=task.name,
            argument="priority",
        )

    def _routed(self, task: Task[..., Any]) -> Mapping[str, Any]:
        return route(task.name, self.conf.settings.task_routes)

    @property
    def broker(self) -> Broker:
        """The broker; made on first use."""
        if (made := self._broker) is not None:
            return made
        with unforked:
            if self._broker is None:
                self._broker = self._connect_broker()
            return self._broker

    @property
    def backend(self) -> Backend | None:
        """The result backend; None where none is configured."""
        settings = self.conf.settings
        if self._backend is not None or not settings.has_results:
            return self._backend
        with unforked:
            if self._backend is None:
                module = _implementation("backends", _BACKENDS, "result_backend", settings.result_backend)
                self._backend = cast("Backend", module.connect(settings.result_backend, clock=self.clock))
            return self._backend

    @property
    def results(self) -> ResultStore | None:
        """Where records are; None where no backend is configured."""
        settings = self.conf.settings
        backend = None if self._backend is None and not settings.has_results else self.backend
        if backend is None:
            return None
        expires = settings.result_expires
        if not self._results or (self._results.backend, self._results.expires) != (backend, expires):
            self._results = ResultStore(backend, expires=expires, clock=self.clock)
        return self._results

    @property
    def pauses(self) -> Pauses | None:
        """Which queues are paused; None where no backend is configured, so that none can be."""
        from cloudq.pauses import Pauses  # not for those who only send, or run on Lambda

        backend = self.backend
        return None if backend is None else Pauses(backend)

    def check_urls(self) -> None:
        """Refuse a broker's or a result backend's URL that nothing here goes by; connects to neither.

        Raises:
            ConfigurationError: The text names the URLs that are accepted.
        """
        settings = self.conf.settings
        _implementation("brokers", _BROKERS, "broker_url", settings.broker_url)
        if settings.has_results:
            _implementation("backends", _BACKENDS, "result_backend", settings.result_backend)

    def declare(self, name: str) -> None:
        """Make a queue, all its levels, on the broker unless it is there; asks the broker once a process."""
        if name not in self._declared and (base := base_name(name)) not in self._declared:
            queue = self.queue(base)
            if queue.exchange and not self.broker.limits.exchanges:
                raise UnsupportedError(
                    f"Queue {base!r} is bound to exchange {queue.exchange!r}, which RabbitMQ alone has: "
                    "use topics=, which every broker has, or an amqp:// broker.",
                    queue=base,
                )
            for level in queue.levels:
                self.broker.declare(level)
            self._declared.add(base)

    def forget_queues(self) -> None:
        """Let `declare` ask the broker again: a queue that was there is gone."""
        self._declared.clear()

    def stats(self, name: str) -> QueueStats:
        """Count a queue's messages, those of all its levels of priority together.

        Raises:
            QueueNotFoundError: The broker doesn't have it.
        """
        return QueueStats.whole(self.level_stats(name).values())

    def level_stats(self, name: str) -> dict[int, QueueStats]:
        """Count a queue's messages by priority, the highest first. Levels that aren't made yet are left out.

        Raises:
            QueueNotFoundError: The broker doesn't have the queue.
        """
        counts: dict[int, QueueStats] = {}
        for level in self.queue(name).levels:
            try:
                counts[priority_of(level.name)] = self.broker.stats(level.name)
            except QueueNotFoundError:
                if level.name == name:
                    raise
        return counts

    def send(self, calls: Calls) -> None:
        """Put calls into their queue or topic.

        Raises:
            ArgumentError: The queue doesn't have the priority that is asked for.
            NotAcceptedError: Some weren't taken, or it isn't sure; the text says how many and why.
            BrokerError: The broker can't be reached or has no such queue.
        """
        if not calls.ids:
            return
        place, messages = self._place(calls), self._outgoing(calls)
        if (error := failure(place, messages, self._put(place, messages))) is not None:
            raise error

    async def asend(self, calls: Calls) -> None:
        """As `send`, without blocking the event loop: calls of one turn of the loop share requests."""
        await self._shared_sends.send(calls)

    def send_each(self, batches: Sequence[Calls]) -> list[Exception | None]:
        """Send several callers' calls together; of each caller what `send` would raise, or None."""
        errors: list[Exception | None] = [None] * len(batches)
        by_place: defaultdict[Place, dict[int, list[Outgoing]]] = defaultdict(dict)
        for index, calls in enumerate(batches):
            try:
                if calls.ids:
                    by_place[self._place(calls)][index] = self._outgoing(calls)
            except CloudqError as error:
                errors[index] = error
        for place, groups in by_place.items():
            found = failures(place, list(groups.values()), functools.partial(self._put, place))
            for index, error in zip(groups, found, strict=True):
                errors[index] = error
        return errors

    @functools.cached_property
    def _shared_sends(self) -> SharedSends:
        from cloudq.sharing import SharedSends  # and with it asyncio, for those who await

        return SharedSends(self.send_each)

    def close(self) -> None:
        """Let go of the broker and the backend; the next use connects anew."""
        with unforked:
            broker, backend, self._broker, self._backend = self._broker, self._backend, None, None
            results, self._results = self._results, None
            sends = self.__dict__.pop("_shared_sends", None)
            self._claims = None
            self._declared.clear()
        if sends is not None:
            sends.close()
        if results is not None:
            results.close()
        if broker is not None:
            broker.close()
        if backend is not None:
            backend.close()

    def _place(self, calls: Calls) -> Place:
        return Place(self.place_of(calls)) if calls.topic is None else Place(calls.topic, is_topic=True)

    def _put(self, place: Place, messages: Sequence[Outgoing]) -> list[Accepted]:
        if place.is_topic:
            return self._publish(place.name, messages)
        queue = place.name
        self.declare(queue)
        try:
            return self.broker.send(queue, messages)
        except QueueNotFoundError:
            # Deleted since it was declared: where queues are made, it is made anew.
            self.forget_queues()
            self.declare(queue)
            return self.broker.send(queue, messages)

    def _publish(self, topic: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        self._declare_subscribers(topic)
        try:
            return self.broker.publish(topic, messages)
        except QueueNotFoundError:
            # What leads to them was deleted: it is made anew, with all that hangs on it.
            self.forget_queues()
            self._declare_subscribers(topic)
            return self.broker.publish(topic, messages)

    def _declare_subscribers(self, topic: str) -> None:
        """What this app's queues subscribe to is in place before the first message, whoever starts first."""
        for queue in self.queues.values():
            if topic in queue.topics:
                self.declare(queue.name)

    @property
    def claims(self) -> Claims | None:
        """Where bodies go that are too large for the broker; None where nowhere is configured."""
        if not (url := self.conf.settings.claim_checks):
            return None
        with unforked:
            if self._claims is None:
                from cloudq.claims import Claims, store_of

                self._claims = Claims(store_of(url, self.backend))
            return self._claims

    def _outgoing(self, calls: Calls) -> list[Outgoing]:
        limits, bodies = self.broker.limits, calls.bodies
        longest = limits.max_delay if calls.topic is None else limits.max_topic_delay
        largest = limits.max_body_bytes if calls.topic is None else limits.max_topic_body_bytes
        if (claims := self.claims) is not None:
            bodies = [claims.checked(one, body, largest) for one, body in zip(calls.ids, bodies, strict=True)]
        # What a broker can't hold as long as asked comes back early; its eta then sends it round again.
        delay = calls.delay if longest is None else min(calls.delay, longest)
        same = map(repeat, (delay, calls.group, calls.deduplication_id))
        return list(map(Outgoing, calls.ids, bodies, *same))

    def _connect_broker(self) -> Broker:
        settings = self.conf.settings
        module = _implementation("brokers", _BROKERS, "broker_url", settings.broker_url)
        if self.conf.source("broker_url") == "default":
            logger.warning(
                "No broker is configured: messages wait in %s. Set CLOUDQ_BROKER_URL or App(broker=...).",
                settings.broker_url,
                extra={"action": "default_broker"},
            )
        if settings.broker_url.startswith("sqs:"):
            made = module.connect(settings.broker_url, clock=self.clock, create_queues=settings.create_queues)
        else:
            made = module.connect(settings.broker_url, clock=self.clock)
        return cast("Broker", made)


_default: App | None = None


def default_app() -> App:
    """The app of `@cloudq.task`: made on first use, configured by the environment."""
    global _default  # noqa: PLW0603 - the one module-level app, for scripts that need no other
    if _default is None:
        _default = App("cloudq")
    return _default


def _checked(given: object) -> Queue:
    if not isinstance(given, Queue):
        raise ConfigurationError(f"App(queues=...) takes cloudq.Queue objects, not {given!r}.")
    if (base := base_name(given.name)) != given.name:
        raise ConfigurationError(
            f"Queue {given.name!r}: names like this are those of levels of priority. Name it otherwise, or "
            f"declare Queue({base!r}, priorities={priority_of(given.name) + 1})."
        )
    return given


def _module(function: Callable[..., Any]) -> str:
    """Where a function lives as a worker will import it, to whom a script is not `__main__`."""
    if function.__module__ != "__main__":
        return function.__module__
    main = sys.modules["__main__"]
    if (spec := getattr(main, "__spec__", None)) is not None:
        return str(spec.name).removesuffix(".__main__")
    return Path(getattr(main, "__file__", None) or "main").stem


def _implementation(kind: str, known: Mapping[str, str], setting: str, url: str) -> Any:
    scheme = url.partition(":")[0]
    if scheme not in known or ":" not in url:
        accepted = ", ".join(f"{name}://" for name in known)
        raise ConfigurationError(f"{setting} {url!r}: a URL that starts with one of {accepted} is expected.")
    return importlib.import_module(f"cloudq.{kind}.{known[scheme]}")
