"""dramatiq_sqs: messages there and back, at once and delayed, beside a dead-letter queue."""

from __future__ import annotations

import os
import time

import dramatiq
from dramatiq_sqs import SQSBroker

words = []
broker = SQSBroker(
    namespace="check",
    dead_letter=True,
    endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    region_name="eu-west-1",
    middleware=[],
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="words")
def note(word):
    words.append(word)


def main():
    note.send("now")
    note.send_with_options(args=("later",), delay=1_000)
    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    try:
        deadline = time.monotonic() + 60
        while set(words) != {"now", "later"}:
            assert time.monotonic() < deadline, f"done by now: {words}"
            time.sleep(0.1)
    finally:
        worker.stop()
    assert sorted(words) == ["later", "now"]


if __name__ == "__main__":
    main()
