"""Celery, and kombu's SQS transport under it: tasks, a countdown, a retry."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from celery import Celery

DONE = Path(os.environ["CHECK_DIRECTORY"], "done")
ADDRESS = urlsplit(os.environ["AWS_ENDPOINT_URL"]).netloc

app = Celery("celery_check", broker=f"sqs://test:test@{ADDRESS}//")
app.conf.broker_transport_options = {
    "is_secure": False,
    "region": "eu-west-1",
    "visibility_timeout": 30,
    "wait_time_seconds": 5,
    "polling_interval": 0.1,
}
app.conf.task_acks_late = True


@app.task(bind=True, max_retries=1)
def note(self, word, *, fails=False):
    if fails and not self.request.retries:
        raise self.retry(countdown=1)
    with DONE.open("a") as file:
        file.write(f"{word}\n")


def main():
    command = [sys.executable, "-m", "celery", "-A", "celery_check", "worker", "-P", "solo", "-l", "WARNING"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    expected = {"now", "later", "again", *(f"many-{number}" for number in range(30))}
    note.delay("now")
    note.apply_async(("later",), countdown=1)
    note.delay("again", fails=True)
    for number in range(30):
        note.delay(f"many-{number}")
    with subprocess.Popen(command, env=environment) as worker:
        try:
            deadline = time.monotonic() + 60
            while set(words := done()) != expected:
                assert time.monotonic() < deadline, f"done by now: {words}"
                time.sleep(0.1)
            assert len(words) == len(expected)
        finally:
            worker.terminate()


def done():
    return DONE.read_text().split() if DONE.exists() else []


if __name__ == "__main__":
    # By its name, so that tasks have the names by which the worker knows them.
    importlib.import_module("celery_check").main()
