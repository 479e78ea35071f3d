"""Claim checks: bodies that are larger than the broker takes lie elsewhere, and the message says where.

What travels is the message without its arguments, and `ref`, the place. What lies there is the whole message.
It is left to expire: who receives a message twice must find it twice, and a dead letter wants it, too.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# botocore ships no types.

from __future__ import annotations

from typing import Any, Protocol
from urllib.parse import urlsplit

from cloudq.backends.base import Backend
from cloudq.codec import decode, encode
from cloudq.errors import BackendUnavailableError, ConfigurationError
from cloudq.message import Message
from cloudq.processes import PerProcess, unforked

__all__ = ["KEPT", "ROOM", "BackendClaims", "Claims", "S3Claims", "Store", "store_of"]

ROOM = 16 * 1024
"""Bytes that a body leaves free below the broker's limit: for a dead letter's reason."""
KEPT = 15 * 86_400.0
"""Seconds for which a result backend keeps a body: a day longer than SQS keeps any message."""

_S3 = "s3://"
_IN_BACKEND = "backend"  # and how the keys there begin


class Store(Protocol):
    """Where bodies lie."""

    def put(self, id: str, body: bytes) -> str:
        """Keep a body; its place.

        Raises:
            BackendUnavailableError: It couldn't be kept.
        """
        ...

    def get(self, place: str) -> bytes | None:
        """A body by its place; None where there is none (any more), or the place is none of this store's.

        Raises:
            BackendUnavailableError: It couldn't be read.
        """
        ...


class Claims:
    """Puts away what is too large, and fetches it.

    Args:
        store: Where bodies lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def checked(self, id: str, body: bytes, limit: int | None) -> bytes:
        """What is to travel: the body, or, where it is too large, the message that says where it lies.

        Raises:
            BackendUnavailableError: It couldn't be put away.
        """
        if limit is None or len(body) <= limit - ROOM:
            return body
        return encode(decode(body)._replace(ref=self._store.put(id, body)))

    def fetched(self, message: Message) -> Message | None:
        """The message with what lies at its `ref`; None where that has gone.

        It keeps its `ref`, so that it is written without what lies there when it is given back.
        """
        if message.ref is None:
            return message
        body = self._store.get(message.ref)
        if body is None:
            return None
        whole = decode(body)
        return message._replace(
            args=whole.args, kwargs=whole.kwargs, next=whole.next, on_error=whole.on_error
        )


class BackendClaims:
    """Bodies in the result backend.

    Args:
        backend: It.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def put(self, id: str, body: bytes) -> str:
        place = f"{_IN_BACKEND}:{id}"
        self._backend.put(place, body, ttl=KEPT)
        return place

    def get(self, place: str) -> bytes | None:
        return self._backend.get(place) if place.startswith(f"{_IN_BACKEND}:") else None


class S3Claims:
    """Bodies in S3, through boto3; a rule of the bucket's life cycle lets them expire.

    Args:
        url: `s3://bucket[/prefix]`.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._bucket = parts.netloc
        folder = parts.path.strip("/")
        self._prefix = f"{folder}/" if folder else ""
        self._root = f"{_S3}{self._bucket}/"
        self._clients = PerProcess(dict[str, Any])

    def put(self, id: str, body: bytes) -> str:
        key = self._prefix + id
        self._call("put_object", key, Body=body, ContentType="application/json")
        return self._root + key

    def get(self, place: str) -> bytes | None:
        # Whoever may write messages must not make a worker read whatever its role may.
        if not place.startswith(f"{self._root}{self._prefix}"):
            return None
        answer = self._call("get_object", place.removeprefix(self._root))
        return None if answer is None else answer["Body"].read()

    def _call(self, operation: str, key: str, **params: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self._client(), operation)(Bucket=self._bucket, Key=key, **params)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code == "NoSuchKey":
                return None
            raise BackendUnavailableError(
                f"S3 refused {operation} of {self._root}{key}: {error}. Check that the bucket is there and "
                "that the role may s3:GetObject and s3:PutObject in it."
            ) from error
        except BotoCoreError as error:
            raise BackendUnavailableError(f"S3 can't be asked for {self._root}{key}: {error}") from error

    def _client(self) -> Any:
        with unforked:  # sessions aren't thread-safe
            clients = self._clients.get()
            if "s3" not in clients:
                try:
                    from boto3.session import Session
                except ImportError as error:
                    raise ConfigurationError(
                        "Claim checks in S3 need boto3: pip install 'cloudq[sqs]'."
                    ) from error
                clients["s3"] = Session().client("s3")
            return clients["s3"]


def store_of(url: str, backend: Backend | None) -> Store:
    """The store that the setting `claim_checks` names.

    Raises:
        ConfigurationError: It names none, or a result backend where there is none.
    """
    if url.startswith(_S3) and urlsplit(url).netloc:
        return S3Claims(url)
    if url != _IN_BACKEND:
        raise ConfigurationError(
            f"Setting claim_checks is {url!r}: s3://bucket, s3://bucket/prefix or "
            f"{_IN_BACKEND!r} is expected."
        )
    if backend is None:
        raise ConfigurationError("Setting claim_checks is 'backend', and no result backend is configured.")
    return BackendClaims(backend)
