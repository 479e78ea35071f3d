"""Who calls which service: read from a request's credentials, which are never checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from cloudq_emulator.http import Request

DEFAULT_REGION: Final = "us-east-1"
_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s]*)/\d*/([^/,\s]+)/([^/,\s]+)/aws4_request")
_ACCOUNT: Final = re.compile(r"\d{12}")
_REGION_IN_HOST: Final = re.compile(r"(?:sqs|queue)\.([a-z]{2}(?:-[a-z]+)+-\d)\.")


class Caller(NamedTuple):
    """An account, a region and the service that the signature is for (empty when unsigned)."""

    account: str
    region: str
    service: str


class Callers:
    """Reads callers from requests; the same few come again and again, so they are remembered.

    Args:
        account: The account of those whose access key isn't an account's twelve digits.
    """

    def __init__(self, account: str) -> None:
        self._account = account
        self._known: dict[bytes, Caller] = {}

    def of(self, request: Request) -> Caller:
        """Who sent a request: by its Authorization header, else its signed query string, else its host."""
        authorization = request.headers.get(b"authorization")
        if authorization is None:
            return self._unsigned(request)
        scope = authorization.partition(b",")[0]
        caller = self._known.get(scope)
        if caller is None:
            if len(self._known) > 1000:  # noqa: PLR2004 - no more than keeps a scan of keys from growing it
                self._known.clear()
            caller = self._known[scope] = self._signed(authorization.decode("latin-1"))
        return caller

    def _signed(self, text: str) -> Caller:
        match = _CREDENTIAL.search(text)
        if match is None:
            return Caller(self._account, DEFAULT_REGION, "")
        key, region, service = match.groups()
        return Caller(key if _ACCOUNT.fullmatch(key) else self._account, region, service)

    def _unsigned(self, request: Request) -> Caller:
        credential = (
            parse_qs(request.query).get("X-Amz-Credential") if "X-Amz-Credential" in request.query else None
        )
        if credential:
            return self._signed(f"Credential={credential[0]}")
        region = _REGION_IN_HOST.match(request.header(b"host"))
        return Caller(self._account, region[1] if region else DEFAULT_REGION, "")
