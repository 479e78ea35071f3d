"""Queues with levels of priority: declaring, sending, running, counting."""

from __future__ import annotations

import pytest

import cloudq
from cloudq.clock import FakeClock
from cloudq.dead_letters import Chosen, DeadLetters
from cloudq.errors import ArgumentError, ConfigurationError
from cloudq.queues import Queue, dead_letter_name
from cloudq.testing.inline import InlineWorker


def shop(**settings):
    queues = [Queue("emails", priorities=3), Queue("reports")]
    app = cloudq.App(
        "shop",
        broker="memory://",
        backend="memory://",
        environ={},
        clock=FakeClock(),
        queues=queues,
        **settings,
    )
    app.ran = []

    @app.task(name="shop.send", queue=None if settings else "emails", retries=0)
    def send(number: int) -> int:
        app.ran.append(number)
        if number < 0:
            raise ValueError(number)
        return number

    return app, send


@pytest.fixture
def app():
    app, _ = shop()
    yield app
    app.close()


@pytest.fixture
def send(app):
    return app.tasks["shop.send"]


class TestDeclaring:
    @pytest.mark.parametrize("priorities", [0, -1, 11, 1.5, True, "3", None])
    def test_a_number_of_levels_that_can_not_be_is_refused(self, priorities):
        with pytest.raises(ConfigurationError, match="from 1 to 10"):
            Queue("emails", priorities=priorities)

    def test_a_fifo_queue_has_none(self):
        with pytest.raises(ConfigurationError, match="FIFO"):
            Queue("emails.fifo", priorities=2)

    def test_each_level_is_a_queue_and_the_highest_stands_first(self):
        levels = Queue("emails", priorities=3, lease=90, topics=("news",)).levels

        assert [level.name for level in levels] == ["emails--p2", "emails--p1", "emails"]
        assert {level.lease for level in levels} == {90}
        assert [level.topics for level in levels] == [(), (), ("news",)]

    def test_a_queue_without_priorities_is_its_only_level(self):
        assert Queue("emails").levels == (Queue("emails"),)

    def test_all_levels_share_one_dead_letter_queue(self):
        assert {level.dead_letter for level in Queue("emails", priorities=3).levels} == {"emails-dead"}
        assert dead_letter_name("emails--p2") == "emails-dead"

    def test_a_name_that_is_a_levels_is_refused_and_the_declaration_named(self):
        with pytest.raises(ConfigurationError, match=r"Queue\('emails', priorities=3\)"):
            cloudq.App("shop", queues=[Queue("emails--p2")], environ={})

    def test_the_longest_name_can_have_levels(self):
        assert len(Queue("x" * 70, priorities=10).levels) == 10

    def test_all_levels_are_made_at_once(self, app):
        app.declare("emails")

        assert app.broker.queues() == ["emails", "emails--p1", "emails--p2", "emails-dead"]


class TestSending:
    def test_a_call_goes_to_the_level_that_it_names(self, app, send):
        send.apply_async((2,), priority=2)
        send.apply_async((0,), priority=0)
        send.delay(1)

        ready = {name: app.broker.stats(name).ready for name in ("emails--p2", "emails--p1", "emails")}
        assert ready == {"emails--p2": 1, "emails--p1": 0, "emails": 2}

    @pytest.mark.parametrize("priority", [3, 9])
    def test_a_level_that_is_not_there_is_an_error_that_says_which_are(self, app, send, priority):
        with pytest.raises(ArgumentError, match=r"queue 'emails' has priorities 0 to 2") as caught:
            send.apply_async((1,), priority=priority)

        assert caught.value.argument == "priority"
        assert f"priorities={priority + 1}" in str(caught.value)

    def test_a_queue_without_priorities_says_so(self, send):
        with pytest.raises(ArgumentError, match="'reports' has no priorities"):
            send.apply_async((1,), queue="reports", priority=1)

    @pytest.mark.parametrize("priority", [-1, 1.0, True, "2"])
    def test_what_is_no_level_is_refused(self, send, priority):
        with pytest.raises(ArgumentError, match="priority"):
            send.apply_async((1,), priority=priority)

    def test_what_is_published_has_none(self, send):
        with pytest.raises(ArgumentError, match="topic"):
            send.apply_async((1,), topic="news", priority=1)

    def test_a_task_has_a_priority_of_its_own_that_a_call_overrides(self, app):
        @app.task(name="shop.urgent", queue="emails", priority=1)
        def urgent() -> None: ...

        urgent.delay()
        urgent.delay_many([()])
        urgent.apply_async(priority=2)
        urgent.apply_async(queue="reports")

        ready = {
            name: app.broker.stats(name).ready for name in ("emails--p2", "emails--p1", "emails", "reports")
        }
        assert ready == {"emails--p2": 1, "emails--p1": 2, "emails": 0, "reports": 1}

    @pytest.mark.parametrize("priority", [-1, 1.0, True, "2"])
    def test_a_priority_that_is_none_is_refused_where_the_task_is_registered(self, app, priority):
        with pytest.raises(ConfigurationError, match="priority"):
            app.task(queue="emails", priority=priority)

    def test_a_route_gives_one_too(self):
        app, send = shop(task_routes=[("shop.*", {"queue": "emails", "priority": 2})])

        send.delay(1)

        assert app.broker.stats("emails--p2").ready == 1
        app.close()


class TestRunning:
    def test_the_highest_goes_first(self, app, send):
        for priority in (0, 2, 1, 0, 2):
            send.apply_async((priority,), priority=priority)

        InlineWorker(app).drain()

        assert app.ran == [2, 2, 1, 0, 0]

    def test_results_and_dead_letters_are_as_without_priorities(self, app, send):
        good, bad = send.apply_async((7,), priority=1), send.apply_async((-1,), priority=2)
        InlineWorker(app).drain()

        assert good.get(timeout=0) == 7
        letters = DeadLetters(app, "emails")
        (letter,) = letters.look(Chosen(), 10)
        assert (letter.id, letter.source) == (bad.id, "emails--p2")

        assert letters.redrive(Chosen()).done == 1
        assert app.broker.stats("emails--p2").ready == 1

    def test_a_queue_counts_all_its_levels(self, app, send):
        for priority in (0, 1, 1, 2):
            send.apply_async((-1,), priority=priority, countdown=10 * (priority == 2))
        InlineWorker(app).drain()
        send.apply_async((1,), priority=1)

        stats = app.stats("emails")

        assert (stats.ready, stats.delayed, stats.dead) == (1, 1, 3)
