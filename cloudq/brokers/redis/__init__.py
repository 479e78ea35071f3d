"""Queues in Redis: one server, many processes and machines.

| module | what it does |
|---|---|
| `broker` | the `Broker` and the `Inspector`: each call is one round trip |
| `settling` | answers of settlements, whatever queues they are of |
| `batches` | what a script is given at most |
| `texts` | messages as Redis keeps them |
| `scripts`, `lua/` | what Redis does in one step; `lua/queue.lua` says how a queue is kept |
"""

from __future__ import annotations

from cloudq.brokers.redis.broker import RedisBroker, connect

__all__ = ["RedisBroker", "connect"]
