"""The requests that are measured, in SQS's JSON protocol with the headers that boto3 sends."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

BATCH: Final = 10
_ACCOUNT: Final = "000000000000"
_HANDLE: Final = re.compile(rb'"ReceiptHandle": ?"([^"]+)"')
_HEAD: Final = (
    "POST / HTTP/1.1\r\n"
    "Host: {host}\r\n"
    "X-Amz-Target: AmazonSQS.{operation}\r\n"
    "Content-Type: application/x-amz-json-1.0\r\n"
    "User-Agent: Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11.2\r\n"
    "X-Amz-Date: 20261121T000000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=testing/20261121/us-east-1/sqs/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=" + "0" * 64 + "\r\n"
    "amz-sdk-invocation-id: 00000000-0000-4000-a000-000000000000\r\n"
    "amz-sdk-request: attempt=1\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def request(host: str, operation: str, params: dict[str, Any]) -> bytes:
    """One request as it goes over the wire."""
    body = json.dumps(params).encode()
    return _HEAD.format(host=host, operation=operation, length=len(body)).encode() + body


def create_queue(host: str, name: str) -> bytes:
    """A new queue; its leases outlast any run."""
    return request(host, "CreateQueue", {"QueueName": name, "Attributes": {"VisibilityTimeout": "3600"}})


def delete_queue(host: str, name: str) -> bytes:
    """A queue less."""
    return request(host, "DeleteQueue", {"QueueUrl": _url(host, name)})


@dataclass(frozen=True, slots=True)
class Requests:
    """The requests on one queue, built once.

    Args:
        host: The server's name and port.
        name: The queue's.
        send: SendMessage.
        send_batch: SendMessageBatch of ten.
        receive: ReceiveMessage of at most ten.
        wait: ReceiveMessage that waits up to 20 s.
    """

    host: str
    name: str
    send: bytes
    send_batch: bytes
    receive: bytes
    wait: bytes

    @classmethod
    def of(cls, host: str, name: str, size_bytes: int) -> Requests:
        """Requests whose messages have bodies of `size_bytes`."""
        url, body = _url(host, name), _body(size_bytes)
        entries = [{"Id": str(number), "MessageBody": body} for number in range(BATCH)]
        return cls(
            host,
            name,
            request(host, "SendMessage", {"QueueUrl": url, "MessageBody": body}),
            request(host, "SendMessageBatch", {"QueueUrl": url, "Entries": entries}),
            request(host, "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": BATCH}),
            request(
                host, "ReceiveMessage", {"QueueUrl": url, "MaxNumberOfMessages": 1, "WaitTimeSeconds": 20}
            ),
        )

    def delete_batch(self, received: bytes) -> bytes:
        """DeleteMessageBatch for what an answer brought."""
        return self._delete([handle.decode() for handle in _HANDLE.findall(received)])

    def _delete(self, handles: Sequence[str]) -> bytes:
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        return request(
            self.host, "DeleteMessageBatch", {"QueueUrl": _url(self.host, self.name), "Entries": entries}
        )


def received_count(answer: bytes) -> int:
    """How many messages an answer to a receive brought."""
    return len(_HANDLE.findall(answer))


def _url(host: str, name: str) -> str:
    return f"http://{host}/{_ACCOUNT}/{name}"


def _body(size_bytes: int) -> str:
    text = json.dumps({"v": 1, "task": "shop.tasks.thumbnail", "kwargs": {"photo": "cat.jpg", "width": 320}})
    return (text + " " + "0123456789abcdef" * (size_bytes // 16 + 1))[:size_bytes]
