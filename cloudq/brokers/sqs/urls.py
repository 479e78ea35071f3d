"""The broker's URL: `sqs://[region][?prefix=…&endpoint=…&transport=boto3]`."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from cloudq.errors import ConfigurationError

__all__ = ["SqsUrl", "is_loopback", "parse"]

SHAPE = "sqs://[region][?prefix=NAME-&endpoint=http://localhost:4566&transport=boto3]"
TRANSPORTS = ("lean", "boto3")


@dataclass(frozen=True, slots=True)
class SqsUrl:
    """Where the queues are.

    Args:
        region: AWS's name for the region; None leaves it to the environment and AWS's configuration files.
        prefix: What the names of this app's queues begin with.
        endpoint: Another server than AWS's; None leaves it to `AWS_ENDPOINT_URL` and AWS's files.
        transport: What carries requests: `lean`, which leaves to boto3 what it can't do, or `boto3`.
    """

    region: str | None = None
    prefix: str = ""
    endpoint: str | None = None
    transport: str = "lean"


def parse(url: str) -> SqsUrl:
    """Read a broker URL.

    Raises:
        ConfigurationError: It isn't of the shape; the text says which part.
    """
    parts = urlsplit(url)
    _check_place(url, parts)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - {"prefix", "endpoint", "transport"}):
        raise _wrong(url, f"{unknown[0]!r} is no option of it")
    endpoint = options.get("endpoint") or None
    if endpoint is not None and not _is_http(endpoint):
        raise _wrong(url, f"its endpoint {endpoint!r} is no http:// or https:// address")
    transport = options.get("transport") or "lean"
    if transport not in TRANSPORTS:
        raise _wrong(url, f"its transport {transport!r} is none of {', '.join(TRANSPORTS)}")
    return SqsUrl(parts.hostname, options.get("prefix", ""), endpoint, transport)


def is_loopback(endpoint: str) -> bool:
    """Whether an endpoint is this very machine: an emulator, not AWS."""
    host = (urlsplit(endpoint).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith((".localhost", ".localhost.localstack.cloud")):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_place(url: str, parts: SplitResult) -> None:
    if parts.scheme != "sqs":
        raise _wrong(url, f"its scheme is {parts.scheme!r}")
    if "@" in parts.netloc:
        raise _wrong(url, "credentials don't belong there; AWS's own chain finds them")
    if ":" in parts.netloc:
        raise _wrong(url, "a server goes into `endpoint=`, a region stands alone")
    if parts.path not in ("", "/"):
        raise _wrong(url, f"{parts.path!r} has no meaning there; `prefix=` begins the queues' names")


def _is_http(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _wrong(url: str, why: str) -> ConfigurationError:
    shown = url if "@" not in url else "sqs://…"  # never credentials in a log
    return ConfigurationError(f"Broker URL {shown!r}: {why}. Use {SHAPE}.")
