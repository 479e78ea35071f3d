"""Huey without results; it takes a task out of the queue before it runs it, and has no other way."""

from __future__ import annotations

from huey import RedisHuey, SqliteHuey  # pyright: ignore[reportMissingImports] - in the peers' environment

from benchmarks.contenders.work import ADDRESS, BROKER, QUEUE, VARIANT, nap, noop, stamp

if BROKER == "redis":
    huey = RedisHuey(QUEUE, url=ADDRESS, results=False)
else:
    huey = SqliteHuey(QUEUE, filename=ADDRESS, fsync=VARIANT != "off", results=False)

CALLS = {function.__name__: huey.task()(function) for function in (noop, stamp, nap)}
