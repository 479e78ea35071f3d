"""The SQS broker with boto3 over real HTTP: what the contract suite doesn't ask of every broker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import boto3
import pytest

from cloudq.app import App
from cloudq.brokers import sqs
from cloudq.brokers.sqs.delays import MAX_WAIT
from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing, Reason, Release, Sent, Settled, Unknown
from cloudq.errors import BrokerUnavailableError, QueueNotFoundError
from cloudq.queues import Queue
from cloudq.sending import Place
from tests.waiting import wait_until

PATIENCE = 15.0
LEASE = 60.0


@pytest.fixture
def connect(emulator):
    brokers = []

    def connect(url="sqs://?prefix=shop-"):
        brokers.append(sqs.connect(url, clock=SystemClock()))
        return brokers[-1]

    yield connect
    for broker in brokers:
        broker.close()


@pytest.fixture
def broker(connect):
    broker = connect()
    broker.declare(Queue("emails"))
    broker.declare(Queue("reports"))
    return broker


@pytest.fixture
def client(emulator):
    client = boto3.client("sqs")
    yield client
    client.close()


def outgoing(number=0, body=b'{"v":1}', **fields):
    return Outgoing(f"id-{number}", body, **fields)


def take(broker, queue, limit=10, wait=5.0):
    return broker.receive([queue], limit=limit, lease=LEASE, wait=wait)


def waiting_count(emulator):
    return emulator.control("GET", "/_cloudq/health")["waiting"]


def test_plain_boto3_reads_what_cloudq_sends(broker, client):
    broker.send("emails", [outgoing(body='{"v":1,"id":"ü"}'.encode(), attributes={"colour": "red"})])

    url = client.get_queue_url(QueueName="shop-emails")["QueueUrl"]
    (message,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]

    assert json.loads(message["Body"]) == {"v": 1, "id": "ü"}
    assert message["MessageAttributes"]["colour"]["StringValue"] == "red"


def test_cloudq_reads_what_plain_boto3_sends(broker, client):
    url = client.get_queue_url(QueueName="shop-emails")["QueueUrl"]
    client.send_message(
        QueueUrl=url,
        MessageBody="no JSON",
        MessageAttributes={
            "size": {"DataType": "Number", "StringValue": "7"},
            "raw": {"DataType": "Binary", "BinaryValue": b"\0"},
        },
    )

    (delivery,) = take(broker, "emails")

    assert (delivery.body, delivery.attributes) == (b"no JSON", {"size": "7"})


def test_a_person_finds_the_reason_beside_a_dead_letter(broker, client):
    broker.send("emails", [outgoing()])
    broker.dead_letter([(take(broker, "emails")[0], Reason("rejected", "No such address."))])

    url = client.get_queue_url(QueueName="shop-emails-dead")["QueueUrl"]
    (message,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["cloudq.dead"])["Messages"]

    reason = json.loads(message["MessageAttributes"]["cloudq.dead"]["StringValue"])
    assert message["Body"] == '{"v":1}'
    assert (reason["code"], reason["text"], reason["queue"]) == ("rejected", "No such address.", "emails")


def test_a_missing_queue_is_named_with_where_it_was_looked_for(connect, emulator):
    with pytest.raises(QueueNotFoundError) as refused:
        connect().send("gone", [outgoing()])

    for word in ("shop-gone", "us-east-1", emulator.endpoint, "CLOUDQ_CREATE_QUEUES"):
        assert word in str(refused.value)


def test_a_queue_that_is_deleted_leaves_the_others_alone(broker, client):
    for name in ("emails", "reports"):
        broker.send(name, [outgoing()])
    found = [*take(broker, "emails"), *take(broker, "reports")]
    client.delete_queue(QueueUrl=client.get_queue_url(QueueName="shop-emails")["QueueUrl"])
    broker.send("reports", [outgoing(1)])

    (more,) = broker.receive(["emails", "reports"], limit=10, lease=LEASE, wait=5.0)

    assert more.queue == "reports"
    assert [type(answer) for answer in broker.ack([*found, more])] == [Unknown, Settled, Settled]


def test_a_delete_that_is_throttled_leaves_one_copy(broker, emulator):
    broker.send("emails", [outgoing()])
    release = Release(take(broker, "emails")[0], 300.0, b"{}")
    emulator.control("POST", "/_cloudq/faults", {"kind": "throttle", "operation": "DeleteMessageBatch"})
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            broker.release([release])
    emulator.control("DELETE", "/_cloudq/faults")

    assert broker.release([release]) == [Settled()]

    stats = broker.stats("emails")
    assert (stats.ready, stats.leased, stats.delayed) == (0, 0, 1)


def test_threads_that_send_one_by_one_share_requests(broker, emulator):
    emulator.control("DELETE", "/_cloudq/requests")

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda number: broker.send("emails", [outgoing(number)]), range(1000)))

    assert answers == [[Sent()]] * 1000
    assert emulator.requests()["SendMessageBatch"] <= 250
    assert broker.stats("emails").ready == 1000


def test_an_idle_queue_costs_one_request_in_twenty_seconds(broker, emulator):
    stop = threading.Event()

    def consume():
        while not stop.is_set():
            broker.receive(["emails", "reports"], limit=10, lease=LEASE, wait=20)

    consumer = threading.Thread(target=consume)
    consumer.start()
    try:
        wait_until(lambda: waiting_count(emulator) == 2)
        emulator.control("DELETE", "/_cloudq/requests")
        for turn in range(1, 7):
            emulator.pass_time(MAX_WAIT)
            wait_until(
                lambda count=2 * turn: (
                    waiting_count(emulator) == 2 and emulator.requests().get("ReceiveMessage", 0) >= count
                )
            )
    finally:
        stop.set()
        broker.close()
        consumer.join(PATIENCE)

    assert emulator.requests() == {"ReceiveMessage": 12}  # two queues, two minutes


def test_what_arrives_after_closing_is_free_for_others_at_once(broker, connect, emulator):
    waiting = threading.Thread(target=take, args=(broker, "emails"), kwargs={"wait": 20})
    waiting.start()
    wait_until(lambda: waiting_count(emulator) == 1)
    broker.close()
    waiting.join(PATIENCE)
    other = connect()

    other.send("emails", [outgoing()])

    (delivery,) = take(other, "emails")
    assert delivery.receive_count == 2


def test_a_long_backoff_waits_as_a_delayed_copy(broker, emulator):
    broker.send("emails", [outgoing()])

    assert broker.release([Release(take(broker, "emails")[0], 300.0, b'{"retries":1}')]) == [Settled()]

    stats = broker.stats("emails")
    assert (stats.ready, stats.leased, stats.delayed) == (0, 0, 1)
    emulator.pass_time(300)
    (copy,) = take(broker, "emails")
    assert (copy.body, copy.receive_count) == (b'{"retries":1}', 1)


def test_a_forked_child_sends_and_receives_for_itself(broker, emulator):
    program = """
import os, sys, threading
from cloudq.app import App
from cloudq.brokers import sqs
from cloudq.clock import SystemClock
from cloudq.delivery import Outgoing, Sent, Settled

broker = sqs.connect("sqs://?prefix=shop-", clock=SystemClock())

def work(name):
    assert broker.send("emails", [Outgoing(name, b"{}")]) == [Sent()]
    (delivery,) = broker.receive(["emails"], limit=1, lease=60, wait=5)
    assert broker.ack([delivery]) == [Settled()]

work("parent")
polling = threading.Thread(target=broker.receive, args=(["reports"],), kwargs=dict(limit=1, lease=60, wait=2))
polling.start()
child = os.fork()
if not child:
    work("child")
    broker.close()
    os._exit(0)
work("parent again")
broker.close()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    stats = broker.stats("emails")
    assert (stats.ready, stats.leased) == (0, 0)


@pytest.mark.parametrize("is_subscriber", [True, False])
def test_a_topic_that_was_deleted_is_made_anew_by_who_publishes(emulator, is_subscriber):
    queues = [Queue("mail", topics=("orders.created",))] if is_subscriber else []
    with closing(App("shop", environ={}, broker="sqs://", queues=queues)) as app:
        topic = Place("orders.created", is_topic=True)
        assert app._put(topic, [outgoing(1, b"1")]) == [Sent()]
        with closing(boto3.client("sns")) as sns:
            sns.delete_topic(TopicArn=sns.list_topics()["Topics"][0]["TopicArn"])

        assert app._put(topic, [outgoing(2, b"2")]) == [Sent()]

        if is_subscriber:
            assert {one.body for one in take(app.broker, "mail")} == {b"1", b"2"}
