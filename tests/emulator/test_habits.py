"""What people's habits and clients expect of a local cloud."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

import boto3
import pytest

from tests.needs import need_ipv6

EMULATE = [sys.executable, "-m", "cloudq_emulator.cli"]
CLIENTS = os.environ.get("CLOUDQ_TEST_CLIENTS", "")
"""Has `bin/aws`, `bin/awslocal` and `node_modules/@aws-sdk/client-sqs`; `make habits-test` makes one."""


def ask(emulator, host, path="/", headers=(), body=None):
    """A request with a Host header of its own; its status and what came, as text."""
    port = urllib.parse.urlsplit(emulator.endpoint).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST" if body is not None else "GET", path, body, {"Host": host, **dict(headers)})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("host", ["localhost:4566", "127.0.0.1:9", "sqs:4566", "emulator.test"])
def test_a_queues_url_is_on_the_host_that_the_caller_used(emulator, host):
    target = {"X-Amz-Target": "AmazonSQS.CreateQueue"}
    by_json = ask(emulator, host, headers=target, body=json.dumps({"QueueName": "queue"}))
    by_query = ask(emulator, host, "/?Action=GetQueueUrl&QueueName=queue")

    assert json.loads(by_json[1]) == {"QueueUrl": f"http://{host}/000000000000/queue"}
    assert f"<QueueUrl>http://{host}/000000000000/queue</QueueUrl>" in by_query[1]


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("localhost", "/000000000000/queue"),
        ("localhost", "/queue/eu-west-1/000000000000/queue"),
        ("sqs.eu-west-1.localhost.localstack.cloud:4566", "/000000000000/queue"),
        ("eu-west-1.queue.localhost.localstack.cloud:4566", "/000000000000/queue"),
    ],
)
def test_all_forms_of_a_queues_url_lead_to_it(emulator, sqs, host, path):
    queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
    signed = {} if "eu-west-1" in host + path else {"Authorization": credential("eu-west-1")}

    as_path = ask(emulator, host, f"{path}?Action=SendMessage&MessageBody=by-path", signed)
    params = {"QueueUrl": f"http://{host}{path}", "MessageBody": "by-url"}
    target = {"X-Amz-Target": "AmazonSQS.SendMessage", **signed}
    as_url = ask(emulator, host, headers=target, body=json.dumps(params))

    assert (as_path[0], as_url[0]) == (200, 200)
    received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    assert sorted(message["Body"] for message in received) == ["by-path", "by-url"]


def credential(region, key="test"):
    return f"AWS4-HMAC-SHA256 Credential={key}/20260101/{region}/sqs/aws4_request, SignedHeaders=host"


def test_any_credentials_will_do_and_twelve_digits_are_an_account(emulator, sqs):
    sqs.create_queue(QueueName="mine")
    other = emulator.client("sqs", key="111122223333")

    url = other.create_queue(QueueName="theirs")["QueueUrl"]

    assert url.endswith("/111122223333/theirs")
    assert [url.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]] == ["mine"]


def test_the_region_is_that_of_the_signature(emulator):
    for region in ("eu-west-1", "us-east-1"):
        emulator.client("sqs", region=region).create_queue(QueueName=region)

    (url,) = emulator.client("sqs", region="us-east-1").list_queues()["QueueUrls"]

    assert url.endswith("/us-east-1")


@pytest.mark.parametrize("path", ["/_localstack/health", "/_cloudq/health"])
def test_scripts_that_wait_for_health_go_on(emulator, path):
    assert emulator.control("GET", path)[0] == 200


def test_a_reset_in_motos_way_empties_all(emulator, sqs):
    sqs.create_queue(QueueName="old")

    assert emulator.control("POST", "/moto-api/reset") == (200, {"status": "ok"})

    assert "QueueUrls" not in sqs.list_queues()


def test_localhost_is_found_on_both_kinds_of_loopback(emulator):
    port = urllib.parse.urlsplit(emulator.endpoint).port
    need_ipv6()

    for address in ("127.0.0.1", "[::1]"):
        with urllib.request.urlopen(f"http://{address}:{port}/_cloudq/health", timeout=10) as answer:
            assert answer.status == 200


def test_a_taken_port_is_told_with_who_holds_it(emulator, tmp_path):
    port = str(urllib.parse.urlsplit(emulator.endpoint).port)

    by_emulator = subprocess.run([*EMULATE, "--port", port], **told(), check=False)

    assert by_emulator.returncode == 1
    assert f"port {port} is taken by another cloudq emulator" in by_emulator.stderr
    assert f"process {os.getpid()}" in by_emulator.stderr or sys.platform != "linux"


def test_a_port_held_by_something_else_is_told_with_its_process():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = subprocess.run([*EMULATE, "--port", str(listener.getsockname()[1])], **told(), check=False)

    assert "is taken by" in done.stderr
    assert f"process {os.getpid()}" in done.stderr or sys.platform != "linux"


def told():
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return {"env": environ, "capture_output": True, "text": True, "timeout": 40}


@pytest.fixture
def environ(emulator):
    """What the command line's clients need; the region is boto3's in these tests."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AWS_ENDPOINT_URL": emulator.endpoint,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
    }


def run(environ, *command, cwd=None):
    assert CLIENTS, "no CLOUDQ_TEST_CLIENTS: make habits-test installs the clients and says where"
    done = subprocess.run(
        command, env=environ, cwd=cwd, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


@pytest.mark.clients
@pytest.mark.slow
@pytest.mark.parametrize("program", ["aws", "awslocal"])
def test_the_command_line_sends_and_receives(emulator, sqs, environ, program):
    # Version 1 of the command line doesn't heed AWS_ENDPOINT_URL for SQS, and awslocal is told otherwise.
    endpoint = environ.pop("AWS_ENDPOINT_URL")
    host = urllib.parse.urlsplit(endpoint).netloc
    environ.update(LOCALSTACK_HOST=host, PATH=f"{CLIENTS}/bin:{environ['PATH']}")
    given = ["--endpoint-url", endpoint] if program == "aws" else []

    def aws(*arguments):
        return run(environ, f"{CLIENTS}/bin/{program}", *given, "--output", "json", "sqs", *arguments)

    url = aws("create-queue", "--queue-name", "cli", "--attributes", "VisibilityTimeout=5")["QueueUrl"]
    sent = aws("send-message", "--queue-url", url, "--message-body", "hello ☃")
    received = aws("receive-message", "--queue-url", url, "--attribute-names", "All")["Messages"][0]
    aws("delete-message", "--queue-url", url, "--receipt-handle", received["ReceiptHandle"])

    assert received["MessageId"] == sent["MessageId"]
    assert received["Body"] == "hello ☃"
    assert aws("list-queues")["QueueUrls"] == [url]
    counts = ["ApproximateNumberOfMessages"]
    assert sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"][counts[0]] == "0"


JAVASCRIPT = """
import { SQSClient, CreateQueueCommand, SendMessageBatchCommand, ReceiveMessageCommand,
         DeleteMessageCommand, GetQueueUrlCommand } from "@aws-sdk/client-sqs";
const client = new SQSClient({});
const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "js" }));
const Entries = ["a", "b"].map((body) => ({ Id: body, MessageBody: body }));
const { Successful } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
const wanted = { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 2 };
const { Messages } = await client.send(new ReceiveMessageCommand(wanted));
for (const { ReceiptHandle } of Messages)
  await client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
const lost = client.send(new GetQueueUrlCommand({ QueueName: "none" }));
const refused = await lost.catch((error) => error.name);
const bodies = Messages.map((message) => message.Body);
console.log(JSON.stringify({ QueueUrl, sent: Successful.length, bodies, refused }));
"""


@pytest.mark.clients
@pytest.mark.slow
def test_the_javascript_sdk_sends_to_the_queues_own_url(emulator, environ):
    node = shutil.which("node")
    assert node is not None
    script = Path(CLIENTS) / "habits.mjs"
    script.write_text(JAVASCRIPT)

    got = run(environ, node, str(script), cwd=CLIENTS)

    assert got["QueueUrl"] == f"{emulator.endpoint}/000000000000/js"
    assert got["sent"] == 2
    assert sorted(got["bodies"]) == ["a", "b"]
    assert got["refused"] == "QueueDoesNotExist"


def test_boto3_needs_nothing_but_the_environment(emulator, environ, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    client = boto3.Session().client("sqs")

    url = client.create_queue(QueueName="boto")["QueueUrl"]
    client.close()

    assert url == f"{emulator.endpoint}/000000000000/boto"


def test_one_line_a_request_says_what_was_asked(tmp_path):
    script = (
        "import os, urllib.request as u; e = os.environ['AWS_ENDPOINT_URL'];"
        "u.urlopen(e + '/?Action=ListQueues'); u.urlopen(e + '/000000000000/jobs?Action=PurgeQueue')"
    )
    command = [*EMULATE, "--port", "0", "--queue", "jobs", "-v", "--", sys.executable, "-c", script]

    done = subprocess.run(command, **told(), check=False)

    lines = [line for line in done.stderr.splitlines() if " sqs " in line]
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} 200 sqs ListQueues", lines[0])
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} 200 sqs PurgeQueue jobs", lines[1])
