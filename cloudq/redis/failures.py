"""What Redis's errors mean, and what to do about each."""

from __future__ import annotations

from dataclasses import dataclass

from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError

from cloudq.errors import CloudqError

__all__ = ["Failure", "Failures"]

_TRANSIENT = {
    "LOADING": "it is reading its data from disk, and will answer when that is done",
    "OOM": "its memory is full (maxmemory): drain queues, or give it more",
    "READONLY": "it is a read-only replica: name the primary",
    "MASTERDOWN": "it is a replica that has lost its primary",
    "MISCONF": "it takes no writes as it can't save them: look into its log and at its disk",
    "NOREPLICAS": "it takes no writes as too few replicas are connected (min-replicas-to-write)",
    "BUSY": "a script of somebody's keeps it busy",
}
_CLUSTER = (
    "it belongs to a Redis Cluster, whose redirections cloudq doesn't follow: name a server that has all "
    "slots, or one outside a cluster"
)
_CREDENTIALS = (
    "it wants other credentials: write them into the URL, redis://user:password@host, with signs other than "
    "letters and digits percent-encoded"
)
_OLD = "Redis 6.2 or newer, or Valkey, is needed"
_LASTING = {
    "NOAUTH": _CREDENTIALS,
    "WRONGPASS": _CREDENTIALS,
    "NOPERM": "its user may not do this: see docs/redis.md for what is needed",
    "WRONGTYPE": "a key is used by another program: set another prefix, ?prefix=…",
    "MOVED": _CLUSTER,
    "ASK": _CLUSTER,
    "CROSSSLOT": _CLUSTER,
    "CLUSTERDOWN": _CLUSTER,
}
_KINDS = {
    AuthenticationError: "NOAUTH",
    BusyLoadingError: "LOADING",
    NoPermissionError: "NOPERM",
}
"""From which redis-py, while it connects, has stripped the code."""

_SAID = {
    "OOM command not allowed": "OOM",
    "READONLY": "READONLY",
    "MISCONF": "MISCONF",
    "WRONGTYPE": "WRONGTYPE",
}
"""Which scripts of Redis 6.2 wrap into text of their own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What stands in place of a call's answer.

    Args:
        error: What happened.
        said: What the server said; empty where it said nothing.
    """

    error: CloudqError
    said: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether the answer was lost, so that the call may have done its work."""
        return not self.said


@dataclass(frozen=True, slots=True)
class Failures:
    """What a server's user raises when Redis can't.

    Args:
        unavailable: For what may pass: the call may be made again.
        broken: For what won't.
    """

    unavailable: type[CloudqError]
    broken: type[CloudqError]

    def refused(self, shown: str, error: Exception) -> CloudqError:
        """What to raise for an error that the server answered."""
        said, code = str(error), _code(error)
        if why := _TRANSIENT.get(code):
            return self.unavailable(f"Redis at {shown}: {why} ({said}).")
        if "unknown command" in said.lower() or "Unknown Redis command" in said:
            return self.broken(f"Redis at {shown}: {_OLD} ({said}).")
        return self.broken(f"Redis at {shown}: {_LASTING.get(code, 'it refused')} ({said}).")

    def unreachable(self, shown: str, error: Exception) -> CloudqError:
        """What to raise where no connection could be made."""
        return self.unavailable(f"Redis can't be reached at {shown}: {_cause(error)}. Is it running there?")

    def lost(self, shown: str, error: Exception) -> CloudqError:
        """What to raise where a connection broke, or no answer came, after the call was sent."""
        return self.unavailable(f"Redis at {shown} took a call and gave no answer: {_cause(error)}.")

    def closed(self, shown: str) -> CloudqError:
        """What to raise after `close`."""
        return self.broken(f"The connection to Redis at {shown} was closed.")


def _code(error: Exception) -> str:
    said = str(error)
    of_kind = next((code for kind, code in _KINDS.items() if isinstance(error, kind)), None)
    wrapped = next((code for words, code in _SAID.items() if words in said), None)
    return of_kind or wrapped or said.partition(" ")[0]


def _cause(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
