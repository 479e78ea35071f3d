"""The page at /_cloudq/, as the server renders it."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

import pytest

from tests.waiting import wait_until

ARN = "arn:aws:sqs:eu-west-1:000000000000:"


class Page(HTMLParser):
    """What a page says: the text of its sections, its links, its alert."""

    def __init__(self, text):
        super().__init__()
        self.sections, self.links, self.alert = {}, {}, ""
        self._open, self._in_alert, self._href = "", False, ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "section":
            self._open = attrs.get("id", "")
        self._in_alert = attrs.get("role") == "alert"
        self._href = attrs.get("href", "")

    def handle_data(self, data):
        self.sections[self._open] = [*self.sections.get(self._open, []), data]
        if self._in_alert:
            self.alert += data
        if self._href:
            self.links[data] = self._href

    def handle_endtag(self, tag):
        self._in_alert, self._href = False, ""
        if tag == "section":
            self._open = ""


@pytest.fixture
def get(emulator):
    def get(path="/_cloudq/"):
        with urllib.request.urlopen(emulator.endpoint + path, timeout=10) as answer:
            assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
            return Page(answer.read().decode())

    return get


@pytest.fixture
def post(emulator):
    """Sends a form, as a browser does, and follows to where it leads."""

    def post(action, headers=(), **values):
        data = urllib.parse.urlencode(values).encode()
        request = urllib.request.Request(f"{emulator.endpoint}/_cloudq/page/{action}", data, dict(headers))
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Page(answer.read().decode())

    return post


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


def view(name="queue"):
    return f"/_cloudq/page/queue?arn={ARN}{name}"


def test_the_overview_counts_what_queues_hold(emulator, sqs, queue, get):
    for body in "abc":
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    sqs.send_message(QueueUrl=queue, MessageBody="later", DelaySeconds=100)
    sqs.receive_message(QueueUrl=queue)

    page = get()

    assert page.sections["queues"][-6:] == ["queue", "2", "1", "1", "eu-west-1", "000000000000"]
    assert urllib.parse.unquote(page.links["queue"]) == view()
    emulator.clock(advance=100)
    assert get().sections["queues"][-6:-2] == ["queue", "4", "0", "0"]


def test_a_queues_messages_are_shown_and_not_received(sqs, queue, get):
    attributes = {"kind": {"DataType": "String", "StringValue": "<script>"}}
    sqs.send_message(QueueUrl=queue, MessageBody="<b>not bold</b>", MessageAttributes=attributes)

    page = get(view())

    assert "<b>not bold</b>" in page.sections["messages"]
    assert "kind: <script>" in page.sections["messages"]
    assert "ready" in page.sections["messages"]
    assert page.sections["attributes"][-2:] == ["SqsManagedSseEnabled", "true"]
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


def test_a_message_can_be_sent(sqs, queue, post):
    page = post("send", arn=f"{ARN}queue", MessageBody="line one\r\nline two")

    assert "line one\nline two" in page.sections["messages"]
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "line one\nline two"


def test_a_message_to_a_fifo_queue_has_its_group(sqs, post):
    queue = sqs.create_queue(QueueName="queue.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    values = {"arn": f"{ARN}queue.fifo", "MessageBody": "x"}

    refused = post("send", **values)
    post("send", **values, MessageGroupId="g", MessageDeduplicationId="1")

    assert "MessageGroupId" in refused.alert
    assert len(sqs.receive_message(QueueUrl=queue)["Messages"]) == 1


def test_a_queue_can_be_purged_and_says_when_it_cannot(sqs, queue, post):
    sqs.send_message(QueueUrl=queue, MessageBody="x")

    assert "It is empty." in post("purge", arn=f"{ARN}queue").sections["messages"]
    assert "60 seconds" in post("purge", arn=f"{ARN}queue").alert


def test_dead_letters_can_be_sent_back(sqs, get, post):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": 1})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    queue = sqs.create_queue(QueueName="queue", Attributes=attributes)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue)
    assert "redrive to queue" in get(view("dead")).sections[""]

    post("redrive", arn=f"{ARN}dead")

    assert "Messages" not in sqs.receive_message(QueueUrl=dead)
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "x"


def test_a_redrive_is_seen_to_go_on_while_nobody_asks_sqs(emulator, sqs, get, post):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": f"{ARN}dead", "maxReceiveCount": 1})
    attributes = {"RedrivePolicy": redrive, "VisibilityTimeout": "0"}
    queue = sqs.create_queue(QueueName="queue", Attributes=attributes)["QueueUrl"]
    for number in range(20):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    while "Messages" in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10):
        pass
    emulator.clock(scale=0.01)  # 500 a second become 5
    post("redrive", arn=f"{ARN}dead")

    wait_until(lambda: not emulator.control("GET", "/_cloudq/queues/dead/messages")[1]["messages"])
    assert get(view("queue")).sections["counts"][-3:] == ["20", "0", "0"]
    assert "Messages" not in sqs.receive_message(QueueUrl=dead)


def test_the_clock_can_be_moved(emulator, get, post):
    emulator.clock(set="2040-01-01T00:00:00Z")
    post("clock", freeze="True")

    page = post("clock", advance="43200")

    assert "2040-01-01 12:00:0" in page.sections["clock"][1]
    assert "stands still" in page.sections["clock"]
    assert "advance must be" in post("clock", advance="-1").alert
    assert "1970 to 9000" in post("clock", advance="nan").alert
    assert post("clock").alert == "The form lacks 'advance'."
    assert post("purge").alert == "The form lacks 'arn'."
    post("clock", freeze="False")
    assert "stands still" not in get().sections["clock"]


def test_requests_are_shown_as_they_come(sqs, queue, get):
    get()
    with pytest.raises(sqs.exceptions.QueueDoesNotExist):
        sqs.get_queue_url(QueueName="none")
    sqs.send_message(QueueUrl=queue, MessageBody="x")

    shown = get().sections["requests"]

    first = shown.index("SendMessage")
    assert shown[first - 1 : first + 3] == ["sqs", "SendMessage", "queue", "200"]
    assert shown[first + 4 : first + 7] == ["sqs", "GetQueueUrl", "400"]


def test_functions_are_shown_with_their_last_lines(emulator, get):
    source = "def handler(event, context): print('it ran')"
    lambda_ = emulator.create_function("orders", source)
    lambda_.invoke(FunctionName="orders")

    wait_until(lambda: "it ran" in "".join(get().sections["functions"]), "its lines")
    assert "orders" in get().sections["functions"]


def test_faults_are_shown_with_their_hits(emulator, sqs, queue, get):
    emulator.control("POST", "/_cloudq/faults", {"kind": "latency", "seconds": 0, "queue": "queue"})
    sqs.send_message(QueueUrl=queue, MessageBody="x")

    assert get().sections["faults"][-3:] == ["latency", "queue", "1"]


def test_the_page_is_there_without_the_slash_too(get):
    assert "queues" in get("/_cloudq").sections


def test_another_sites_form_is_refused(emulator, sqs, queue, post):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post("purge", {"Origin": "http://elsewhere.example"}, arn=f"{ARN}queue")
    refused.value.close()

    assert refused.value.code == 403
    post("purge", {"Origin": emulator.endpoint}, arn=f"{ARN}queue")


def test_a_queue_that_is_gone_leads_back_to_the_overview(emulator):
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(emulator.endpoint + view("none"), timeout=10)

    with refused.value as answer:
        assert answer.code == 404
        assert Page(answer.read().decode()).alert == "There is no such queue."
