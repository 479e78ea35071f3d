"""Who calls which service: read from a request's credentials, which are never checked."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from cloudq_emulator.http import Request

DEFAULT_REGION: Final = "us-east-1"
_CREDENTIAL: Final = re.compile(r"Credential=([^/,\s]*)/\d*/([^/,\s]+)/([^/,\s]+)/aws4_request")
_FORM: Final = "application/x-www-form-urlencoded"
_ACTION: Final = re.compile(r"(?:^|&)Action=(\w+)")
_ACCOUNT: Final = re.compile(r"\d{12}")
_REGION_IN_HOST: Final = re.compile(r"(?:(?:sqs|queue)\.)?([a-z]{2}(?:-[a-z]+)+-\d)\.")
"""As in ``sqs.eu-west-1.…``, and in the older ``eu-west-1.queue.…``."""


class Caller(NamedTuple):
    """An account, a region and the service that the signature is for (empty when unsigned)."""

    account: str
    region: str
    service: str


def form_of(request: Request) -> str:
    """A request's form parameters, still encoded: of the body where it has any, else of the URL."""
    if request.header(b"content-type").startswith(_FORM):
        return request.body.decode("utf-8", "replace")
    return request.query


def operation_of(request: Request) -> str:
    """What a request asks for, as far as its protocol says: a target, an action, or method and path."""
    target = request.header(b"x-amz-target").rpartition(".")[2]
    action = None if target else _ACTION.search(form_of(request))
    return target or (action[1] if action else f"{request.method} {request.path}")


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
            if len(self._known) > 1000:
                self._known.clear()
            caller = self._known[scope] = self._signed(authorization.decode("latin-1"))
        return caller

    def _signed(self, text: str) -> Caller:
        match = _CREDENTIAL.search(text)
        if match is None:
            return Caller(self._account, DEFAULT_REGION, "")
        key, region, service = match.groups()
        return Caller(_account_of(key) or self._account, region, service)

    def _unsigned(self, request: Request) -> Caller:
        credential = (
            parse_qs(request.query).get("X-Amz-Credential") if "X-Amz-Credential" in request.query else None
        )
        if credential:
            return self._signed(f"Credential={credential[0]}")
        region = _REGION_IN_HOST.match(request.header(b"host"))
        return Caller(self._account, region[1] if region else DEFAULT_REGION, "")


def _account_of(key: str) -> str | None:
    """The account of an access key: the key itself, or whose it is that IAM or STS, both moto's, made."""
    if _ACCOUNT.fullmatch(key):
        return key
    iam = sys.modules.get("moto.iam.models")
    if iam is None:
        return None
    accounts = iam.iam_backends
    return next(
        (
            account
            for account in list(accounts)
            for backend in list(accounts[account].values())
            if key in backend.access_keys
        ),
        None,
    )
