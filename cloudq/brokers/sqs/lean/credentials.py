"""Whose name requests are signed in: keys in the environment, or from the container's endpoint."""

from __future__ import annotations

import http.client
import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from cloudq.brokers.sqs.lean.signing import Credentials
from cloudq.clock import Clock
from cloudq.errors import BrokerUnavailableError, ConfigurationError

__all__ = ["ContainerCredentials", "EnvironmentCredentials", "Source"]

KEY, SECRET, TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
RELATIVE_URI, FULL_URI = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"
AUTHORIZATION = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
AUTHORIZATION_FILE = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
"""Source: AWS SDKs and Tools Reference Guide, container credential provider, read 2026-11."""

_HOST = "169.254.170.2"
_ALLOWED_HOSTS = {_HOST, "169.254.170.23", "fd00:ec2::23", "localhost"}
"""To which the endpoint's token is sent without TLS. Source: the same."""

EARLY = 600.0
"""Seconds before they expire at which credentials are renewed; as botocore does."""
PATIENCE = 2.0
ATTEMPTS = 3
PAUSE = 1.0

logger = logging.getLogger(__name__)

Environment = Callable[[str], str | None]


class Source(Protocol):
    """Where credentials come from. Thread-safe."""

    def get(self) -> Credentials:
        """What to sign with now.

        Raises:
            ConfigurationError: There are none.
            BrokerUnavailableError: They can't be had now.
        """
        ...

    def refresh(self) -> None:
        """Let `get` ask anew: AWS didn't take the last ones."""
        ...


class EnvironmentCredentials:
    """Keys in the environment, as Lambda, CI and an emulator's commands have them.

    Args:
        environment: Reads a variable.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._kept: Credentials | None = None

    def get(self) -> Credentials:
        if self._kept is None:
            key, secret = self._environment(KEY), self._environment(SECRET)
            if not key or not secret:
                raise ConfigurationError(f"{KEY} and {SECRET} were in the environment, and one is gone.")
            self._kept = Credentials(key, secret, self._environment(TOKEN) or None)
        return self._kept

    def refresh(self) -> None:
        self._kept = None


class ContainerCredentials:
    """A role's keys from the container's endpoint (ECS, EKS Pod Identity, Lambda SnapStart), renewed in time.

    Args:
        environment: Reads a variable.
        clock: Says what has expired.
    """

    def __init__(self, environment: Environment, clock: Clock) -> None:
        self._environment = environment
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: Credentials | None = None
        self._expires_at = 0.0

    def get(self) -> Credentials:
        kept = self._kept
        if kept is not None and self._clock.now() < self._expires_at - EARLY:
            return kept
        with self._lock:
            if self._kept is None or self._clock.now() >= self._expires_at - EARLY:
                self._renew()
            assert self._kept is not None  # noqa: S101 - or it would have raised
            return self._kept

    def refresh(self) -> None:
        self._kept = None

    def _renew(self) -> None:
        try:
            answer = self._answer()
            self._kept = Credentials(answer["AccessKeyId"], answer["SecretAccessKey"], answer["Token"])
            self._expires_at = datetime.fromisoformat(answer["Expiration"]).timestamp()
        except ConfigurationError:  # a ValueError, too
            raise
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            if self._kept is None or self._clock.now() >= self._expires_at:
                raise BrokerUnavailableError(
                    f"The container's endpoint gives no AWS credentials now: {type(error).__name__}: {error}"
                ) from error
            logger.warning(
                "AWS credentials can't be renewed, those at hand last another %.0f s: %s",
                self._expires_at - self._clock.now(),
                error,
                extra={"action": "credentials_not_renewed"},
            )

    def _answer(self) -> Mapping[str, Any]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._request()
            except (OSError, http.client.HTTPException):
                if attempt == ATTEMPTS:
                    raise
                self._clock.sleep(PAUSE)
        raise AssertionError("the last attempt returns or raises")

    def _request(self) -> Mapping[str, Any]:
        relative = self._environment(RELATIVE_URI)
        url = urlsplit(f"http://{_HOST}{relative}" if relative else self._environment(FULL_URI) or "")
        host = url.hostname or ""
        if url.scheme != "https" and host not in _ALLOWED_HOSTS and not _is_loopback(host):
            raise ConfigurationError(
                f"{FULL_URI} names {host!r}: without https only loopback addresses and "
                f"{', '.join(sorted(_ALLOWED_HOSTS))} are asked for credentials."
            )
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        connection = kind(host, url.port, timeout=PATIENCE)
        try:
            path = (url.path or "/") + (f"?{url.query}" if url.query else "")
            connection.request("GET", path, headers={"Accept": "application/json", **self._authorization()})
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise OSError(f"{host} answered {response.status}: {body[:200].decode(errors='replace')}")
        return json.loads(body)

    def _authorization(self) -> dict[str, str]:
        file = self._environment(AUTHORIZATION_FILE)
        # Read anew each time: EKS renews the file's content.
        token = Path(file).read_text(encoding="utf-8") if file else self._environment(AUTHORIZATION)
        return {"Authorization": token} if token else {}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
