"""Requests through boto3, which is imported with the first of them: it takes a third of a second."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# botocore ships no types.

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from cloudq.brokers.sqs.boto_errors import translated
from cloudq.brokers.sqs.lean.places import CA_BUNDLES, Place, plain
from cloudq.brokers.sqs.lean.signing import Credentials
from cloudq.brokers.sqs.names import Names, named_in
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.config import environment
from cloudq.errors import ConfigurationError
from cloudq.processes import PerProcess

__all__ = ["BotoTransport"]

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
"""Seconds; a long poll is silent for 20 of them."""
ATTEMPTS = 3
CONNECTIONS = 64
"""Kept in the pool: a long poll for each queue, and senders beside them."""


@dataclass(slots=True)
class _Holder:
    lock: threading.Lock = field(default_factory=threading.Lock)
    client: Any = None


class BotoTransport:
    """One boto3 client a process: clients are thread-safe, the sessions that make them aren't.

    Args:
        url: Where the queues are.
    """

    def __init__(self, url: SqsUrl) -> None:
        self._url = url
        self._names = Names(url.prefix)
        self._holders = PerProcess(_Holder)

    @property
    def endpoint(self) -> str:
        with translated("ReceiveMessage", "", self._names, self._place):
            return self._client().meta.endpoint_url

    @property
    def region(self) -> str:
        with translated("ReceiveMessage", "", self._names, self._place):
            return self._client().meta.region_name

    def place(self) -> Place | None:
        """Where botocore finds SQS and who asks, by all of AWS's files; None where only it can get there."""
        with translated("ReceiveMessage", "", self._names, self._place):
            meta = self._client().meta
            from botocore.session import Session

            endpoint = plain(meta.endpoint_url)
            if endpoint is None:
                return None
            configured: Any = Session().get_config_variable("ca_bundle")
            ca_bundle = cast("str | None", configured) or environment(CA_BUNDLES[-1])
            return Place(endpoint, meta.region_name, _BotoCredentials(self._names, self._place), ca_bundle)

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        with translated(operation, named_in(params), self._names, self._place):
            client = self._client()
            from botocore import xform_name

            return getattr(client, xform_name(operation))(**params)

    def close(self) -> None:
        holder = self._holders.get()
        with holder.lock:
            client, holder.client = holder.client, None
        if client is not None:
            client.close()

    def _client(self) -> Any:
        holder = self._holders.get()
        client = holder.client
        if client is None:
            with holder.lock:
                client = holder.client = holder.client or _make_client(self._url)
        return client

    def _place(self) -> str:
        meta = self._client().meta
        if ".amazonaws.com" in meta.endpoint_url:
            return meta.region_name
        return f"{meta.region_name} at {meta.endpoint_url}"


class _BotoCredentials:
    """What boto3's own chain finds: profiles, SSO, web identities, an instance's role. It renews them."""

    def __init__(self, names: Names, place: Callable[[], str]) -> None:
        self._names = names
        self._place = place
        self._lock = threading.Lock()
        self._found: Any = None

    def get(self) -> Credentials:
        with translated("ReceiveMessage", "", self._names, self._place):
            found = self._found
            if found is None:
                with self._lock:  # sessions, which walk the chain, aren't thread-safe
                    found = self._found = self._found or _find_credentials()
            frozen = found.get_frozen_credentials()
            return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def refresh(self) -> None:
        self._found = None


def _find_credentials() -> Any:
    from botocore.exceptions import NoCredentialsError
    from botocore.session import Session

    found = Session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def _make_client(url: SqsUrl) -> Any:
    try:
        from boto3.session import Session
        from botocore.config import Config
    except ImportError as error:
        raise ConfigurationError(
            "The sqs broker needs boto3 here (pip install 'cloudq[sqs]'): without it AWS_ACCESS_KEY_ID, "
            "AWS_SECRET_ACCESS_KEY and a region must be in the environment, and no AWS configuration file."
        ) from error
    config = Config(
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
    )
    region = url.region or environment("AWS_DEFAULT_REGION") or environment("AWS_REGION")
    return Session().client("sqs", region_name=region, endpoint_url=url.endpoint, config=config)
