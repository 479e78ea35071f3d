"""One Redis server, as the Redis broker and the Redis backend use it.

| module | what is in it |
|---|---|
| `address` | where a URL's server is, and under which prefix its keys lie |
| `calls` | commands and scripts as they go over the wire |
| `replies` | answers as they come over it |
| `connections` | this process's connections |
| `server` | many calls in one round trip |
| `listener` | hearing of what is published |
| `failures` | what Redis's errors mean |
"""

from __future__ import annotations

from importlib.util import find_spec

from cloudq.errors import ConfigurationError

if find_spec("redis") is None or find_spec("hiredis") is None:
    raise ConfigurationError("Redis needs redis-py and hiredis: pip install 'cloudq[redis]'.")

from cloudq.redis.address import Address, locate
from cloudq.redis.calls import Call, Script, command
from cloudq.redis.connections import Connections
from cloudq.redis.failures import Failure, Failures
from cloudq.redis.listener import Listener
from cloudq.redis.server import Server

__all__ = [
    "Address",
    "Call",
    "Connections",
    "Failure",
    "Failures",
    "Listener",
    "Script",
    "Server",
    "command",
    "locate",
]
