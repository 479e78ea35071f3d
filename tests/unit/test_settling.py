"""Ending deliveries: result first, then what follows, then the ack; each only if the one before is sure."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

import cloudq
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
    Lost,
    NotSent,
    Outcome,
    Outgoing,
    Reason,
    Release,
    Requeue,
    RetryLater,
    Settled,
    Unknown,
)
from cloudq.errors import BackendUnavailableError, BrokerUnavailableError, CloudqError, ConfigurationError
from cloudq.queues import Queue
from cloudq.results import ResultStore
from cloudq.settling import Settler


@dataclass
class Watched:
    """A memory broker whose calls are written down, and that fails where it is told to."""

    real: MemoryBroker
    calls: list[str] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)
    answer: Accepted | None = None
    error: type[CloudqError] = BrokerUnavailableError

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name in self.failing:
            raise self.error("no route")

    def send(self, queue: str, messages: Sequence[Outgoing]) -> list[Accepted]:
        self._call("send")
        return [self.answer for _ in messages] if self.answer else self.real.send(queue, messages)

    def ack(self, deliveries: Sequence[Delivery]) -> list[Answer]:
        self._call("ack")
        return self.real.ack(deliveries)

    def release(self, releases: Sequence[Release]) -> list[Answer]:
        self._call("release")
        return self.real.release(releases)

    def dead_letter(self, dead: Sequence[tuple[Delivery, Reason]]) -> list[Answer]:
        self._call("dead_letter")
        return self.real.dead_letter(dead)


class Down(MemoryBackend):
    """A memory backend that can be switched off."""

    is_down = False

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        if self.is_down:
            raise BackendUnavailableError("no route to the backend")
        return super().get_many(keys)


@dataclass
class Scene:
    """A queue `work` with a message `m1`, already received, and what settles it."""

    clock: FakeClock
    broker: Watched
    backend: Down
    store: ResultStore
    delivery: Delivery

    @property
    def settler(self) -> Settler:
        return Settler(self.broker, self.store)

    def settle(self, outcome: Outcome, **fence: Any) -> Answer:
        (answer,) = self.settler.settle([(self.delivery, self.execution(outcome, **fence))])
        return answer

    def execution(self, outcome: Outcome, **fence: Any) -> Execution:
        return Execution(**{"outcome": outcome, "id": "m1", "task": "do", **fence})

    @property
    def state(self) -> str | None:
        record = self.store.load("m1")
        return record and record.state

    def left(self, queue: str = "work") -> list[Delivery]:
        return self.broker.real.receive([queue], limit=10, lease=60, wait=0)


@pytest.fixture
def scene(clock: FakeClock) -> Scene:
    real = MemoryBroker(clock)
    real.declare(Queue("work"))
    real.declare(Queue("next"))
    real.send("work", [Outgoing("m1", b"body")])
    (delivery,) = real.receive(["work"], limit=1, lease=60, wait=0)
    backend = Down(clock)
    return Scene(clock, Watched(real), backend, ResultStore(backend, expires=3600, clock=clock), delivery)


FOLLOW_UP = FollowUp("next", Outgoing("m2", b"next"))


class TestOutcomes:
    def test_done_keeps_the_result_and_acks(self, scene: Scene):
        assert scene.settle(Done({"a": 1})) == Settled()

        record = scene.store.load("m1")
        assert record is not None
        assert (record.state, record.result, record.task) == ("SUCCESS", {"a": 1}, "do")
        assert scene.broker.real.stats("work").leased == 0
        assert scene.left() == []

    def test_ignored_acks_and_keeps_nothing(self, scene: Scene):
        assert scene.settle(Ignored("the task said so")) == Settled()

        assert scene.state is None
        assert scene.left() == []

    def test_revoked_acks_and_tells_callers(self, scene: Scene):
        scene.settle(Ignored("it expired 5 s ago", is_revoked=True))

        assert scene.state == "REVOKED"
        assert scene.left() == []

    def test_retry_later_gives_back_for_its_delay_with_the_new_body(self, scene: Scene):
        scene.settle(RetryLater(10, 1, "OSError: no", "T", body=b"again"))

        record = scene.store.load("m1")
        assert record is not None
        assert (record.state, record.failures, record.error, record.traceback) == (
            "RETRY",
            1,
            "OSError: no",
            "T",
        )
        assert scene.left() == []
        scene.clock.advance(10)
        (again,) = scene.left()
        assert (again.body, again.receive_count) == (b"again", 2)

    def test_requeue_gives_back_and_keeps_nothing(self, scene: Scene):
        scene.settle(Requeue(5))

        assert scene.state is None
        scene.clock.advance(5)
        (again,) = scene.left()
        assert again.body == b"body"

    @pytest.mark.parametrize(("is_counted", "count"), [(True, 2), (False, 1)])
    def test_requeue_says_whether_the_receive_counts(self, scene: Scene, is_counted: bool, count: int):
        scene.settle(Requeue(is_counted=is_counted))

        (again,) = scene.left()
        assert again.receive_count == count

    @pytest.mark.parametrize(
        ("code", "state"),
        [
            ("failed", "FAILURE"),
            ("rejected", "FAILURE"),
            ("bad_result", "FAILURE"),
            ("poison", "DEAD"),
            ("unknown_task", "DEAD"),
            ("bad_arguments", "DEAD"),
        ],
    )
    def test_dead_goes_to_the_dead_letter_queue_with_its_reason(self, scene: Scene, code: str, state: str):
        assert scene.settle(Dead(Reason(code, "It failed.", "OSError: no", "T", failures=4))) == Settled()

        record = scene.store.load("m1")
        assert record is not None
        assert (record.state, record.error, record.failures) == (state, "OSError: no", 4)
        (dead,) = scene.left("work-dead")
        assert dead.body == b"body"
        assert dead.reason is not None
        assert (dead.reason.code, dead.reason.queue, dead.reason.failures) == (code, "work", 4)

    def test_body_that_was_no_message_is_dead_and_has_no_record(self, scene: Scene):
        scene.settle(Dead(Reason("bad_body", "The body isn't JSON.")), id="", task="")

        assert scene.store.load("") is None
        assert len(scene.left("work-dead")) == 1

    def test_nothing_is_kept_where_there_is_no_backend(self, scene: Scene):
        (answer,) = Settler(scene.broker, None).settle([(scene.delivery, scene.execution(Done(1)))])

        assert answer == Settled()
        assert scene.left() == []

    def test_lost_lease_is_told_and_nothing_raised(self, scene: Scene):
        scene.clock.advance(60)

        assert scene.settle(Done(1)) == Lost()


class TestFollowUps:
    def test_what_follows_is_sent_before_the_ack(self, scene: Scene):
        scene.settle(Done(1, (FOLLOW_UP,)))

        assert scene.broker.calls == ["send", "ack"]
        (next_one,) = scene.left("next")
        assert next_one.id == "m2"

    @pytest.mark.parametrize("answer", [NotSent("full"), Unknown("lost")], ids=lambda one: type(one).__name__)
    def test_message_is_given_back_if_what_follows_was_not_surely_taken(
        self, scene: Scene, answer: Accepted, caplog: pytest.LogCaptureFixture
    ):
        scene.broker.answer = answer

        with caplog.at_level(logging.INFO):
            assert scene.settle(Done(1, (FOLLOW_UP,))) == Settled()

        assert scene.broker.calls == ["send", "release"]
        assert actions(caplog) == ["message_released"]
        scene.clock.advance(60)
        assert len(scene.left()) == 1

    def test_message_is_given_back_if_the_broker_is_down_for_what_follows(self, scene: Scene):
        scene.broker.failing = {"send"}

        scene.settle(Done(1, (FOLLOW_UP,)))

        assert scene.broker.calls == ["send", "release"]

    def test_nothing_follows_where_the_result_is_not_kept(self, scene: Scene):
        scene.backend.is_down = True

        scene.settle(Done(1, (FOLLOW_UP,)))

        assert scene.broker.calls == []


class TestTrouble:
    def test_backend_that_is_down_leaves_the_lease_as_it_is(
        self, scene: Scene, caplog: pytest.LogCaptureFixture
    ):
        scene.backend.is_down = True

        answer = scene.settle(Done(1))

        assert answer == Unknown("no route to the backend")
        assert scene.broker.calls == []
        assert scene.broker.real.stats("work").leased == 1
        assert actions(caplog) == ["not_settled"]

    def test_missing_dead_letter_queue_is_told_to_who_can_make_it(self, clock: FakeClock):
        broker, missed = MemoryBroker(clock), list[bool]()
        broker.declare(Queue("work"))
        broker.send("work", [Outgoing("m1", b"body")])
        broker.dead_letter([(broker.receive(["work"], limit=1, lease=60, wait=0)[0], Reason("failed", "no"))])
        (buried,) = broker.receive(["work-dead"], limit=1, lease=60, wait=0)  # nothing is behind this one

        settler = Settler(broker, None, missed=lambda: missed.append(True))
        (answer,) = settler.settle([(buried, Execution(Dead(Reason("failed", "again"))))])

        assert isinstance(answer, Unknown)
        assert missed == [True]

    def test_failure_of_many_is_told_in_one_line(self, scene: Scene, caplog: pytest.LogCaptureFixture):
        scene.backend.is_down = True
        items = [(scene.delivery, scene.execution(Done(number))) for number in range(100)]

        answers = scene.settler.settle(items)

        assert answers == [Unknown("no route to the backend")] * 100
        assert [vars(record)["count"] for record in caplog.records] == [100]

    def test_settling_again_after_the_backend_is_back_ends_it(self, scene: Scene):
        scene.backend.is_down = True
        scene.settle(Done(1))

        scene.backend.is_down = False

        assert scene.settle(Done(1)) == Settled()
        assert scene.state == "SUCCESS"

    def test_outcome_that_keeps_nothing_is_settled_though_the_backend_is_down(self, scene: Scene):
        scene.backend.is_down = True

        assert scene.settle(Requeue(5)) == Settled()

    @pytest.mark.parametrize(
        ("outcome", "call"),
        [(Done(1), "ack"), (RetryLater(1, 1), "release"), (Dead(Reason("failed", "x")), "dead_letter")],
        ids=["ack", "release", "dead_letter"],
    )
    @pytest.mark.parametrize("error", [BrokerUnavailableError, ConfigurationError])
    def test_broker_that_is_down_or_refuses_is_unknown_and_can_be_settled_again(
        self, scene: Scene, outcome: Outcome, call: str, error: type[CloudqError]
    ):
        scene.broker.failing, scene.broker.error = {call}, error
        first = scene.settle(outcome)

        scene.broker.failing = set()
        second = scene.settle(outcome)

        assert first == Unknown("no route")
        assert second == Settled()
        assert scene.broker.real.stats("work").leased == 0

    def test_one_kind_of_settlement_that_fails_leaves_the_others(self, scene: Scene):
        scene.broker.real.send("work", [Outgoing("m3", b"x")])
        (other,) = scene.left()
        scene.broker.failing = {"ack"}

        answers = scene.settler.settle(
            [
                (scene.delivery, scene.execution(Done(1))),
                (other, scene.execution(Dead(Reason("failed", "x")), id="m3")),
            ]
        )

        assert answers == [Unknown("no route"), Settled()]

    def test_missing_dead_letter_queue_is_never_acked_over(self, scene: Scene, clock: FakeClock):
        bare = MemoryBroker(clock)
        bare.declare(Queue("work"))
        bare.send("work", [Outgoing("m1", b"body")])
        (delivery,) = bare.receive(["work"], limit=1, lease=60, wait=0)
        del bare._queues["work-dead"]

        (answer,) = Settler(bare, scene.store).settle(
            [(delivery, scene.execution(Dead(Reason("failed", "x"))))]
        )

        assert isinstance(answer, Unknown)
        assert bare.stats("work").leased == 1


class TestBatches:
    def test_many_are_settled_in_one_call_a_kind_and_answered_in_order(self, scene: Scene):
        scene.broker.real.send("work", [Outgoing(f"n{index}", b"x") for index in range(6)])
        deliveries = scene.left()
        outcomes: list[Outcome] = [
            Done(1),
            RetryLater(5, 1),
            Dead(Reason("failed", "x")),
            Ignored(),
            Requeue(3),
            Done(2),
        ]
        scene.broker.real.ack([deliveries[3]])

        answers = scene.settler.settle(
            [
                (delivery, scene.execution(outcome, id=delivery.id))
                for delivery, outcome in zip(deliveries, outcomes, strict=True)
            ]
        )

        assert answers == [Settled(), Settled(), Settled(), Lost(), Settled(), Settled()]
        assert scene.broker.calls == ["ack", "release", "dead_letter"]
        assert scene.store.load_many(["n0", "n5"])["n5"].result == 2

    def test_nothing_is_settled_without_a_call(self, scene: Scene):
        assert scene.settler.settle([]) == []
        assert scene.broker.calls == []

    def test_message_that_is_there_twice_keeps_its_later_record(self, scene: Scene):
        scene.broker.real.send("work", [Outgoing("m1", b"body")])
        (twin,) = scene.left()

        answers = scene.settler.settle(
            [(scene.delivery, scene.execution(Done(1))), (twin, scene.execution(RetryLater(1, 1)))]
        )

        assert answers == [Settled(), Settled()]
        assert scene.state == "SUCCESS"


class TestFence:
    def test_older_attempt_does_not_overwrite_a_newer_one_s_record(self, scene: Scene):
        scene.settle(RetryLater(0, 2, "OSError: second"), attempt=2)

        scene.settle(RetryLater(0, 1, "OSError: first"), attempt=1)

        record = scene.store.load("m1")
        assert record is not None
        assert record.error == "OSError: second"

    def test_success_stands_whatever_comes_after(self, scene: Scene):
        scene.settle(Done(1), attempt=1)

        scene.settle(Dead(Reason("failed", "x")), attempt=5)

        assert scene.state == "SUCCESS"

    def test_next_generation_starts_anew(self, scene: Scene):
        scene.settle(Dead(Reason("failed", "x")), attempt=5)

        scene.settle(Done(2), generation=1)

        assert scene.state == "SUCCESS"


class TestLog:
    @pytest.mark.parametrize(
        ("outcome", "action"),
        [
            (Done(), "message_done"),
            (Ignored(), "message_ignored"),
            (RetryLater(1, 1), "message_retried"),
            (Requeue(), "message_released"),
            (Dead(Reason("failed", "x")), "message_dead"),
        ],
        ids=lambda one: one if isinstance(one, str) else type(one).__name__,
    )
    def test_each_end_is_one_line_with_its_fields(
        self, scene: Scene, caplog: pytest.LogCaptureFixture, outcome: Outcome, action: str
    ):
        with caplog.at_level(logging.INFO):
            scene.settle(outcome, attempt=3, seconds=1.5)

        (record,) = caplog.records
        said = vars(record)
        assert said["action"] == action
        assert (said["queue"], said["task"], said["message_id"]) == ("work", "do", "m1")
        assert (said["attempt"], said["seconds"]) == (3, 1.5)


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [getattr(record, "action", "") for record in caplog.records]


def test_worker_s_death_between_result_and_ack_does_not_run_the_task_twice(app: cloudq.App):
    from cloudq.execution import Context, execute

    ran: list[int] = []
    task = app.task(name="do")(lambda x: ran.append(x) or x)
    task.delay(1)
    clock = app.clock
    assert isinstance(clock, FakeClock)
    (delivery,) = app.broker.receive(["default"], limit=1, lease=60, wait=0)
    execution = execute(app, delivery.body, Context(queue="default"))
    broker = Watched(app.broker, failing={"ack"})  # type: ignore[arg-type]
    Settler(broker, app.results).settle([(delivery, execution)])

    clock.advance(60)
    (again,) = app.broker.receive(["default"], limit=1, lease=60, wait=0)
    second = execute(app, again.body, Context(queue="default", receive_count=2))
    (answer,) = Settler(app.broker, app.results).settle([(again, second)])

    assert ran == [1]
    assert answer == Settled()
    assert app.broker.stats("default").ready == 0
