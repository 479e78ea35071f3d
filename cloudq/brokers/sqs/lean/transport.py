"""The lean transport: one call, signed, over a kept connection, repeated as botocore would."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlsplit

from cloudq.brokers.sqs.lean.answers import Refused, UnreadableError, read
from cloudq.brokers.sqs.lean.connections import BrokenError, Connections, UnreachableError
from cloudq.brokers.sqs.lean.places import Place
from cloudq.brokers.sqs.lean.retries import ATTEMPTS, Failure, Quota, delay_before, is_retryable
from cloudq.brokers.sqs.lean.signing import Signer
from cloudq.brokers.sqs.names import Names, named_in
from cloudq.brokers.sqs.refusals import Refusal, error_of
from cloudq.brokers.sqs.transport import AnswerLostError
from cloudq.clock import Clock
from cloudq.errors import BrokerUnavailableError
from cloudq.processes import unforked

__all__ = ["LeanTransport"]

_LONG_POLL = "ReceiveMessage"
_OFF_CLOCK = {"RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch", "InvalidSignatureException"}
_STALE = _OFF_CLOCK | {
    "ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException",
    "InvalidAccessKeyId",
}  # fmt: skip
"""After these, credentials are asked for anew and the call is made once more."""
SKEW = 60.0
"""Seconds by which this machine's clock may be off before requests are stamped with SQS's."""

_ANSWER = tuple[int, Mapping[str, str], bytes]

logger = logging.getLogger(__name__)


class LeanTransport:
    """Carries requests to SQS over its JSON protocol. A `Transport`.

    Args:
        place: Where SQS is, and who asks.
        names: How the queues are called on AWS.
        clock: The machine's: AWS compares it with its own.
    """

    def __init__(self, place: Place, names: Names, clock: Clock) -> None:
        self.endpoint, self.region = place.endpoint, place.region
        self._credentials = place.credentials
        self._names = names
        self._clock = clock
        self._connections = Connections(place.endpoint, place.ca_bundle)
        self._signer = Signer(_host(place.endpoint), place.region)
        self._quota = Quota()
        self._offset = 0.0
        """What SQS's clock is ahead of this machine's, in seconds."""

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        payload = json.dumps(params).encode()
        attempt, price, is_renewed = 1, 0, False
        while True:
            given = self._attempt(operation, payload)
            if isinstance(given, dict):
                self._quota.give_back(price)
                return given
            failure = given.failure if isinstance(given, Refused) else Failure()
            if isinstance(given, Refused) and failure.code in _STALE and not is_renewed:
                is_renewed = True
                self._renew(given)
                continue
            pause = delay_before(failure, attempt)
            if attempt == ATTEMPTS or isinstance(given, UnreadableError) or not is_retryable(failure):
                self._raise(operation, params, given)
            if not (price := self._quota.take(failure)):
                if operation == _LONG_POLL:
                    self._clock.sleep(pause)  # whoever polls will ask again at once
                self._raise(operation, params, given)
            attempt += 1
            self._clock.sleep(pause)

    def close(self) -> None:
        self._connections.close()

    def forget(self) -> None:
        """Keep nothing of before: this process was asleep, for how long nobody knows."""
        self._connections.close()
        self._credentials.refresh()

    def _attempt(
        self, operation: str, payload: bytes
    ) -> dict[str, Any] | Refused | BrokenError | UnreachableError | UnreadableError:
        credentials = self._credentials.get()
        with unforked:  # OpenSSL has locks, too, and what another thread holds a child would wait for
            headers = self._signer.headers(operation, payload, credentials, self._clock.now() + self._offset)
        try:
            return read(*self._connections.post(headers, payload))
        except (BrokenError, UnreachableError, UnreadableError) as error:
            return error

    def _renew(self, refused: Refused) -> None:
        self._credentials.refresh()
        if refused.failure.code in _OFF_CLOCK and refused.server_time is not None:
            offset = refused.server_time - self._clock.now()
            self._offset = offset if abs(offset) > SKEW else 0.0
        logger.info(
            "AWS took the credentials for stale (%s): asking for them anew; clock off by %.0f s",
            refused.failure.code,
            self._offset,
            extra={"action": "credentials_renewed"},
        )

    def _raise(
        self,
        operation: str,
        params: Mapping[str, Any],
        given: Refused | BrokenError | UnreachableError | UnreadableError,
    ) -> NoReturn:
        full_name, place = named_in(params), self._place()
        queue = self._names.short(full_name) or None
        match given:
            case Refused(failure, text):
                raise error_of(
                    Refusal(operation, full_name, failure.code, text, failure.status or 0, place), self._names
                )
            case UnreachableError():
                raise BrokerUnavailableError(
                    f"SQS can't be reached in {place}: {given}. Check the address and the network.",
                    queue=queue,
                ) from given
            case _:
                raise AnswerLostError(
                    f"{operation}: SQS in {place} gave no answer: {given}", queue=queue
                ) from given

    def _place(self) -> str:
        return self.region if ".amazonaws.com" in self.endpoint else f"{self.region} at {self.endpoint}"


def _host(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[parts.scheme]
    return host if parts.port in (None, usual) else f"{host}:{parts.port}"
