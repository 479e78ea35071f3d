from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudq.brokers.sqs.transport import BusyError, RefusedError
from cloudq.clock import SystemClock
from cloudq.delivery import Reason
from cloudq.errors import BrokerUnavailableError, QueueNotFoundError
from cloudq.queues import Queue
from tests.scripted_sqs import HastyClock, ScriptedSqs, failing, message, name_of
from tests.waiting import wait_until

PATIENCE = 10.0


class Waters:
    """What ReceiveMessage brings: looks answer at once, polls when the test says so."""

    def __init__(self):
        self.changed = threading.Condition()
        self.ready: dict[str, list] = {}
        self.polls: list[str] = []
        self.answers: dict[str, object] = {}

    def put(self, queue, *messages):
        self.ready.setdefault(queue, []).extend(messages)

    def answer(self, queue, *messages, error=None):
        """Let the outstanding poll of a queue end."""
        self.wait_for_poll(queue)
        with self.changed:
            self.answers[queue] = error or {"Messages": list(messages)}
            self.changed.notify_all()

    def wait_for_poll(self, queue):
        with self.changed:
            assert self.changed.wait_for(lambda: queue in self.polls, PATIENCE), f"no poll of {queue}"

    def __call__(self, params):
        queue, limit = name_of(params), params["MaxNumberOfMessages"]
        found, self.ready[queue] = self.ready.get(queue, [])[:limit], self.ready.get(queue, [])[limit:]
        if found or not params["WaitTimeSeconds"]:
            return {"Messages": found}
        with self.changed:
            self.polls.append(queue)
            self.changed.notify_all()
            assert self.changed.wait_for(lambda: queue in self.answers, PATIENCE)
            self.polls.remove(queue)
            return self.answers.pop(queue)


@pytest.fixture
def waters():
    return Waters()


class Deletable(ScriptedSqs):
    """A broker's queues can be deleted under it, although their URLs are known."""

    def __init__(self, waters):
        self.deleted: set[str] = set()
        super().__init__(ReceiveMessage=self._receive, CreateQueue=self._create)
        self._waters = waters

    def _receive(self, params):
        if name_of(params) in self.deleted:
            return QueueNotFoundError("deleted", queue=name_of(params))
        return self._waters(params)

    def _create(self, params):
        self.deleted.discard(params["QueueName"])


@pytest.fixture
def aws(waters):
    return Deletable(waters)


@pytest.fixture
def broker(aws, waters):
    broker = aws.broker(SystemClock())
    yield broker
    broker.close()
    for queue in list(waters.polls):
        waters.answer(queue)


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as pool:
        yield pool


def receive(broker, *queues, limit=10, lease=60.0, wait=20.0):
    return broker.receive(list(queues), limit=limit, lease=lease, wait=wait)


def hidden(aws):
    return [
        (entry["ReceiptHandle"], entry["VisibilityTimeout"])
        for batch in aws.entries("ChangeMessageVisibilityBatch")
        for entry in batch
    ]


def test_one_queue_is_asked_by_one_poll(aws, waters, broker):
    waters.put("a", message("1"), message("2"))

    assert [one.body for one in receive(broker, "a", lease=29.5, limit=3)] == [b"1", b"2"]

    (asked,) = aws.asked("ReceiveMessage")
    assert (asked["MaxNumberOfMessages"], asked["VisibilityTimeout"], asked["WaitTimeSeconds"]) == (3, 30, 20)


@pytest.mark.parametrize(("wait", "seconds"), [(0, 0), (0.3, 1), (1.4, 1), (19.99, 20), (90, 20)])
def test_sqs_waits_whole_seconds_and_twenty_at_most(aws, waters, broker, wait, seconds):
    waters.put("a", message())

    receive(broker, "a", wait=wait)

    assert aws.asked("ReceiveMessage")[0]["WaitTimeSeconds"] == seconds


def test_a_delivery_bears_what_sqs_says_of_it(waters, broker):
    waters.put(
        "a",
        message(
            "Grüße",
            MessageId="m-7",
            Attributes={
                "ApproximateReceiveCount": "3",
                "SentTimestamp": "1800000000123",
                "MessageGroupId": "tenant",
                "AWSTraceHeader": "Root=1",
            },
            MessageAttributes={
                "colour": {"DataType": "String", "StringValue": "red"},
                "picture": {"DataType": "Binary", "BinaryValue": b"\0"},
                "cloudq.dead": {"DataType": "String", "StringValue": "{}"},
            },
        ),
    )

    (one,) = receive(broker, "a")

    assert (one.queue, one.id, one.body) == ("a", "m-7", "Grüße".encode())
    assert (one.receive_count, one.group, one.sent_at) == (3, "tenant", 1_800_000_000.123)
    assert one.attributes == {"colour": "red", "AWSTraceHeader": "Root=1"}
    assert one.reason is None


def test_what_sqs_itself_moved_to_the_dead_letter_queue_has_a_reason(waters, broker):
    source = {"DeadLetterQueueSourceArn": "arn:aws:sqs:eu-west-1:1:a", "ApproximateReceiveCount": "1"}
    waters.put("a-dead", message(Attributes=source))

    (one,) = receive(broker, "a-dead")

    assert isinstance(one.reason, Reason)
    assert (one.reason.code, one.reason.queue) == ("poison", "a")


def test_full_answers_are_followed_by_looks_until_one_is_not_full(aws, waters, broker):
    waters.put("a", *(message(str(number)) for number in range(25)))

    assert len(receive(broker, "a", limit=50)) == 25

    waits = [asked["WaitTimeSeconds"] for asked in aws.asked("ReceiveMessage")]
    assert waits == [20, 0, 0]


def test_the_first_queue_is_asked_first_and_the_rest_fill_up(waters, broker):
    waters.put("b", *(message("b") for _ in range(9)))
    waters.put("a", *(message("a") for _ in range(4)))

    assert [one.queue for one in receive(broker, "a", "b", limit=6)] == ["a"] * 4 + ["b"] * 2


def test_a_queue_named_twice_is_asked_once(aws, waters, broker):
    receive(broker, "a", "a", wait=0)

    assert len(aws.asked("ReceiveMessage")) == 1


def test_the_first_answer_of_several_polls_ends_the_wait(waters, broker, pool):
    waiting = pool.submit(receive, broker, "a", "b", "c")
    for queue in "abc":
        waters.wait_for_poll(queue)

    waters.answer("b", message("here"))

    assert [one.body for one in waiting.result(PATIENCE)] == [b"here"]


def test_the_next_receive_joins_polls_that_are_on_their_way(aws, waters, broker, pool):
    first = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")
    waters.answer("a", message("1"))
    first.result(PATIENCE)

    second = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("a")
    waters.answer("b", message("2"))

    assert [one.body for one in second.result(PATIENCE)] == [b"2"]
    polls = [asked for asked in aws.asked("ReceiveMessage") if asked["WaitTimeSeconds"]]
    assert sorted(map(name_of, polls)) == ["a", "a", "b"]
    assert hidden(aws) == []


def test_what_came_while_nobody_asked_is_handed_out_with_a_whole_lease(aws, waters, broker, pool):
    first = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")
    waters.answer("a", message("1"))
    first.result(PATIENCE)
    waters.answer("b", message("2", ReceiptHandle="held"))
    wait_until(lambda: not waters.polls)

    (second,) = receive(broker, "b", lease=45.0)

    assert second.body == b"2"
    assert hidden(aws) == [("held", 45)]


def test_what_was_held_and_is_lost_is_not_handed_out(waters, pool):
    lost = failing({"0"}, code="MessageNotInflight", is_ours=True)
    aws = ScriptedSqs(ReceiveMessage=waters, ChangeMessageVisibilityBatch=lost)
    broker = aws.broker(SystemClock())
    first = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")
    waters.answer("a", message("1"))
    first.result(PATIENCE)
    waters.answer("b", message("2"))
    wait_until(lambda: not waters.polls)

    assert receive(broker, "b", wait=0) == []
    broker.close()


def test_what_was_held_and_can_not_be_renewed_costs_nothing_else(waters, pool, caplog):
    down = BrokerUnavailableError("down")
    aws = ScriptedSqs(ReceiveMessage=waters, ChangeMessageVisibilityBatch=lambda _: down)
    broker = aws.broker(SystemClock())
    first = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")
    waters.answer("a", message("1"))
    first.result(PATIENCE)
    waters.answer("b", message("2"))
    wait_until(lambda: not waters.polls)
    waters.put("b", message("3"))

    assert [one.body for one in receive(broker, "b", wait=0)] == [b"3"]

    assert "renewal_failed" in {record.action for record in caplog.records}
    broker.close()


def test_an_answer_that_makes_no_sense_is_raised_where_it_is_waited_for(waters, broker, pool):
    waiting = pool.submit(receive, broker, "a")

    waters.answer("a", {"no": "message"})

    with pytest.raises(KeyError):
        waiting.result(PATIENCE)


def test_what_nobody_asks_for_is_given_back_after_a_while(waters, pool):
    aws, clock = ScriptedSqs(ReceiveMessage=waters), HastyClock()
    broker = aws.broker(clock)
    first = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")
    waters.answer("a", message("1"))
    first.result(PATIENCE)
    waters.answer("b", message("2", ReceiptHandle="held"))

    def is_given_back():
        clock.advance(1)
        return hidden(aws) == [("held", 0)]

    wait_until(is_given_back)
    broker.close()


def test_what_is_over_the_limit_is_held(waters, broker, pool):
    first = pool.submit(receive, broker, "a", "b", limit=3)
    waters.wait_for_poll("a")
    waters.answer("b", *(message(str(number)) for number in range(3)))
    assert len(first.result(PATIENCE)) == 3
    waters.answer("a", message("x"), message("y"))
    wait_until(lambda: not waters.polls)

    assert [one.body for one in receive(broker, "a", limit=1, wait=0)] == [b"x"]
    assert [one.body for one in receive(broker, "a", limit=1, wait=0)] == [b"y"]


def test_closing_ends_a_wait_at_once_and_gives_back_what_its_polls_bring(aws, waters, broker, pool):
    waiting = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("a")
    waters.wait_for_poll("b")

    broker.close()

    assert waiting.result(PATIENCE) == []
    assert aws.closed_count == 0
    waters.answer("a", message(ReceiptHandle="late"))
    wait_until(lambda: hidden(aws) == [("late", 0)])
    assert aws.closed_count == 0
    waters.answer("b")
    wait_until(lambda: aws.closed_count == 1)
    assert receive(broker, "a") == []


def test_closing_without_polls_lets_go_of_connections_at_once(aws, broker):
    broker.close()

    assert aws.closed_count == 1


def test_a_poll_that_fails_is_told_to_whoever_waits(waters, broker, pool):
    waiting = pool.submit(receive, broker, "a", "b")
    waters.wait_for_poll("b")

    waters.answer("a", error=BrokerUnavailableError("down"))

    with pytest.raises(BrokerUnavailableError, match="down"):
        waiting.result(PATIENCE)


def test_a_missing_queue_is_told(aws, broker):
    aws.missing.add("gone")

    with pytest.raises(QueueNotFoundError):
        receive(broker, "gone")


def test_an_error_after_something_was_found_loses_nothing(aws, waters, broker, caplog):
    aws.missing.add("gone")
    waters.put("a", message("1"))

    assert [one.body for one in receive(broker, "a", "gone")] == [b"1"]
    assert "queue_failed" in {record.action for record in caplog.records}
    with pytest.raises(QueueNotFoundError):
        receive(broker, "gone", wait=0)


@pytest.fixture
def clock():
    return HastyClock()


@pytest.fixture
def gone(aws, waters, clock):
    """A broker on a clock that a test moves, which has received from `gone` before that was deleted."""
    broker = aws.broker(clock)
    waters.put("gone", message("old"))
    broker.receive(["gone", "a"], limit=1, lease=60.0, wait=0)
    aws.deleted.add("gone")
    yield broker
    broker.close()
    for queue in list(waters.polls):
        waters.answer(queue)


def looks(aws, queue):
    return [name_of(asked) for asked in aws.asked("ReceiveMessage")].count(queue)


@pytest.mark.parametrize("order", [("gone", "a"), ("a", "gone")])
def test_a_deleted_queue_does_not_starve_the_others(waters, gone, order, caplog):
    for number in range(3):
        waters.put("a", message(str(number)))

        assert [one.body for one in receive(gone, *order, limit=5)] == [str(number).encode()]

    (record,) = [record for record in caplog.records if record.action == "queue_failed"]
    assert (record.levelname, record.queue) == ("WARNING", "gone")


@pytest.mark.parametrize("order", [("gone", "a"), ("a", "gone")])
def test_a_wait_beside_a_deleted_queue_ends_when_a_message_arrives(aws, waters, pool, order):
    broker = aws.broker(SystemClock())
    waters.put("gone", message("old"))
    receive(broker, "gone", wait=0)
    aws.deleted.add("gone")

    waiting = pool.submit(receive, broker, *order)
    waters.answer("a", message("here"))

    assert [one.body for one in waiting.result(PATIENCE)] == [b"here"]
    broker.close()


def test_a_deleted_queue_is_asked_and_told_of_less_and_less_often(aws, gone, clock, caplog):
    asked_at = []
    began, count = clock.monotonic(), looks(aws, "gone")
    for _ in range(200):
        assert receive(gone, "gone", "a", wait=0) == []
        if looks(aws, "gone") > count:
            count = looks(aws, "gone")
            asked_at.append(clock.monotonic() - began)
        clock.advance(1)

    assert asked_at == [0, 5, 15, 35, 75, 135, 195]
    told = [record for record in caplog.records if record.action == "queue_failed"]
    assert len(told) == len(asked_at)


def test_a_queue_that_is_back_is_received_from_again(aws, waters, gone, clock, caplog):
    caplog.set_level("INFO", "cloudq")
    receive(gone, "gone", "a", wait=0)
    aws.deleted.clear()
    waters.put("gone", message("new"))

    assert receive(gone, "gone", "a", wait=0) == []
    clock.advance(5)

    assert [one.body for one in receive(gone, "gone", "a", wait=0)] == [b"new"]
    assert caplog.records[-1].action == "queue_back"


def test_a_declared_queue_that_was_deleted_is_made_anew_where_queues_are_made(aws, waters, clock):
    broker = aws.broker(clock, create_queues=True)
    for name in ("a", "gone"):
        broker.declare(Queue(name))
    receive(broker, "gone", "a", wait=0)
    aws.deleted.add("gone")
    receive(broker, "gone", "a", wait=0)
    waters.put("gone", message("new"))
    clock.advance(5)

    assert [one.body for one in receive(broker, "gone", "a", wait=0)] == [b"new"]
    broker.close()


@pytest.mark.parametrize("wait", [0, 20])
def test_a_queue_that_was_never_there_is_told_when_the_others_have_nothing(aws, waters, broker, wait):
    aws.missing.add("misspelt")

    with pytest.raises(QueueNotFoundError):
        receive(broker, "misspelt", "a", wait=wait)
    waters.put("a", message("1"))

    assert [one.body for one in receive(broker, "misspelt", "a", wait=wait)] == [b"1"]


@pytest.mark.parametrize("wait", [0, 20])
def test_when_every_queue_fails_the_failure_is_raised_each_time(aws, waters, gone, wait):
    waters.put("a", message())
    receive(gone, "a")
    aws.deleted.add("a")

    for _ in range(3):
        with pytest.raises(QueueNotFoundError):
            receive(gone, "gone", "a", wait=wait)


@pytest.mark.parametrize(
    "error", [RefusedError("denied", queue="no", code="AccessDenied"), BusyError("over the limit")]
)
def test_a_queue_that_sqs_refuses_to_serve_does_not_starve_the_others(waters, error):
    aws = ScriptedSqs(ReceiveMessage=lambda params: error if name_of(params) == "no" else waters(params))
    broker = aws.broker(SystemClock())
    waters.put("a", message("1"))

    assert [one.body for one in receive(broker, "no", "a")] == [b"1"]
    broker.close()


def test_where_sqs_can_not_be_reached_no_other_queue_is_tried():
    aws = ScriptedSqs(ReceiveMessage=lambda _: BrokerUnavailableError("down"))
    broker = aws.broker()

    with pytest.raises(BrokerUnavailableError):
        receive(broker, "a", "b", "c")

    assert len(aws.asked("ReceiveMessage")) == 1
    broker.close()


def test_a_fifo_receive_can_be_asked_for_again(aws, waters, broker):
    waters.put("a.fifo", message())
    waters.put("a", message())

    receive(broker, "a.fifo")
    receive(broker, "a")

    attempts = [asked.get("ReceiveRequestAttemptId") for asked in aws.asked("ReceiveMessage")]
    assert attempts[0]
    assert attempts[1] is None


def test_a_receive_of_nothing_asks_nobody(aws, broker):
    assert receive(broker, "a", limit=0) == []
    assert receive(broker) == []
    assert aws.calls == []
