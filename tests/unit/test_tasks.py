"""Calls: what becomes of `delay`, `apply_async` and `delay_many` on the wire."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

import cloudq
from cloudq.clock import FakeClock
from cloudq.codec import decode
from cloudq.delivery import Delivery
from cloudq.errors import ArgumentError, ConfigurationError, EncodeError
from cloudq.execution import Context, execute
from cloudq.message import Message
from cloudq.tasks import BoundTask, Task


@pytest.fixture
def add(app: cloudq.App) -> Task[[int, int], int]:
    @app.task(name="add")
    def add(x: int, y: int = 1) -> int:
        return x + y

    return add


def received(app: cloudq.App, queue: str = "default") -> list[Delivery]:
    app.declare(queue)
    return app.broker.receive([queue], limit=100, lease=60, wait=0)


def only(app: cloudq.App, queue: str = "default") -> Message:
    """The one message that is there, taken out."""
    (delivery,) = received(app, queue)
    app.broker.ack([delivery])
    return decode(delivery.body)


def test_delay_sends_the_call(app: cloudq.App, add: Task[[int, int], int], clock: FakeClock):
    result = add.delay(1, y=2)

    message = only(app)
    assert (message.task, message.args, message.kwargs) == ("add", [1], {"y": 2})
    assert message.id == result.id
    assert message.sent_at == clock.now()
    assert uuid.UUID(message.id).version == 7


def test_arguments_travel_as_json(app: cloudq.App):
    @app.task(name="plan")
    def plan(day: date, *, pause: timedelta | None = None) -> None: ...

    plan.delay(date(2026, 11, 21), pause=timedelta(minutes=1))

    message = only(app)
    assert (message.args, message.kwargs) == (["2026-11-21"], {"pause": "PT1M"})


def test_wrong_argument_sends_nothing(app: cloudq.App, add: Task[[int, int], int]):
    with pytest.raises(ArgumentError, match=r"add: argument 'x': int is expected, not '1' \(str\)"):
        add.delay("1")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="'y'"):
        add.apply_async((1,), {"y": "2"})

    assert received(app) == []


def test_argument_that_json_cannot_carry_sends_nothing(app: cloudq.App):
    take = app.task(name="take")(lambda x: x)

    with pytest.raises((ArgumentError, EncodeError), match="take"):
        take.delay(object())

    assert received(app) == []


def test_countdown_delays_the_message_and_sets_its_eta(
    app: cloudq.App, add: Task[[int, int], int], clock: FakeClock
):
    add.apply_async((1,), countdown=60)
    add.apply_async((2,), countdown=timedelta(minutes=2))

    assert received(app) == []
    clock.advance(60)
    message = only(app)
    assert message.args == [1]
    assert message.eta == clock.now()
    clock.advance(60)
    assert only(app).args == [2]


def test_eta_delays_the_message(app: cloudq.App, add: Task[[int, int], int], clock: FakeClock):
    eta = datetime.fromtimestamp(clock.now() + 30, UTC).astimezone(timezone(timedelta(hours=5)))

    add.apply_async((1,), eta=eta)

    assert received(app) == []
    clock.advance(30)
    assert only(app).eta == clock.now()


def test_eta_in_the_past_is_now(app: cloudq.App, add: Task[[int, int], int], clock: FakeClock):
    add.apply_async((1,), eta=datetime.fromtimestamp(clock.now() - 30, UTC))

    assert only(app).eta is None


@pytest.mark.parametrize("name", ["eta", "expires"])
def test_time_without_a_zone_is_refused_with_the_remedy(
    app: cloudq.App, add: Task[[int, int], int], name: str
):
    naive: Any = datetime(2026, 11, 21, 9)  # noqa: DTZ001 - that is the point

    with pytest.raises(ArgumentError, match=rf"{name}=.* names no time zone"):
        add.apply_async((1,), **{name: naive})

    assert received(app) == []


@pytest.mark.parametrize("expires", [60, timedelta(minutes=1), "instant"])
def test_expires_is_an_instant_on_the_wire(
    app: cloudq.App, add: Task[[int, int], int], clock: FakeClock, expires: Any
):
    if expires == "instant":
        expires = datetime.fromtimestamp(clock.now() + 60, UTC)

    add.apply_async((1,), expires=expires)

    assert only(app).expires == clock.now() + 60


def test_call_may_say_queue_id_headers_and_retries(app: cloudq.App, add: Task[[int, int], int]):
    result = add.apply_async((1,), queue="other", task_id="mine", headers={"tenant": "a"}, retries=0)

    message = only(app, "other")
    assert message.id == result.id == "mine"
    assert message.headers == {"tenant": "a"}
    assert message.retry == {"retries": 0}


@pytest.mark.parametrize("retries", [-1, "3", 1.5])
def test_retries_that_are_no_count_are_refused(app: cloudq.App, add: Task[[int, int], int], retries: Any):
    with pytest.raises(ConfigurationError, match="retries="):
        add.apply_async((1,), retries=retries)

    assert received(app) == []


def test_group_and_deduplication_id_reach_the_broker(app: cloudq.App, add: Task[[int, int], int]):
    add.apply_async((1,), queue="steps.fifo", group_id="a", dedup_id="once")
    add.apply_async((2,), queue="steps.fifo", group_id="a", dedup_id="once")
    add.apply_async((3,), queue="steps.fifo", group_id="b", dedup_id="twice")

    deliveries = received(app, "steps.fifo")

    assert [(one.group, decode(one.body).args) for one in deliveries] == [("a", [1]), ("b", [3])]


def test_delay_many_takes_tuples_and_dicts_and_keeps_their_order(app: cloudq.App, add: Task[[int, int], int]):
    group = add.delay_many([(1,), (2, 3), {"x": 4}])

    messages = [decode(one.body) for one in received(app)]
    assert [(one.args, one.kwargs) for one in messages] == [([1], {}), ([2, 3], {}), ([], {"x": 4})]
    assert [one.id for one in group] == [one.id for one in messages]
    assert len(group) == 3
    assert group[1].id == messages[1].id


def test_delay_many_of_nothing_is_nothing(app: cloudq.App, add: Task[[int, int], int]):
    group = add.delay_many([])

    assert len(group) == 0
    assert group.get() == []
    assert group.ready()


def test_delay_many_sends_nothing_if_one_call_is_wrong(app: cloudq.App, add: Task[[int, int], int]):
    with pytest.raises(ArgumentError, match="'x'"):
        add.delay_many([(1,), ("2",)])
    with pytest.raises(TypeError, match="Call 1 is 2: a tuple"):
        add.delay_many([(1,), 2])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="Call 0 is 'ab'"):
        add.delay_many(["ab"])  # type: ignore[list-item]

    assert received(app) == []


@dataclass
class Order:
    id: int


@pytest.mark.parametrize(
    ("returns", "value"), [(int, 3), (Order, Order(1)), (date, date(2026, 1, 1)), (None, None)]
)
def test_result_comes_back_as_the_function_returned_it(app: cloudq.App, returns: Any, value: Any):
    def do() -> Any:
        return value

    do.__annotations__["return"] = returns
    task = app.task(name="do")(do)
    result = task.delay()

    finish(app)

    assert result.get(timeout=0) == value
    assert task.result(result.id).get(timeout=0) == value


def finish(app: cloudq.App) -> None:
    from cloudq.settling import Settler

    settler = Settler(app.broker, app.results)
    for delivery in received(app):
        settler.settle([(delivery, execute(app, delivery.body, Context(queue="default")))])


class TestBound:
    def test_its_own_run_is_the_first_argument(self, app: cloudq.App):
        seen: list[BoundTask] = []

        @app.task(bind=True, name="look")
        def look(self: BoundTask, x: int) -> None:
            seen.append(self)

        look.apply_async((1,), headers={"tenant": "a"})
        (delivery,) = received(app)
        execute(app, delivery.body, Context(queue="default", receive_count=3))

        (own,) = seen
        assert own.name == "look"
        assert own.request.id == delivery.id
        assert own.request.queue == "default"
        assert own.request.receive_count == 3
        assert own.request.retries == 0
        assert own.request.headers == {"tenant": "a"}
        assert own.request.lease_lost is False
        assert own.request.time_remaining() is None

    def test_it_can_be_called_here_and_now(self, app: cloudq.App):
        @app.task(bind=True)
        def look(self: BoundTask, x: int) -> str:
            self.progress(1, 2)
            return f"{x} {self.request.retries} {bool(self.request.id)}"

        assert look(5) == "5 0 True"

    def test_retry_is_what_to_raise(self, app: cloudq.App):
        @app.task(bind=True)
        def look(self: BoundTask) -> None:
            raise self.retry(countdown=timedelta(seconds=5))

        with pytest.raises(cloudq.Retry) as caught:
            look()

        assert caught.value.countdown == 5


def test_message_that_a_task_sends_names_its_parent_and_its_root(app: cloudq.App):
    inner = app.task(name="inner")(lambda: None)
    middle = app.task(name="middle")(lambda: inner.delay().id)
    outer = app.task(name="outer")(lambda: middle.delay().id)

    def run_next() -> Message:
        (delivery,) = received(app)
        execute(app, delivery.body, Context(queue="default"))
        app.broker.ack([delivery])
        return decode(delivery.body)

    outer.delay()
    first, second, third = run_next(), run_next(), run_next()

    assert (first.parent, first.root) == (None, None)
    assert (second.parent, second.root) == (first.id, first.id)
    assert (third.parent, third.root) == (second.id, first.id)


@pytest.mark.parametrize(
    "call", [lambda task: task.delay(), lambda task: task.delay_many([()])], ids=["delay", "delay_many"]
)
def test_function_whose_hint_cannot_be_resolved_is_refused_at_first_use(
    app: cloudq.App, call: Callable[[Any], Any]
):
    def do(x: Any = None) -> None: ...

    do.__annotations__["x"] = "Ghost"
    task = app.task(name="shop.do")(do)

    with pytest.raises(ConfigurationError, match=r"shop\.do: the type of 'x', 'Ghost'"):
        call(task)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("headers", {"n": 1}),
        ("headers", "a"),
        ("task_id", 5),
        ("task_id", ""),
        ("queue", 5),
        ("group_id", 5),
        ("dedup_id", 5),
        ("countdown", float("nan")),
        ("countdown", "5"),
        ("countdown", True),
        ("expires", "soon"),
        ("args", 1),
        ("args", "ab"),
    ],
)
def test_option_that_could_only_be_dead_lettered_is_refused_where_it_is_said(app, add, option, value):
    with pytest.raises(ArgumentError, match=f"{option} is ") as caught:
        add.apply_async(**{"args": (1,), option: value})

    assert caught.value.argument == option
    app.declare("default")
    assert app.broker.stats("default").ready == 0


def test_countdown_and_eta_together_are_refused(add, clock):
    with pytest.raises(ArgumentError, match="give one"):
        add.apply_async((1,), countdown=1, eta=datetime.fromtimestamp(clock.now(), UTC))


def test_negative_countdown_is_now(app, add):
    add.apply_async((1,), countdown=-5)

    assert only(app).eta is None
