"""Where tests find a Redis server, and how they make its brokers' time pass."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis

from cloudq.clock import FakeClock

URL = os.environ.get("CLOUDQ_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


class QuickClock(FakeClock):
    """A fake clock that waits for no real second: what blocks looks at it every few milliseconds."""

    def real(self, seconds: float) -> float:
        return min(seconds, 0.005)


@contextmanager
def redis_url() -> Iterator[str]:
    """A prefix of a test's own; its keys are deleted afterwards."""
    client = redis.Redis.from_url(URL, socket_connect_timeout=2)
    try:
        client.ping()
    except redis.ConnectionError as error:
        if os.environ.get("CLOUDQ_REQUIRE_SERVICES"):
            raise
        pytest.skip(f"no Redis at {URL} (CLOUDQ_TEST_REDIS_URL names another): {error}")
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    try:
        yield f"{URL}?prefix={prefix}"
    finally:
        if keys := list(client.scan_iter(f"{prefix}:*", count=1000)):
            client.unlink(*keys)
        client.close()


def shorten_lives(url: str, seconds: float) -> None:
    """Let what expires under a test's prefix do so earlier."""
    address, _, prefix = url.partition("?prefix=")
    with redis.Redis.from_url(address) as client:
        for key in client.scan_iter(f"{prefix}:*", count=1000):
            left = client.pttl(key)
            if left >= 0:
                client.pexpire(key, max(0, left - round(seconds * 1000)))
