"""The emulator as any client sees it: through boto3, and its page of counted requests."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from cloudq.clock import Clock
from cloudq.queues import dead_letter_name
from examples.demo.processes import Child, Children

START_SECONDS = 30.0

_MAPPING_SECONDS = 30.0
_QUIET = 5
"""Looks in a row, a tenth of a second apart, that find no poll: a change is noticed a little later."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What a queue's attributes say.

    Args:
        waiting: Messages that can be received.
        leased: Messages that somebody has received and not settled.
        delayed: Messages that aren't due yet.
        dead: Messages in its dead-letter queue.
    """

    waiting: int
    leased: int
    delayed: int
    dead: int

    @property
    def open(self) -> int:
        """Messages that are not finished."""
        return self.waiting + self.leased + self.delayed


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue, as anybody with boto3 reads it."""

    queue: str
    body: Mapping[str, Any]
    reason: Mapping[str, Any]


class Cloud:
    """The emulator's SQS and Lambda.

    Args:
        endpoint: Its URL.
        environ: Credentials and region, under the names that SDKs know.
        clock: Waits.
    """

    def __init__(self, endpoint: str, environ: Mapping[str, str], clock: Clock) -> None:
        self.endpoint = endpoint
        self._clock = clock
        session = boto3.Session(
            environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], region_name=environ["AWS_REGION"]
        )
        config = Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=10)
        self._sqs: Any = session.client("sqs", endpoint_url=endpoint, config=config)
        self._lambda: Any = session.client("lambda", endpoint_url=endpoint, config=config)
        self._logs: Any = session.client("logs", endpoint_url=endpoint, config=config)
        self._urls: dict[str, str] = {}

    def functions(self) -> list[str]:
        """The names of the Lambda functions."""
        return [function["FunctionName"] for function in self._lambda.list_functions()["Functions"]]

    def function_log(self) -> str:
        """What the functions wrote, as CloudWatch Logs has it."""
        groups = [f"/aws/lambda/{name}" for name in self.functions()]
        pages = (self._logs.filter_log_events(logGroupName=group) for group in groups)
        return "".join(f"{event['message'].rstrip()}\n" for page in pages for event in page["events"])

    def configure_functions(self, variables: Mapping[str, str]) -> None:
        """Add to the environment of all functions."""
        for name in self.functions():
            present = self._lambda.get_function_configuration(FunctionName=name).get("Environment", {})
            both = {**present.get("Variables", {}), **variables}
            self._lambda.update_function_configuration(FunctionName=name, Environment={"Variables": both})

    def switch_mappings(self, *, on: bool) -> None:
        """Start or stop the event source mappings; stopped means that none waits for messages any more."""
        for mapping in self._mappings():
            self._lambda.update_event_source_mapping(UUID=mapping["UUID"], Enabled=on)
        quiet, until = 0, self._clock.monotonic() + _MAPPING_SECONDS
        while not on and quiet < _QUIET:
            quiet = quiet + 1 if self._control("health")["waiting"] == 0 else 0
            if self._clock.monotonic() > until:
                raise TimeoutError(f"The event source mapping still polls after {_MAPPING_SECONDS:g} s.")
            self._clock.sleep(0.1)

    def mapping_state(self, queue: str) -> str:
        """What a queue's event source mapping says of itself."""
        states = [
            one["State"] for one in self._mappings() if one["EventSourceArn"].rpartition(":")[2] == queue
        ]
        return ", ".join(states) or "not there"

    def depth(self, queue: str) -> Depth:
        """A queue's depth, and its dead-letter queue's."""
        here, dead = self._counts(queue), self._counts(dead_letter_name(queue))
        return Depth(*here, dead=sum(dead))

    def dead_letters(self, queue: str) -> Iterator[DeadLetter]:
        """Look at what is in a queue's dead-letter queue, and leave it there."""
        url = self._url(dead_letter_name(queue))
        seen: set[str] = set()
        while batch := self._receive(url):
            fresh = [message for message in batch if message["MessageId"] not in seen]
            if not fresh:
                return
            for message in fresh:
                seen.add(message["MessageId"])
                reason = message.get("MessageAttributes", {}).get("cloudq.dead", {}).get("StringValue", "{}")
                yield DeadLetter(queue, json.loads(message["Body"]), json.loads(reason))

    def receives(self) -> set[str]:
        """The queues that somebody has asked for messages, as the emulator counted the requests."""
        rows = self._control("requests")["requests"]
        return {row["queue"] for row in rows if row["operation"] == "ReceiveMessage"}

    def _control(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.endpoint}/_cloudq/{what}", timeout=5) as answer:  # noqa: S310
            return json.load(answer)

    def _receive(self, url: str) -> list[Any]:
        answer = self._sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, MessageAttributeNames=["All"]
        )
        return answer.get("Messages", [])

    def _counts(self, queue: str) -> tuple[int, int, int]:
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url(queue), AttributeNames=list(names))
        waiting, leased, delayed = (int(answer["Attributes"][name]) for name in names)
        return waiting, leased, delayed

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            self._urls[queue] = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[queue]

    def _mappings(self) -> list[Any]:
        return self._lambda.list_event_source_mappings()["EventSourceMappings"]


def start(children: Children, clock: Clock) -> tuple[Cloud, dict[str, str]]:
    """Start the emulator on a free port, with what the root template.yaml deploys.

    Returns:
        The cloud, and the environment in which programs find it.

    Raises:
        ChildDiedError: It ended.
        TimeoutError: It isn't up in time.
    """
    child = children.start("emulator", ["emulate", "--port", "0", "--json", "--template", "template.yaml"])
    until = clock.monotonic() + START_SECONDS
    while clock.monotonic() < until:
        child.check()
        if (said := _start_line(child)) is not None:
            return Cloud(said["endpoint"], said["environment"], clock), said["environment"]
        clock.sleep(0.05)
    raise TimeoutError(
        f"The emulator isn't up after {START_SECONDS:g} s. Its log, {child.log}:\n{child.tail()}"
    )


def _start_line(child: Child) -> Any:
    """What the emulator says once it is up and the template is deployed."""
    for line in child.log.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(ValueError):
            return json.loads(line)
    return None
