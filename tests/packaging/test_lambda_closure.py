"""What a function loads before its first record: each module here costs every cold start.

Whoever adds a name to these lists has looked at what it costs (`python -X importtime`).
"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.http_server import http_server

PROGRAM = """
import json, sys
before = set(sys.modules)
{code}
print(json.dumps(sorted(set(sys.modules) - before)))
"""

CORE = {
    "app", "arguments", "attempt", "backends", "backends.base", "brokers", "brokers.base", "call_options",
    "clock",
    "codec", "config", "converters", "delivery", "errors", "execution", "finding", "lambda_handler",
    "lambda_handler.batch", "lambda_handler.delays", "lambda_handler.entry", "lambda_handler.event",
    "lambda_handler.fifo", "lambda_handler.remaining", "message", "options", "processes", "queues",
    "request", "results", "retry", "sending", "settling", "tasks",
}  # fmt: skip
"""Of cloudq."""

HEAVY = {"asyncio", "ssl", "http", "multiprocessing", "sqlite3", "unittest", "xml"}
"""Of the standard library: each takes milliseconds, and no record needs it by itself."""

RUN = """
import cloudq
from cloudq.lambda_handler import for_app
app = cloudq.App("shop", broker="sqs://eu-west-1", environ={})
@app.task(name="add")
def add(x: int, y: int) -> int: return x + y
body = '{"v":1,"id":"1","task":"add","args":[1,2]}'
attributes = {"ApproximateReceiveCount": "1", "SentTimestamp": "1800000000000"}
record = {"messageId": "1", "receiptHandle": "r", "body": body, "attributes": attributes,
          "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:eu-west-1:1:orders"}
assert for_app(app)({"Records": [record]}, None) == {"batchItemFailures": []}
"""


FAIL = RUN.replace("-> int: return x + y", "-> int: raise ValueError").replace(
    "[]}", '[{"itemIdentifier": "1"}]}'
)
"""The record is tried again: its visibility is changed, a request that is signed and sent."""


def loaded(code: str, environment: dict[str, str] | None = None) -> set[str]:
    program = PROGRAM.replace("{code}", code)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    return set(json.loads(run.stdout))


def split(modules: set[str]) -> tuple[set[str], set[str], set[str]]:
    """Cloudq's modules without its name, third parties' packages, the standard library's."""
    ours = {name.removeprefix("cloudq.") for name in modules if name.startswith("cloudq.")}
    tops = {name.partition(".")[0] for name in modules} - {"cloudq"}
    return ours, tops - sys.stdlib_module_names, tops & sys.stdlib_module_names


def test_importing_the_handler_loads_what_is_on_the_list():
    ours, others, standard = split(loaded("import cloudq.lambda_handler"))

    assert sorted(ours ^ CORE) == []
    assert (others, standard & HEAVY) == (set(), set())


def test_a_record_that_ends_well_adds_its_broker_and_no_boto3():
    ours, others, standard = split(loaded(RUN))

    added = {name for name in ours - CORE if not f"{name}.".startswith("brokers.sqs.")}
    assert added == {"brokers.rests"}  # which queues rest: pure, and a page long
    assert (others, standard & HEAVY) == (set(), set())


def test_a_record_that_is_tried_again_needs_no_boto3_where_keys_are_in_the_environment(tmp_path):
    with http_server() as server:
        environment = {
            "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
            "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": server.endpoint, "HOME": str(tmp_path),
        }  # fmt: skip
        answers = [{"QueueUrl": "http://localhost/1/orders"}, {"Successful": [{"Id": "0"}]}]
        server.answers = [(200, {}, json.dumps(answer).encode()) for answer in answers]

        _, others, standard = split(loaded(FAIL, environment))

    assert [asked.headers["x-amz-target"] for asked in server.asked] == [
        "AmazonSQS.GetQueueUrl", "AmazonSQS.ChangeMessageVisibilityBatch",
    ]  # fmt: skip
    assert (others, standard & HEAVY - {"http", "ssl"}) == (set(), set())
