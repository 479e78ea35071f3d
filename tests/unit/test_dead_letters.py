"""Dead letters: which are chosen, how they are put back, what a failure on the way leaves."""

from __future__ import annotations

import pytest

import cloudq
from cloudq.clock import FakeClock
from cloudq.codec import decode
from cloudq.dead_letters import Chosen, DeadLetters
from cloudq.delivery import NotSent, Outgoing, Reason, Unknown
from cloudq.errors import BrokerUnavailableError, QueueNotFoundError
from cloudq.queues import source_name
from cloudq.testing.inline import InlineWorker


@pytest.fixture
def clock():
    return FakeClock()


class Shop:
    """An app whose tasks fail until they are mended."""

    def __init__(self, clock, queue="emails"):
        self.app = app = cloudq.App("shop", broker="memory://", backend="memory://", environ={}, clock=clock)
        self.clock, self.queue = clock, queue
        self.is_broken = True
        self.attempts = []

        @app.task(name="shop.send", queue=queue, retries=1, backoff=0, bind=True)
        def send(bound, number: int) -> int:
            self.attempts.append((number, bound.request.retries, bound.request.receive_count))
            if self.is_broken:
                raise LookupError(f"number {number}")
            return number

        @app.task(name="shop.count", queue=queue, retries=0)
        def count(number: int) -> int:
            if self.is_broken:
                raise ValueError(number)
            return number

        self.send, self.count = send, count
        self.letters = DeadLetters(app, queue)

    def drain(self):
        InlineWorker(self.app).drain()

    def let_die(self, *numbers, task=None, **options):
        results = [(task or self.send).apply_async((number,), **options) for number in numbers]
        self.drain()
        return results

    def look(self, **chosen):
        return self.letters.look(Chosen(**chosen), 100)

    def numbers(self, **chosen):
        return [letter.message.args[0] for letter in self.look(**chosen)]


@pytest.fixture
def shop(clock):
    shop = Shop(clock)
    yield shop
    shop.app.close()


class TestLooking:
    def test_a_dead_letter_tells_what_it_died_of_and_where_it_came_from(self, shop, clock):
        (result,) = shop.let_die(1)

        (letter,) = shop.look()

        assert (letter.id, letter.task, letter.source) == (result.id, "shop.send", "emails")
        assert (letter.reason.code, letter.reason.failures) == ("failed", 2)
        assert letter.reason.error == "LookupError: number 1"
        assert letter.reason.died_at == clock.now()
        assert "LookupError" in shop.letters.traceback(letter)

    def test_looking_takes_nothing(self, shop):
        shop.let_die(1)

        shop.look()

        assert shop.look()
        assert shop.app.broker.stats("emails-dead").ready == 1

    def test_a_body_that_is_no_message_has_the_brokers_id_and_no_task(self, shop):
        shop.app.declare("emails")
        shop.app.broker.send("emails", [Outgoing("foreign", b"hello")])
        shop.drain()

        (letter,) = shop.look()

        assert (letter.id, letter.task, letter.message) == ("foreign", "", None)
        assert letter.reason.code == "bad_body"

    def test_they_are_chosen_by_task_reason_id_and_time(self, shop, clock):
        first, _ = shop.let_die(1, 2)
        shop.let_die(3, task=shop.count)
        clock.advance(100)
        since = clock.now()
        shop.let_die(4)

        assert shop.numbers(task="shop.send") == [1, 2, 4]
        assert shop.numbers(task="*.c*") == [3]
        assert shop.numbers(reason="failed") == [1, 2, 3, 4]
        assert shop.numbers(reason="poison") == []
        assert shop.numbers(ids=frozenset({first.id})) == [1]
        assert shop.numbers(since=since) == [4]
        assert shop.numbers(task="shop.send", since=since - 200) == [1, 2, 4]

    def test_a_task_s_name_chooses_no_body_without_one(self, shop):
        shop.app.declare("emails")
        shop.app.broker.send("emails", [Outgoing("foreign", b"hello")])
        shop.drain()

        assert shop.look(task="*") == []

    def test_the_whole_traceback_is_the_backends(self, shop):
        (result,) = shop.let_die(1)
        (letter,) = shop.look()
        whole = shop.app.results.load(result.id).traceback
        delivery = shop.app.broker.receive(["emails-dead"], limit=1, lease=1, wait=0)[0]
        cut = Reason("failed", "cut", traceback="Traceback […] LookupError", queue="emails")
        shop.app.broker.ack([delivery])
        letter = type(letter)(delivery._replace(reason=cut), letter.message)

        assert shop.letters.traceback(letter) == whole


class TestRedrive:
    def test_a_message_that_is_put_back_starts_its_attempts_anew(self, shop):
        (result,) = shop.let_die(1)
        shop.is_broken, shop.attempts = False, []

        tally = shop.letters.redrive(Chosen())
        shop.drain()

        assert tally.done == 1
        assert shop.attempts == [(1, 0, 1)]
        assert result.get(timeout=0) == 1
        assert shop.look() == []

    def test_it_may_fail_as_often_as_before_and_die_anew(self, shop):
        (result,) = shop.let_die(1)
        shop.attempts = []

        shop.letters.redrive(Chosen())
        shop.drain()

        assert [retries for _, retries, _ in shop.attempts] == [0, 1]
        (letter,) = shop.look()
        assert (letter.id, letter.message.generation, letter.reason.failures) == (result.id, 1, 2)

    def test_it_bears_a_new_generation_no_failures_and_no_reason(self, shop):
        shop.let_die(1)

        shop.letters.redrive(Chosen())

        (delivery,) = shop.app.broker.receive(["emails"], limit=10, lease=60, wait=0)
        message = decode(delivery.body)
        assert (message.generation, message.retries, message.args) == (1, 0, [1])
        assert delivery.reason is None

    def test_a_body_that_is_no_message_goes_back_unchanged(self, shop):
        shop.app.declare("emails")
        shop.app.broker.send("emails", [Outgoing("foreign", b"hello", attributes={"colour": "red"})])
        shop.drain()

        assert shop.letters.redrive(Chosen()).done == 1

        (delivery,) = shop.app.broker.receive(["emails"], limit=10, lease=60, wait=0)
        assert (delivery.body, delivery.attributes) == (b"hello", {"colour": "red"})

    def test_a_body_that_is_no_message_and_dies_again_is_not_put_back_twice(self, shop, clock):
        shop.app.declare("emails")
        shop.app.broker.send("emails", [Outgoing("foreign", b"hello")])
        shop.drain()

        def told(_):
            clock.advance(1)
            shop.drain()

        tally = shop.letters.redrive(Chosen(), told=told)

        assert (tally.done, tally.died_again) == (1, 1)

    def test_only_what_is_chosen_goes_back_and_the_rest_stays_to_be_found(self, shop):
        shop.let_die(*range(30))
        shop.let_die(30, 31, task=shop.count)

        tally = shop.letters.redrive(Chosen(task="shop.count"))

        assert (tally.done, tally.left) == (2, 30)
        assert shop.numbers() == list(range(30))
        assert shop.app.broker.stats("emails").ready == 2

    def test_no_more_than_the_limit_goes_back(self, shop):
        shop.let_die(*range(25))

        assert shop.letters.redrive(Chosen(), limit=12).done == 12

        assert len(shop.look()) == 13

    def test_the_rate_is_kept(self, shop, clock):
        shop.let_die(*range(5))
        steps = []
        # A sleep on a clock that nobody moves would not end: this one moves itself.
        clock.sleep = clock.advance

        shop.letters.redrive(
            Chosen(), rate=2, told=lambda tally: steps.append((tally.done, clock.monotonic()))
        )

        assert steps == [(1, 0.0), (2, 0.5), (3, 1.0), (4, 1.5), (5, 2.0)]

    def test_a_rate_below_one_in_a_lease_comes_to_an_end_too(self, shop, clock):
        shop.let_die(1, 2, 3)
        clock.sleep = clock.advance

        assert shop.letters.redrive(Chosen(), rate=0.001).done == 3

        assert 2000 <= clock.monotonic() <= 3000

    def test_what_has_expired_stays(self, shop, clock):
        shop.let_die(1, expires=10)
        clock.advance(11)

        tally = shop.letters.redrive(Chosen())

        assert (tally.done, tally.expired) == (0, 1)
        assert shop.numbers() == [1]

    def test_what_dies_again_meanwhile_is_not_put_back_twice(self, shop):
        shop.let_die(*range(12))
        seen = []

        def told(tally):
            seen.append(tally.done)
            shop.drain()

        tally = shop.letters.redrive(Chosen(), told=told)

        assert (tally.done, tally.died_again) == (12, 12)
        assert sorted(shop.numbers()) == list(range(12))

    def test_fifo_letters_keep_their_groups_and_are_not_taken_for_repeats(self, clock):
        shop = Shop(clock, "emails.fifo")
        shop.let_die(1, 2, group_id="a")
        shop.is_broken, shop.attempts = False, []

        tally = DeadLetters(shop.app, "emails.fifo").redrive(Chosen())
        stats = shop.app.broker.stats("emails.fifo")
        shop.drain()

        assert (tally.done, stats.ready) == (2, 2)
        assert [number for number, _, _ in shop.attempts] == [1, 2]
        shop.app.close()

    def test_a_queue_that_is_not_there_is_an_error(self, shop):
        with pytest.raises(QueueNotFoundError, match="emails-dead"):
            shop.letters.redrive(Chosen())


class Failing:
    """The shop's broker, but for one method, whose next answers are scripted."""

    def __init__(self, broker, method, *answers):
        self._broker, self._method, self._answers = broker, method, list(answers)

    def __getattr__(self, name):
        real = getattr(self._broker, name)
        if name != self._method or not self._answers:
            return real

        def scripted(*args):
            answer = self._answers.pop(0)
            if answer is None:
                return real(*args)
            if isinstance(answer, type) and issubclass(answer, BaseException):
                real(*args)
                raise answer
            if isinstance(answer, BaseException):
                raise answer
            return [answer]

        return scripted


class TestWhatGoesWrong:
    @pytest.mark.parametrize("answer", [NotSent("full"), Unknown("lost")])
    def test_what_was_not_surely_taken_stays(self, shop, answer):
        shop.let_die(1, 2)
        shop.app._broker = Failing(shop.app.broker, "send", answer)

        tally = shop.letters.redrive(Chosen())

        assert tally.done == 1
        assert list(tally.refused.values()) == [
            "full" if isinstance(answer, NotSent) else "it may have been put back: lost"
        ]
        assert shop.numbers() == [1]

    def test_a_broker_out_of_reach_ends_it_and_loses_nothing(self, shop):
        shop.let_die(*range(5))
        told = []
        shop.app._broker = Failing(shop.app.broker, "send", None, None, BrokerUnavailableError("down"))

        with pytest.raises(BrokerUnavailableError):
            shop.letters.redrive(Chosen(), told=lambda tally: told.append(tally.done))

        assert told == [1, 2]
        assert shop.numbers() == [2, 3, 4]
        assert shop.app.broker.stats("emails").ready == 2

    def test_a_deletion_whose_answer_is_lost_is_tried_again(self, shop):
        shop.let_die(1)
        shop.app._broker = Failing(shop.app.broker, "ack", Unknown("lost"), BrokerUnavailableError("down"))

        tally = shop.letters.redrive(Chosen())

        assert (tally.done, tally.doubtful) == (1, 0)
        assert shop.look() == []

    def test_what_a_killed_redrive_still_holds_is_told_and_comes_back_in_time(self, shop, clock):
        shop.let_die(1, 2, 3)
        shop.app.broker.receive([shop.letters.name], limit=2, lease=120, wait=0)

        first = shop.letters.redrive(Chosen())
        clock.advance(121)
        second = shop.letters.redrive(Chosen())

        assert (first.done, first.held) == (1, 2)
        assert (second.done, second.held) == (2, 0)

    @pytest.mark.parametrize("method", ["send", "ack"])
    def test_an_interruption_between_the_steps_doubles_one_at_most(self, shop, method):
        shop.let_die(*range(8))
        shop.app._broker = Failing(shop.app.broker, method, None, None, KeyboardInterrupt)

        with pytest.raises(KeyboardInterrupt):
            shop.letters.redrive(Chosen())
        shop.is_broken, shop.attempts = False, []
        shop.letters.redrive(Chosen())
        shop.drain()

        numbers = sorted(number for number, _, _ in shop.attempts)
        assert sorted(set(numbers)) == list(range(8))
        assert len(numbers) <= 9

    def test_a_repeat_of_an_interrupted_redrive_runs_once_where_results_are_kept(self, shop):
        (result,) = shop.let_die(1)
        shop.app._broker = Failing(shop.app.broker, "send", KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            shop.letters.redrive(Chosen())
        shop.is_broken, shop.attempts = False, []

        shop.letters.redrive(Chosen())
        assert shop.app.broker.stats("emails").ready == 2
        shop.drain()

        assert len(shop.attempts) == 1
        assert result.get(timeout=0) == 1


class TestDelete:
    def test_what_is_chosen_goes_and_the_rest_stays(self, shop):
        shop.let_die(1, 2)
        shop.let_die(3, task=shop.count)

        tally = shop.letters.delete(Chosen(task="shop.send"))

        assert tally.done == 2
        assert shop.numbers() == [3]
        assert shop.app.broker.stats("emails").ready == 0


@pytest.mark.parametrize(
    ("dead", "named", "source"),
    [
        ("emails-dead", "emails", "emails"),
        ("emails-dead", "", "emails"),
        ("emails-dead", "arn-of-another", "emails"),
        ("orders-dead.fifo", "orders.fifo", "orders.fifo"),
        ("orders-dead.fifo", "", "orders.fifo"),
    ],
)
def test_a_dead_letter_queue_tells_its_source(dead, named, source):
    assert source_name(dead, named) == source
