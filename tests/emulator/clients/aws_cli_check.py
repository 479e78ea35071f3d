"""The aws command line, version 1, and awslocal: queues, messages, attributes, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
from urllib.parse import urlsplit


def run(*arguments, program="aws", is_refused=False):
    port = str(urlsplit(os.environ["AWS_ENDPOINT_URL"]).port)
    environment = {**os.environ, "EDGE_PORT": port, "LOCALSTACK_HOST": f"localhost:{port}"}
    # Version 1 heeds AWS_ENDPOINT_URL for most services, but not for SQS: github.com/aws/aws-cli/issues/8737
    where = ["--endpoint-url", os.environ["AWS_ENDPOINT_URL"]] if program == "aws" else []
    done = subprocess.run(
        [program, *where, "sqs", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == is_refused, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else done.stderr


def check(program):
    url = run("create-queue", "--queue-name", f"by-{program}", program=program)["QueueUrl"]
    queue = ("--queue-url", url)
    run("set-queue-attributes", *queue, "--attributes", "VisibilityTimeout=7", program=program)
    sent = run(
        *("send-message", *queue, "--message-body", "x", "--message-attributes"),
        '{"a": {"DataType": "String", "StringValue": "größe"}}',
        program=program,
    )
    how = ("--attribute-names", "All", "--message-attribute-names", "All", "--wait-time-seconds", "1")
    (message,) = run("receive-message", *queue, *how, program=program)["Messages"]
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["a"]["StringValue"] == "größe"
    run("delete-message", *queue, "--receipt-handle", message["ReceiptHandle"], program=program)
    shown = run("get-queue-attributes", *queue, "--attribute-names", "All", program=program)["Attributes"]
    assert (shown["VisibilityTimeout"], shown["ApproximateNumberOfMessages"]) == ("7", "0")
    assert url in run("list-queues", "--queue-name-prefix", "by-", program=program)["QueueUrls"]
    refused = run("get-queue-url", "--queue-name", "none", program=program, is_refused=True)
    assert "AWS.SimpleQueueService.NonExistentQueue" in refused
    run("delete-queue", *queue, program=program)


def main():
    for program in ("aws", "awslocal"):
        check(program)


if __name__ == "__main__":
    main()
