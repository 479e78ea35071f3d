"""Where SQS is and who asks, as far as the environment says so; and what is boto3's business."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cloudq.brokers.sqs.lean.credentials import (
    FULL_URI,
    KEY,
    RELATIVE_URI,
    SECRET,
    ContainerCredentials,
    EnvironmentCredentials,
    Source,
)
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.clock import Clock

__all__ = ["CA_BUNDLES", "Place", "endpoint_in", "in_environment", "plain", "unusual"]

_SUFFIXES = {
    r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+": "amazonaws.com",
    r"us-gov-\w+-\d+": "amazonaws.com",
    r"cn-\w+-\d+": "amazonaws.com.cn",
}
"""Source: botocore's partitions.json, read 2026-11. Other partitions are left to boto3."""

_PROXIES = ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY")
CA_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
"""Files of certificates to trust, the stronger first; as botocore has it."""
_UNUSUAL_SWITCHES = (
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE")
_FILES = {
    "AWS_CONFIG_FILE": "~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials",
}

Environment = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Place:
    """Where SQS is, and who asks.

    Args:
        endpoint: The server's address, without a path.
        region: AWS's name for the region.
        credentials: Whose name requests are signed in.
        ca_bundle: A file or folder of certificates to trust in place of the usual ones; None for those.
    """

    endpoint: str
    region: str
    credentials: Source
    ca_bundle: str | None = None


def unusual(environment: Environment) -> str | None:
    """The variable by which SQS is to be reached in a way that only boto3 knows; None where there is none."""
    for name in _PROXIES:
        if environment(name):
            return name
    return next((name for name in _UNUSUAL_SWITCHES if (environment(name) or "").lower() == "true"), None)


def in_environment(url: SqsUrl, environment: Environment, clock: Clock) -> Place | None:
    """The place, where nothing but the broker's URL and the environment is needed to know it.

    That is so in a function, in a container and beside an emulator. A profile or one of AWS's files could say
    otherwise: reading those is left to botocore.
    """
    if any(environment(name) for name in _PROFILES) or _has_file(environment):
        return None
    region = url.region or environment("AWS_DEFAULT_REGION") or environment("AWS_REGION")
    credentials = _credentials(environment, clock)
    if not region or credentials is None:
        return None
    given = url.endpoint or environment("AWS_ENDPOINT_URL_SQS") or environment("AWS_ENDPOINT_URL")
    endpoint = endpoint_in(region) if given is None else plain(given)
    ca_bundle = next((path for name in CA_BUNDLES if (path := environment(name))), None)
    return None if endpoint is None else Place(endpoint, region, credentials, ca_bundle)


def endpoint_in(region: str) -> str | None:
    """SQS's address in a region; None where that isn't known here."""
    for pattern, suffix in _SUFFIXES.items():
        if re.fullmatch(pattern, region):
            return f"https://sqs.{region}.{suffix}"
    return None


def plain(endpoint: str) -> str | None:
    """An address that has a scheme, a host and perhaps a port; None where there is more to it."""
    parts = urlsplit(endpoint)
    is_plain = (
        parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
        and parts.path in ("", "/") and not parts.query and not parts.fragment
    )  # fmt: skip
    return f"{parts.scheme}://{parts.netloc}" if is_plain else None


def _credentials(environment: Environment, clock: Clock) -> Source | None:
    if environment(KEY) and environment(SECRET):
        return EnvironmentCredentials(environment)
    if environment(RELATIVE_URI) or environment(FULL_URI):
        return ContainerCredentials(environment, clock)
    return None


def _has_file(environment: Environment) -> bool:
    return any(Path(environment(name) or path).expanduser().is_file() for name, path in _FILES.items())
