"""Signature Version 4 for SQS's JSON protocol. Pure.

Source: AWS IAM User Guide, "Create a signed AWS API request", read 2026-11; the headers are those that boto3
sends and signs.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

__all__ = ["Credentials", "Signer"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_CONTENT_TYPE = "application/x-amz-json-1.0"
_TARGET = "AmazonSQS."


@dataclass(frozen=True, slots=True)
class Credentials:
    """Whose name requests are signed in.

    Args:
        access_key: The key's id.
        secret_key: The key.
        token: Of a session; None for a long-lived key.
    """

    access_key: str
    secret_key: str
    token: str | None = None

    def __repr__(self) -> str:
        return f"<Credentials {self.access_key}>"  # never the secret, in no traceback


class Signer:
    """Makes the headers of requests.

    Args:
        host: As in the `Host` header, with its port unless that is the scheme's own.
        region: AWS's name for the region.
    """

    def __init__(self, host: str, region: str) -> None:
        self._host = host
        self._region = region
        self._key: tuple[Credentials, str, bytes] | None = None

    def headers(self, operation: str, payload: bytes, credentials: Credentials, now: float) -> dict[str, str]:
        """The headers of one request.

        Args:
            operation: As in the API Reference.
            payload: The request's body.
            credentials: Whose name it is signed in.
            now: AWS's time, in seconds since the epoch.
        """
        at = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
        day, token, target = at[:8], credentials.token, _TARGET + operation
        # Each header twice, here and below: what is signed is in order of the names, in small letters.
        if token is None:
            signed, token_line = "content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode", ""
        else:
            signed = "content-type;host;x-amz-date;x-amz-security-token;x-amz-target;x-amzn-query-mode"
            token_line = f"x-amz-security-token:{token}\n"
        canonical = (
            f"POST\n/\n\ncontent-type:{_CONTENT_TYPE}\nhost:{self._host}\nx-amz-date:{at}\n{token_line}"
            f"x-amz-target:{target}\nx-amzn-query-mode:true\n\n{signed}\n{sha256(payload).hexdigest()}"
        )
        scope = f"{day}/{self._region}/sqs/aws4_request"
        text = f"{_ALGORITHM}\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(credentials, day), text.encode(), "sha256").hex()
        headers = {
            "Host": self._host,
            "Content-Type": _CONTENT_TYPE,
            "X-Amz-Target": target,
            "x-amzn-query-mode": "true",
            "X-Amz-Date": at,
            "Authorization": (
                f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, "
                f"Signature={signature}"
            ),
        }
        if token is not None:
            headers["X-Amz-Security-Token"] = token
        return headers

    def _signing_key(self, credentials: Credentials, day: str) -> bytes:
        kept = self._key
        if kept is not None and kept[1] == day and kept[0] == credentials:
            return kept[2]
        key = f"AWS4{credentials.secret_key}".encode()
        for part in (day, self._region, "sqs", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = (credentials, day, key)
        return key
