"""Where the server of a `redis://` URL is, and under which prefix its keys lie."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url  # pyright: ignore[reportUnknownVariableType]  # redis-py leaves it untyped
from redis.retry import Retry

from cloudq.errors import ConfigurationError

__all__ = ["LAYOUT", "Address", "locate"]

LAYOUT = 1
"""The version of the keys' layout: part of every key, so that no release misreads another's."""

DEFAULT_PREFIX = "cloudq"

PATIENCE = 5.0
"""Seconds to wait for a connection, and for an answer, unless the URL says otherwise."""

_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_UNIX = "redis+unix"


@dataclass(frozen=True, slots=True)
class Address:
    """A server.

    Args:
        shown: The URL without user and password, for messages.
        root: What every key begins with: the prefix and the layout's version.
        kind: redis-py's class of connections.
        options: What that class takes.
    """

    shown: str
    root: str
    kind: type[Any]
    options: Mapping[str, Any]

    @property
    def patience(self) -> float:
        """Seconds to wait for an answer."""
        return float(self.options["socket_timeout"])

    def connection(self) -> Any:
        """A new connection of redis-py's; not connected yet."""
        return self.kind(**self.options)


def locate(url: str) -> Address:
    """Read `redis://[user:password@]host[:port][/number][?prefix=…]`, `rediss://` or `redis+unix:///path`.

    What else stands behind `?` goes to redis-py's connection: `socket_timeout=10`, `ssl_ca_certs=…`.

    Raises:
        ConfigurationError: The URL is misspelt.
    """
    shown = _shown(url)
    prefix, rest = _prefix(url, shown)
    try:
        given = cast("dict[str, Any]", parse_url(rest))
        kind = given.pop("connection_class", Connection)
        options = {
            "socket_connect_timeout": PATIENCE,
            "socket_timeout": PATIENCE,
            "socket_keepalive": True,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),  # whoever calls decides whether to try again
            **given,
        }
        if "path" in options:
            del options["socket_keepalive"]  # TCP's alone
        address = Address(shown, f"{prefix}:{LAYOUT}", kind, options)
        address.connection()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{shown!r}: {error}. Write redis://host:6379/0, and behind ? only prefix= and what redis-py's "
            "connections take, such as socket_timeout=10."
        ) from error
    return address


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _prefix(url: str, shown: str) -> tuple[str, str]:
    """The keys' prefix, and the URL as redis-py reads it."""
    parts = urlsplit(url)
    is_unix = parts.scheme == _UNIX
    if not is_unix and not re.fullmatch(r"/?\d*", parts.path):
        raise ConfigurationError(f"{shown!r}: what stands behind the host is a database's number, as in /0.")
    if is_unix and (parts.netloc.rpartition("@")[2] or not parts.path):
        raise ConfigurationError(f"{shown!r}: write redis+unix:///path/to/redis.sock.")
    query = parse_qs(parts.query, keep_blank_values=True)
    (prefix,) = query.pop("prefix", [DEFAULT_PREFIX])[-1:]
    if not _PREFIX.fullmatch(prefix):
        raise ConfigurationError(
            f"{shown!r}: prefix={prefix!r} has other than 1 to 64 letters, digits and '-_.:' ."
        )
    scheme = "unix" if is_unix else parts.scheme
    return prefix, f"{scheme}://{parts.netloc}{parts.path}?{urlencode(query, doseq=True)}"
