"""State in Redis: shared by processes and machines; what has a time to live, Redis itself deletes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Final

from cloudq.backends.base import Change
from cloudq.clock import Clock
from cloudq.errors import BackendError, BackendUnavailableError
from cloudq.redis import Call, Failure, Failures, Listener, Script, Server, command, locate
from cloudq.redis.calls import Word, parts

__all__ = ["RedisBackend", "connect"]

# Each key has a channel, on which it is said that its value was set.
_PUT_ONE = """
local function put(key, channel, value, ttl)
  if ttl == '' then
    redis.call('SET', key, value)
  else
    redis.call('SET', key, value, 'PX', ttl)
  end
  redis.call('PUBLISH', channel, '')
end
"""
# KEYS: the keys. ARGV: the time to live, or nothing; of each the channel, the value.
_PUT: Final = Script(
    _PUT_ONE
    + """
for i, key in ipairs(KEYS) do
  put(key, ARGV[2 * i], ARGV[2 * i + 1], ARGV[1])
end
"""
)
# KEYS: the keys. ARGV: of each the channel, the value, the time to live or nothing, 1 where a value is
# expected, and that.
_PUT_IF: Final = Script(
    _PUT_ONE
    + """
local made = {}
for i, key in ipairs(KEYS) do
  local channel, value, ttl, some, expected = unpack(ARGV, 5 * i - 4, 5 * i)
  local found = redis.call('GET', key)
  local fits = not found
  if some == '1' then
    fits = found == expected
  end
  if fits then
    put(key, channel, value, ttl)
  end
  made[i] = fits and '1' or '0'
end
return table.concat(made)
"""
)
# KEYS: the set. ARGV: the member, its value, the time to live or nothing.
_ADD: Final = Script("""
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] == '' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return redis.call('HLEN', KEYS[1])
""")


def connect(url: str, *, clock: Clock) -> RedisBackend:
    """Make a backend from `redis://host:6379/0[?prefix=…]`; it is connected to on first use.

    Raises:
        ConfigurationError: The URL is misspelt, or redis-py is missing.
    """
    failures = Failures(unavailable=BackendUnavailableError, broken=BackendError)
    return RedisBackend(Server(locate(url), failures), clock)


class RedisBackend:
    """State in one Redis server. What expires does by that server's clock.

    Args:
        server: Where.
        clock: What waits are measured on.
    """

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._listener = Listener(server.connections, clock)
        self._root = server.address.root

    def get(self, key: str) -> bytes | None:
        return self._server.ask(command("GET", self._key(key)))

    def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        asked = list(parts(keys))
        found = self._all([command("MGET", *map(self._key, some)) for some in asked])
        pairs = zip(keys, chain.from_iterable(found), strict=True)
        return {key: value for key, value in pairs if value is not None}

    def put(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        self.put_many({key: value}, ttl=ttl)

    def put_if(self, changes: Sequence[Change]) -> list[bool]:
        asked: list[Call] = []
        for some in parts(changes):
            words: list[Word] = []
            for one in some:
                expects = (0, b"") if one.expected is None else (1, one.expected)
                words += (self._channel(one.key), one.value, _milliseconds(one.ttl), *expects)
            asked.append(_PUT_IF.call([self._key(one.key) for one in some], words))
        return [made == ord("1") for made in b"".join(self._all(asked))]

    def put_many(self, values: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        asked: list[Call] = []
        for some in parts(list(values)):
            words = [word for key in some for word in (self._channel(key), values[key])]
            asked.append(_PUT.call([self._key(key) for key in some], [_milliseconds(ttl), *words]))
        self._all(asked)

    def delete(self, key: str) -> None:
        self._all([command("UNLINK", self._key(key)), command("PUBLISH", self._channel(key), "")])

    def add_member(self, key: str, member: str, value: bytes, *, ttl: float | None = None) -> int:
        return self._server.ask(_ADD.call([self._key(key)], [member, value, _milliseconds(ttl)]))

    def members(self, key: str) -> dict[str, bytes]:
        found: list[bytes] = self._server.ask(command("HGETALL", self._key(key)))
        return {found[at].decode(): found[at + 1] for at in range(0, len(found), 2)}

    def wait(self, keys: Sequence[str], timeout: float, *, known: Mapping[str, bytes] | None = None) -> None:
        with self._server.until_closed():
            if known is None:
                known = self.get_many(keys)
            expected = {key: known[key] for key in keys if key in known}
            self._listener.wait(
                [self._channel(key) for key in keys], timeout, lambda: self.get_many(keys) != expected
            )

    def close(self) -> None:
        self._server.close()
        self._listener.close()

    def _key(self, key: str) -> str:
        return f"{self._root}:state:{key}"

    def _channel(self, key: str) -> str:
        return f"{self._root}:set:{key}"

    def _all(self, calls: Sequence[Call]) -> list[Any]:
        """What all of them answered.

        Raises:
            BackendError: One failed.
        """
        answers = self._server.run(calls) if calls else []
        for answer in answers:
            if isinstance(answer, Failure):
                raise answer.error
        return answers


def _milliseconds(ttl: float | None) -> int | str:
    """As the scripts take it."""
    return "" if ttl is None else max(1, round(ttl * 1000))
