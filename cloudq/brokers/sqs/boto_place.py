"""Where botocore finds SQS and who asks, by all of AWS's files, profiles and roles."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# botocore ships no types.

from __future__ import annotations

import threading
from typing import Any, cast

from cloudq.brokers.sqs.boto import BotoTransport
from cloudq.brokers.sqs.lean.places import CA_BUNDLES, Place, plain
from cloudq.brokers.sqs.lean.signing import Credentials
from cloudq.config import environment

__all__ = ["place_by_botocore"]


def place_by_botocore(boto: BotoTransport) -> Place | None:
    """The place; None where only boto3 itself gets there.

    Raises:
        ConfigurationError: No region, or AWS's files don't fit.
    """
    endpoint, region = plain(boto.endpoint), boto.region
    if endpoint is None:
        return None
    with boto.translated("ReceiveMessage"):
        from botocore.session import Session

        configured: Any = Session().get_config_variable("ca_bundle")
    ca_bundle = cast("str | None", configured) or environment(CA_BUNDLES[-1])
    return Place(endpoint, region, _BotoCredentials(boto), ca_bundle)


class _BotoCredentials:
    """What boto3's own chain finds: profiles, SSO, web identities, an instance's role. It renews them."""

    def __init__(self, boto: BotoTransport) -> None:
        self._boto = boto
        self._lock = threading.Lock()
        self._found: Any = None

    def get(self) -> Credentials:
        with self._boto.translated("ReceiveMessage"):
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
