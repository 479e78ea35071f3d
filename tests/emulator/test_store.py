"""`--data`: SQS's queues are there again, whatever ended the emulator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudq_emulator.clock import MovableClock
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.sqs.keeping import Keeper, Restored
from cloudq_emulator.sqs.service import SqsService
from cloudq_emulator.store import Journal, StoreError

WHERE = {"account": "000000000000", "region": "eu-west-1"}

FIFO = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}


class Kept:
    """A service whose queues are kept, on a clock that stands still."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.copy = None
        self.clock = MovableClock()
        self.clock.freeze(frozen=True)
        self.service = SqsService(self.clock)
        self.keeper = Keeper(Journal(self.folder), self.service)
        self.restored = self.keeper.restore()

    def call(self, operation, **params):
        return self.service.perform(operation, self.service.begin(params, **WHERE))

    def create(self, name, **attributes):
        return self.call("CreateQueue", QueueName=name, Attributes=attributes)["QueueUrl"]

    def receive(self, url, **params):
        return self.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, **params).get("Messages", [])

    def bodies(self, url, **params):
        return [message["Body"] for message in self.receive(url, **params)]

    def after_a_crash(self):
        """Another one, made of what is on the disk now."""
        if self.copy is not None:
            self.copy.close()
        folder = self.folder.with_name(f"{self.folder.name}-copy")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        self.copy = Kept(folder)
        self.copy.clock.set(self.clock.now())
        return self.copy

    def close(self):
        """Let go of the folders."""
        if self.copy is not None:
            self.copy.close()
        self.keeper.close()

    def queue(self, name):
        return self.service.registry.get(WHERE["account"], WHERE["region"], name)

    def state(self):
        """All that clients could tell."""
        for queue in self.service.registry:
            queue.advance(self.clock.now())
        return {
            queue.arn: (
                queue.description(),
                [
                    (attributes_of(message), due)
                    for message, due in queue.contents()
                    if message.state != "gone"
                ],
                (queue.ready_count, queue.leased_count, queue.delayed_count),
            )
            for queue in self.service.registry
        }


def attributes_of(message):
    return {name: getattr(message, name) for name in message.__slots__}


@pytest.fixture
def kept(tmp_path):
    """Runs a scenario on a service that is kept."""

    def run(scenario):
        async def main():
            with contextlib.closing(Kept(tmp_path / "data")) as one:
                return scenario(one)

        return asyncio.run(main())

    return run


def test_queues_are_there_again_with_what_was_set(kept):
    def scenario(one):
        dead = one.create("dead")
        redrive = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": 3}
        url = one.create("queue", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="70")
        one.call("SetQueueAttributes", QueueUrl=url, Attributes={"DelaySeconds": "5"})
        one.call("TagQueue", QueueUrl=url, Tags={"team": "a", "gone": "b"})
        one.call("UntagQueue", QueueUrl=url, TagKeys=["gone"])
        one.create("deleted")
        one.call("DeleteQueue", QueueUrl="deleted")

        again = one.after_a_crash()

        assert again.restored == Restored(2, 0)
        assert again.state() == one.state()
        assert again.call("ListQueueTags", QueueUrl=url) == {"Tags": {"team": "a"}}
        assert again.call("ListDeadLetterSourceQueues", QueueUrl=dead)["queueUrls"] == [url]
        got = again.call("GetQueueAttributes", QueueUrl=url, AttributeNames=["All"])["Attributes"]
        assert (got["VisibilityTimeout"], got["DelaySeconds"]) == ("70", "5")

    kept(scenario)


def test_messages_are_there_again_as_they_were(kept):
    def scenario(one):
        url = one.create("queue")
        attribute = {"DataType": "String", "StringValue": "ü"}
        trace = {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}}
        sent = one.call(
            "SendMessage",
            QueueUrl=url,
            MessageBody="ready\n☃",
            MessageAttributes={"a": attribute},
            MessageSystemAttributes=trace,
        )
        one.call("SendMessage", QueueUrl=url, MessageBody="later", DelaySeconds=60)
        one.call("SendMessage", QueueUrl=url, MessageBody="deleted")

        again = one.after_a_crash()

        first, second = again.receive(url, MessageAttributeNames=["All"], AttributeNames=["All"])
        assert first["MessageId"] == sent["MessageId"]
        assert first["Body"] == "ready\n☃"
        assert first["MessageAttributes"] == {"a": attribute}
        assert first["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
        assert first["Attributes"]["AWSTraceHeader"] == "Root=1"
        again.call("DeleteMessage", QueueUrl=url, ReceiptHandle=second["ReceiptHandle"])
        third = again.after_a_crash()
        third.clock.advance(60)
        assert third.bodies(url) == ["ready\n☃", "later"]

    kept(scenario)


def test_leases_last_as_long_as_they_did_and_receipts_stay_good(kept):
    def scenario(one):
        url = one.create("queue")
        for body in "abc":
            one.call("SendMessage", QueueUrl=url, MessageBody=body)
        a, b, c = one.receive(url, VisibilityTimeout=100)
        one.call(
            "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=b["ReceiptHandle"], VisibilityTimeout=0
        )
        one.call(
            "ChangeMessageVisibility", QueueUrl=url, ReceiptHandle=c["ReceiptHandle"], VisibilityTimeout=10
        )

        again = one.after_a_crash()

        (second,) = again.receive(url, AttributeNames=["All"], VisibilityTimeout=1000)
        assert (second["Body"], second["Attributes"]["ApproximateReceiveCount"]) == ("b", "2")
        again.call("DeleteMessage", QueueUrl=url, ReceiptHandle=a["ReceiptHandle"])
        again.clock.advance(10)
        assert again.bodies(url, VisibilityTimeout=1000) == ["c"]
        again.clock.advance(100)
        assert again.bodies(url) == []

    kept(scenario)


def test_a_fifo_queue_keeps_order_groups_and_duplicates(kept):
    def scenario(one):
        url = one.create("queue.fifo", **FIFO)
        for body in ["a1", "a2", "b1", "a3"]:
            one.call("SendMessage", QueueUrl=url, MessageBody=body, MessageGroupId=body[0])
        sequence = one.call("SendMessage", QueueUrl=url, MessageBody="c1", MessageGroupId="c")[
            "SequenceNumber"
        ]
        (a1,) = one.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1)["Messages"]
        one.call("DeleteMessage", QueueUrl=url, ReceiptHandle=a1["ReceiptHandle"])
        one.call("ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=1, VisibilityTimeout=30)

        again = one.after_a_crash()

        again.call("SendMessage", QueueUrl=url, MessageBody="a1", MessageGroupId="a")  # a repetition
        sent = again.call("SendMessage", QueueUrl=url, MessageBody="d1", MessageGroupId="d")
        assert int(sent["SequenceNumber"]) > int(sequence)
        (leased,) = (message.body for message in again.queue("queue.fifo") if message.state == "leased")
        rest = again.bodies(url)
        assert leased not in rest
        assert ("a3" in rest) == (leased != "a2")
        again.clock.advance(31)
        bodies = again.bodies(url)
        assert [body for body in bodies if body < "b"] == ["a2", "a3"]
        assert sorted(bodies) == ["a2", "a3", "b1", "c1", "d1"]

    kept(scenario)


def test_dead_letters_and_purges_are_kept(kept):
    def scenario(one):
        dead = one.create("dead")
        redrive = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": 1}
        url = one.create("queue", RedrivePolicy=json.dumps(redrive), VisibilityTimeout="0")
        purged = one.create("purged")
        one.call("SendMessage", QueueUrl=url, MessageBody="x")
        one.call("SendMessage", QueueUrl=purged, MessageBody="x")
        assert one.bodies(url) == ["x"]
        assert one.bodies(url) == []
        one.call("PurgeQueue", QueueUrl=purged)
        with pytest.raises(SqsError):
            one.call("PurgeQueue", QueueUrl=purged)

        again = one.after_a_crash()

        assert again.bodies(url) == []
        assert again.bodies(dead) == ["x"]
        assert again.bodies(purged) == []
        with pytest.raises(SqsError, match="Only one PurgeQueue"):
            again.call("PurgeQueue", QueueUrl=purged)

    kept(scenario)


def test_a_reset_empties_the_folder_too(kept):
    def scenario(one):
        one.call("SendMessage", QueueUrl=one.create("queue"), MessageBody="x")

        one.service.reset()
        assert one.after_a_crash().restored == Restored(0, 0)
        one.create("after")

        assert one.after_a_crash().restored == Restored(1, 0)

    kept(scenario)


def test_what_time_and_long_polls_change_is_written_without_a_request(tmp_path):
    async def scenario():
        one = Kept(tmp_path / "data")
        url = one.create("queue")
        params = {"QueueUrl": url, "WaitTimeSeconds": 20, "VisibilityTimeout": 1000}
        waiting = asyncio.create_task(one.service.call("ReceiveMessage", params, **WHERE))
        one.call("SendMessage", QueueUrl=url, MessageBody="x", DelaySeconds=10)
        await asyncio.sleep(0)

        one.clock.advance(10)
        (message,) = (await waiting)["Messages"]
        again = one.after_a_crash()

        assert message["Body"] == "x"
        assert again.bodies(url) == []
        again.call("DeleteMessage", QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        assert again.after_a_crash().restored == Restored(1, 0)
        one.close()

    asyncio.run(scenario())


def test_a_long_journal_is_written_anew_while_it_is_written_and_means_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("cloudq_emulator.store._LEAST_BYTES", 20_000)

    async def scenario():
        one = Kept(tmp_path / "data")
        url = one.create("queue", VisibilityTimeout="0")
        first = (one.folder / "sqs.journal").stat().st_ino
        fifo = one.create("queue.fifo", **FIFO)
        one.call("SendMessage", QueueUrl=fifo, MessageBody="once", MessageGroupId="g")
        (once,) = one.receive(fifo)
        one.call("DeleteMessage", QueueUrl=fifo, ReceiptHandle=once["ReceiptHandle"])
        for number in range(2_500):
            one.call("SendMessage", QueueUrl=url, MessageBody=str(number))
        for _ in range(2_000):
            one.receive(url)
            await asyncio.sleep(0)
        while (one.folder / "sqs.journal.new").exists():  # noqa: ASYNC110 - nobody sets an event
            await asyncio.sleep(0)

        again = one.after_a_crash()

        assert (one.folder / "sqs.journal").stat().st_ino != first
        assert again.state() == one.state()
        again.call("SendMessage", QueueUrl=fifo, MessageBody="once", MessageGroupId="g")
        assert again.bodies(fifo) == []
        one.close()

    asyncio.run(scenario())


def test_the_clock_goes_on_as_it_was_moved(kept):
    def scenario(one):
        one.clock.reset()
        url = one.create("queue")
        one.call("SendMessage", QueueUrl=url, MessageBody="x")
        one.clock.advance(86_400)
        one.receive(url, VisibilityTimeout=100)
        one.keeper.flush()

        again = Kept(copy_of(one))

        assert abs(again.clock.now() - one.clock.now()) < 60
        assert again.bodies(url) == []
        again.clock.advance(100)
        assert again.bodies(url) == ["x"]
        again.close()

    kept(scenario)


def test_a_clock_that_stood_still_stands_still_and_a_real_one_stays_real(kept):
    def scenario(one):
        one.clock.set(2_000_000_000)
        one.keeper.flush()

        still = Kept(copy_of(one))
        assert (still.clock.frozen, still.clock.now()) == (True, 2_000_000_000)
        still.clock.reset()
        still.keeper.flush()
        real = Kept(copy_of(still))
        assert real.clock.now() < 2_000_000_000
        still.close()
        real.close()

    kept(scenario)


def copy_of(one):
    """What another emulator would find after a crash of this one."""
    folder = one.folder.with_name(f"{one.folder.name}-copied")
    return shutil.copytree(one.folder, folder)


OPERATION = st.tuples(
    st.sampled_from(
        ["send", "send late", "receive", "delete", "extend", "release", "wait", "crash", "purge", "recreate"]
    ),
    st.sampled_from(["queue", "queue.fifo"]),
    st.integers(0, 9),
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(OPERATION, max_size=40), st.booleans())
def test_after_a_crash_all_is_as_it_was(tmp_path, monkeypatch, operations, is_always_long):
    if is_always_long:  # it is written anew all the time, a row between two operations
        monkeypatch.setattr("cloudq_emulator.store._LEAST_BYTES", 0)
        monkeypatch.setattr("cloudq_emulator.store._GROWTH", 0)
        monkeypatch.setattr("cloudq_emulator.sqs.shortening._AT_ONCE", 0)
        monkeypatch.setattr("cloudq_emulator.sqs.keeping._LINE", 1)

    async def run():
        shutil.rmtree(tmp_path / "data", ignore_errors=True)
        shutil.rmtree(tmp_path / "data-copy", ignore_errors=True)
        one = Kept(tmp_path / "data")
        one.create("dead")
        redrive = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:000000000000:dead", "maxReceiveCount": 2}
        one.create("queue", RedrivePolicy=json.dumps(redrive))
        one.create("queue.fifo", **FIFO)
        handles = {"queue": [], "queue.fifo": []}
        for operation in operations:
            await step(one, handles, *operation)
            await asyncio.sleep(0)
        assert one.after_a_crash().state() == one.state()
        one.close()

    asyncio.run(run())


async def step(one, handles, operation, queue, number):
    group = {"MessageGroupId": f"g{number % 3}"} if queue.endswith(".fifo") else {}
    handle = handles[queue][number % len(handles[queue])] if handles[queue] else "none"
    visibility = "ChangeMessageVisibility"
    with contextlib.suppress(SqsError):
        match operation:
            case "send":
                one.call("SendMessage", QueueUrl=queue, MessageBody=str(number), **group)
            case "send late":
                one.call("SendMessage", QueueUrl="queue", MessageBody="late", DelaySeconds=number)
            case "receive":
                params = {"MaxNumberOfMessages": number + 1, "VisibilityTimeout": number}
                answer = one.call("ReceiveMessage", QueueUrl=queue, **params)
                handles[queue] += [message["ReceiptHandle"] for message in answer.get("Messages", ())]
            case "delete":
                one.call("DeleteMessage", QueueUrl=queue, ReceiptHandle=handle)
            case "extend":
                one.call(visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=10 * number + 1)
            case "release":
                one.call(visibility, QueueUrl=queue, ReceiptHandle=handle, VisibilityTimeout=0)
            case "wait":
                one.clock.advance(number * 3)
            case "purge" if number < 3:
                one.call("PurgeQueue", QueueUrl=queue)
            case "recreate" if number < 3:
                one.call("DeleteQueue", QueueUrl=queue)
                one.clock.advance(60)
                one.create(queue, **(FIFO if queue.endswith(".fifo") else {}))
            case _:
                assert one.after_a_crash().state() == one.state()


@pytest.mark.parametrize(
    "row", [["what"], [], 3, ["gone", "x", 1], ["clock", 5], ["message", "x", None, [1]], ["queue"]]
)
def test_a_row_that_means_nothing_is_told_of(tmp_path, row):
    journal = Journal(tmp_path)
    assert list(journal.read()) == []
    journal.append([row])
    journal.close()

    async def restore():
        Kept(tmp_path)

    with pytest.raises(StoreError, match="has a row that means nothing"):
        asyncio.run(restore())
