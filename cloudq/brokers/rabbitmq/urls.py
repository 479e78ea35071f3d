"""The broker's URL: `amqp[s]://[user[:password]@]host[:port][/vhost][?options]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, cast
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cloudq.errors import ConfigurationError

__all__ = ["Address", "parse"]

SHAPE = "amqp[s]://user:password@host[:port]/vhost[?queue_type=quorum|classic&timeout=10&ack_timeout=1800]"

_PORTS = {"amqp": 5672, "amqps": 5671}
_OPTIONS = {"queue_type", "timeout", "ack_timeout", "heartbeat", "ca"}


@dataclass(frozen=True, slots=True)
class Address:
    """A virtual host on a server, and how it is used.

    Args:
        host: The server.
        port: Its port.
        user: Who connects.
        password: That user's; in no text.
        vhost: The virtual host.
        has_tls: Whether the connection is encrypted.
        ca: A file of certificates to trust instead of the system's.
        queue_type: What `declare` makes: `quorum` queues, which are replicated and count deliveries, or
            `classic` ones.
        timeout: Seconds that a connection, an answer or a confirmation may take.
        ack_timeout: The server's `consumer_timeout` in seconds: who holds a message longer loses it. Source:
            RabbitMQ, Consumers, delivery acknowledgement timeout (30 minutes by default), read 2026-11.
        heartbeat: Seconds; a connection that is silent for twice as long is taken for dead.
    """

    host: str = "localhost"
    port: int = 5672
    user: str = "guest"
    password: str = field(default="guest", repr=False)
    vhost: str = "/"
    has_tls: bool = False
    ca: str | None = None
    queue_type: Literal["quorum", "classic"] = "quorum"
    timeout: float = 10.0
    ack_timeout: float = 1800.0
    heartbeat: float = 60.0

    def __str__(self) -> str:
        vhost = "" if self.vhost == "/" else f", virtual host {self.vhost!r}"
        return f"{self.host}:{self.port}{vhost}"


def parse(url: str) -> Address:
    """Read a broker URL.

    Raises:
        ConfigurationError: It isn't of the shape; the text says which part, and never the password.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS:
        raise _wrong(parts, f"its scheme is {parts.scheme!r}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - _OPTIONS):
        raise _wrong(parts, f"{unknown[0]!r} is no option of it")
    queue_type = options.get("queue_type", "quorum")
    if queue_type not in {"quorum", "classic"}:
        raise _wrong(parts, f"queue_type is quorum or classic, not {queue_type!r}")
    return Address(
        host=parts.hostname or "localhost",
        port=_port(parts),
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        vhost=unquote(parts.path.removeprefix("/")) or "/",
        has_tls=parts.scheme == "amqps",
        ca=options.get("ca") or None,
        queue_type=cast("Literal['quorum', 'classic']", queue_type),
        timeout=_seconds(parts, options, "timeout", 10.0),
        ack_timeout=_seconds(parts, options, "ack_timeout", 1800.0),
        heartbeat=_seconds(parts, options, "heartbeat", 60.0),
    )


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or _PORTS[parts.scheme]
    except ValueError:
        raise _wrong(parts, "its port is no number up to 65535") from None


def _seconds(parts: SplitResult, options: dict[str, str], name: str, default: float) -> float:
    try:
        seconds = float(options.get(name, default))
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds < float("inf"):
        raise _wrong(parts, f"{name} is a number of seconds, 1 or more, not {options[name]!r}")
    return seconds


def _wrong(parts: SplitResult, why: str) -> ConfigurationError:
    place = parts.netloc.rpartition("@")[2]  # never credentials in a log
    return ConfigurationError(f"Broker URL {parts.scheme}://{place}{parts.path}: {why}. Use {SHAPE}.")
