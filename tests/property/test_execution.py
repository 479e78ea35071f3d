"""Whatever comes in, and wherever it is killed: one outcome a run, one end a message, nothing lost."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import cloudq
from cloudq.app import App
from cloudq.backends.base import Change
from cloudq.backends.memory import MemoryBackend
from cloudq.brokers.memory import MemoryBroker
from cloudq.clock import FakeClock
from cloudq.delivery import (
    Accepted,
    Answer,
    Dead,
    Delivery,
    Done,
    Execution,
    FollowUp,
    Ignored,
    Outgoing,
    Reason,
    Release,
    Requeue,
    RetryLater,
    Settled,
)
from cloudq.execution import Context, crashed, execute
from cloudq.queues import Queue
from cloudq.results import FINAL, ResultStore
from cloudq.settling import Settler

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = {
    "v": st.sampled_from([1, 1, 1, 1, 2, 0, "1", None]),
    "id": st.text(max_size=10) | anything,
    "task": st.sampled_from(["fine", "typed", "fails", "signals", "exits", "odd", "unknown"]) | anything,
    "args": st.lists(anything, max_size=2) | anything,
    "kwargs": st.dictionaries(st.sampled_from("xyz"), anything, max_size=2) | anything,
    "retries": st.integers(-1, 6) | anything,
    "generation": st.integers(0, 2) | anything,
    "retry": st.fixed_dictionaries({}, optional={"retries": st.integers(-1, 5), "x": anything}) | anything,
    "eta": st.sampled_from(["2027-01-15T08:00:00Z", "2028-01-01T00:00:00+01:00", "1-1-1", ""]) | anything,
    "expires": st.sampled_from(["2027-01-15T08:00:00Z", "2028-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00"])
    | anything,
    "headers": st.dictionaries(st.text(), st.text(), max_size=1) | anything,
    "next": anything,
    "chord": anything,
    "colour": anything,
}
messages = st.fixed_dictionaries(
    {"v": st.just(1), "id": st.just("m1"), "task": st.sampled_from(["fine", "typed", "fails", "signals"])},
    optional={name: values for name, values in FIELDS.items() if name not in ("v", "id", "task")},
)
bodies = st.one_of(
    st.binary(max_size=40),
    anything.map(lambda value: json.dumps(value).encode()),
    messages.map(lambda fields: json.dumps(fields).encode()),
    messages.map(lambda fields: json.dumps(fields, ensure_ascii=False).encode(errors="surrogatepass")),
    st.fixed_dictionaries({}, optional=FIELDS).map(lambda fields: json.dumps(fields).encode()),
)
contexts = st.builds(
    Context,
    queue=st.just("work"),
    receive_count=st.integers(1, 30),
    max_receives=st.integers(1, 12),
    has_count=st.booleans(),
)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Some of these texts are no UTF-8, which xdist can't carry from process to process."""
    caplog.set_level(logging.CRITICAL, "cloudq")


class Odd(BaseException): ...


def an_app(clock: FakeClock, *, keeps_results: bool) -> App:
    backend = "memory://" if keeps_results else None
    app = App("test", broker="memory://", backend=backend, environ={}, clock=clock)
    signals = [cloudq.Retry(), cloudq.Retry(0), cloudq.Reject(), cloudq.Reject(requeue=True), cloudq.Ignore()]

    @app.task(name="typed")
    def typed(x: int, y: date | None = None) -> list[int]:
        return [x]

    app.task(name="fine")(lambda *args, **kwargs: [args, kwargs])
    app.task(name="fails", retry_on=(OSError,))(raising(OSError("no route"), ValueError("\ud800")))
    app.task(name="signals")(raising(*signals))
    app.task(name="exits")(raising(SystemExit(2)))
    app.task(name="odd")(raising(Odd()))
    return app


def raising(*errors: BaseException) -> Callable[..., Any]:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise errors[(len(args) + len(kwargs)) % len(errors)]

    return fail


@given(body=bodies, context=contexts, keeps_results=st.booleans())
@example(b'{"v":1,"id":"m1","task":"fails","retry":{"retries":-1}}', Context(queue="work"), True)
@example(b'{"v":1,"id":"m1","task":"fails","args":["\\ud800"]}', Context(queue="work"), True)
@example(b'{"v":1,"id":"m1","task":"fails","args":[1e999]}', Context(queue="work"), True)
@example(b'{"v":1,"id":"m1","task":"fine","args":[NaN]}', Context(queue="work"), False)
@settings(max_examples=300)
def test_every_body_has_one_outcome_that_can_be_settled(body: bytes, context: Context, keeps_results: bool):
    clock = FakeClock()
    app = an_app(clock, keeps_results=keeps_results)
    app.declare("work")
    app.broker.send("work", [Outgoing("m1", body)])
    (delivery,) = app.broker.receive(["work"], limit=1, lease=60, wait=0)

    execution = execute(app, body, context)
    (answer,) = Settler(app.broker, app.results).settle([(delivery, execution)])

    stats = app.broker.stats("work")
    assert isinstance(execution.outcome, Done | RetryLater | Dead | Requeue | Ignored)
    assert answer == Settled()
    assert stats.leased == 0
    gone = isinstance(execution.outcome, Done | Ignored)
    assert stats.ready + stats.delayed + stats.dead == (0 if gone else 1)


@given(body=bodies, context=contexts)
def test_every_body_has_an_outcome_when_its_process_dies(body: bytes, context: Context):
    outcome = crashed(body, context, "killed by signal 9").outcome

    assert isinstance(outcome, Requeue | Dead)


class Killed(BaseException):
    """The process is gone, in the middle of things."""


@dataclass
class Reaper:
    """Kills just before, or just after, the operations with the numbers it is given."""

    before: frozenset[int] = frozenset()
    after: frozenset[int] = frozenset()
    count: int = 0

    def watch(self, deed: Callable[[], Any]) -> Any:
        self.count += 1
        number = self.count
        if number in self.before:
            raise Killed
        done = deed()
        if number in self.after:
            raise Killed
        return done


class MortalBackend(MemoryBackend):
    def __init__(self, clock: FakeClock, reaper: Reaper) -> None:
        super().__init__(clock)
        self.reaper = reaper

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self.reaper.watch(lambda: super(MortalBackend, self).get_many(keys))

    def put_if(self, changes: Sequence[Change]) -> list[bool]:
        return self.reaper.watch(lambda: super(MortalBackend, self).put_if(changes))


@dataclass
class MortalBroker:
    """A memory broker in whose calls the process may die; counts the ends that it gave to messages."""

    real: MemoryBroker
    reaper: Reaper
    ends: int = 0
    sent: list[str] = field(default_factory=list)

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        def deed() -> list[Accepted]:
            self.sent += [one.id for one in messages]
            return self.real.send(queue, messages)

        return self.reaper.watch(deed)

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        return self._end(lambda: self.real.ack(deliveries))

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        return self._end(lambda: self.real.dead_letter(dead))

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        return self.reaper.watch(lambda: self.real.release(releases))

    def _end(self, deed: Callable[[], list[Answer]]) -> list[Answer]:
        def counted() -> list[Answer]:
            answers = deed()
            self.ends += answers.count(Settled())
            return answers

        return self.reaper.watch(counted)


deaths = st.frozensets(st.integers(1, 25), max_size=6)
BEHAVIOURS: Mapping[str, BaseException | None] = {
    "returns": None,
    "fails": OSError("no route"),
    "retries": cloudq.Retry(1),
    "rejects": cloudq.Reject("no"),
    "requeues": cloudq.Reject(requeue=True),
    "ignores": cloudq.Ignore(),
}
PATIENCE = 100
"""Rounds in which every one of these messages has long come to its end."""


@given(
    script=st.lists(st.sampled_from(sorted(BEHAVIOURS)), min_size=1, max_size=5),
    before=deaths,
    after=deaths,
    again=st.lists(st.booleans(), min_size=1, max_size=5),
    keeps_results=st.booleans(),
)
@settings(max_examples=300)
def test_message_ends_once_wherever_its_consumers_are_killed(
    script: list[str], before: frozenset[int], after: frozenset[int], again: list[bool], keeps_results: bool
):
    clock, reaper, ran = FakeClock(), Reaper(before, after), list[str]()
    app = App("test", broker="memory://", backend="memory://", environ={}, clock=clock)
    app._backend = MortalBackend(clock, reaper)
    if not keeps_results:
        app.conf.result_backend = "disabled"
        app._backend = None
    broker = MortalBroker(app.broker, reaper)  # type: ignore[arg-type]

    @app.task(name="do", retries=3, backoff=1)
    def do() -> str:
        ran.append(script[min(len(ran), len(script) - 1)])
        if error := BEHAVIOURS[ran[-1]]:
            raise error
        return "result"

    result = do.apply_async(task_id="m1")
    for round_number in range(PATIENCE):
        for delivery in app.broker.receive(["default"], limit=1, lease=10, wait=0):
            consume(app, broker, delivery, settles_again=again[round_number % len(again)])
        clock.advance(5)
        if broker.ends:
            break

    reaper.before = reaper.after = frozenset()
    stats = app.broker.stats("default")
    left = stats.ready + stats.leased + stats.delayed
    if set(script) == {"requeues"} or script[-1] == "requeues":
        assert left + broker.ends == 1  # it may go round for ever
        return
    assert (broker.ends, left) == (1, 0)
    assert ran
    if keeps_results:
        state = result.state
        assert state in FINAL or ran[-1] == "ignores"
        assert (state == "SUCCESS") == (stats.dead == 0 and ran[-1] != "ignores")
        assert state != "SUCCESS" or "returns" in ran


def consume(app: App, broker: MortalBroker, delivery: Delivery, *, settles_again: bool) -> None:
    """One consumer's dealing with a delivery; it may be killed, and another may settle in its place."""
    settler = Settler(broker, app.results)
    try:
        context = Context(queue="default", receive_count=delivery.receive_count, max_receives=1000)
        execution = execute(app, delivery.body, context)
    except Killed:
        return
    for _ in range(2 if settles_again else 1):
        try:
            settler.settle([(delivery, execution)])
        except Killed:
            continue
        return


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 8))
def test_what_follows_is_sent_before_the_end_wherever_the_settler_is_killed(moment: str, number: int):
    clock = FakeClock()
    reaper = Reaper(**{moment: frozenset({number})})
    real = MemoryBroker(clock)
    for queue in ("work", "next"):
        real.declare(Queue(queue))
    real.send("work", [Outgoing("m1", b"{}")])
    (delivery,) = real.receive(["work"], limit=1, lease=60, wait=0)
    broker = MortalBroker(real, reaper)
    store = ResultStore(MortalBackend(clock, reaper), expires=60, clock=clock)
    follow_ups = tuple(FollowUp("next", Outgoing(one, b"{}")) for one in ("m2", "m3"))
    execution = Execution(outcome=Done("result", follow_ups), id="m1", task="do")

    is_killed = False
    try:
        Settler(broker, store).settle([(delivery, execution)])
    except Killed:
        is_killed = True
        assert broker.ends == 0 or set(broker.sent) == {"m2", "m3"}
        Settler(broker, store).settle([(delivery, execution)])

    reaper.before = reaper.after = frozenset()
    assert broker.ends == 1
    assert set(broker.sent) == {"m2", "m3"}
    record = store.load("m1")
    assert record is not None
    assert record.result == "result"
    assert is_killed == (number <= 6)  # three reads and writes of the record, two that follow, the ack
