"""Requests to SQS, SNS or STS through boto3, imported with the first of them: a third of a second."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# botocore ships no types.

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cloudq.brokers.sqs.boto_errors import translated
from cloudq.brokers.sqs.names import Names, named_in
from cloudq.brokers.sqs.urls import SqsUrl
from cloudq.config import environment
from cloudq.errors import ConfigurationError
from cloudq.processes import PerProcess, unforked

__all__ = ["BotoTransport"]

CONNECT_TIMEOUT = 5.0
READ_TIMEOUT = 30.0
"""Seconds; a long poll is silent for 20 of them."""
ATTEMPTS = 3
CONNECTIONS = 64
"""Kept in the pool: a long poll for each queue, and senders beside them."""


@dataclass(slots=True)
class _Holder:
    client: Any = None


class BotoTransport:
    """One boto3 client a process: clients are thread-safe, the sessions that make them aren't.

    Args:
        url: Where the queues are.
        service: AWS's name for what it talks to.
    """

    def __init__(self, url: SqsUrl, service: str = "sqs") -> None:
        self._url = url
        self._service = service
        self._names = Names(url.prefix)
        self._holders = PerProcess(_Holder)

    @property
    def endpoint(self) -> str:
        with self.translated("ReceiveMessage"):
            return self._client().meta.endpoint_url

    @property
    def region(self) -> str:
        with self.translated("ReceiveMessage"):
            return self._client().meta.region_name

    @contextmanager
    def translated(self, operation: str, full_name: str = "") -> Generator[None]:
        """Raise what botocore raises within as an error of cloudq."""
        with translated(operation, full_name, self._names, self._place, self._service):
            yield

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        with self.translated(operation, named_in(params)):
            client = self._client()
            from botocore import xform_name

            return getattr(client, xform_name(operation))(**params)

    def close(self) -> None:
        holder = self._holders.get()
        with unforked:
            client, holder.client = holder.client, None
        if client is not None:
            client.close()

    def _client(self) -> Any:
        holder = self._holders.get()
        client = holder.client
        if client is None:
            with unforked:
                client = holder.client = holder.client or _make_client(self._url, self._service)
        return client

    def _place(self) -> str:
        meta = self._client().meta
        if ".amazonaws.com" in meta.endpoint_url:
            return meta.region_name
        return f"{meta.region_name} at {meta.endpoint_url}"


def _make_client(url: SqsUrl, service: str) -> Any:
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
    return Session().client(service, region_name=region, endpoint_url=url.endpoint, config=config)
