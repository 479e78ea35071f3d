"""What a program needs in its environment to find the emulator."""

from __future__ import annotations

import os
from typing import Final

_KEY: Final = "cloudq"
"""Access key and secret: any will do."""
REGION: Final = "us-east-1"
"""The region of those who haven't set one."""
_ELSEWHERE: Final = frozenset({"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"})
"""Variables that lead an SDK past the emulator, or to a profile that may not even exist."""


def settings(endpoint: str) -> dict[str, str]:
    """The variables that point SDKs and cloudq at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": _KEY,
        "AWS_SECRET_ACCESS_KEY": _KEY,
        "AWS_DEFAULT_REGION": _region(),
        "AWS_REGION": _region(),
        "CLOUDQ_CREATE_QUEUES": "true",
    }


def for_command(endpoint: str) -> dict[str, str]:
    """This process's environment, pointed at `endpoint`."""
    inherited = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a command inherits its environment
        if name not in _ELSEWHERE and not name.startswith("AWS_ENDPOINT_URL_")
    }
    return {**inherited, **settings(endpoint)}


def leave_profile() -> None:
    """Take this process out of its user's AWS profile; moto makes boto3 sessions, which would look for it."""
    for name in _ELSEWHERE:
        os.environ.pop(name, None)  # noqa: TID251 - no setting of ours


def _region() -> str:
    environ = os.environ  # noqa: TID251 - a region that is set stays
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or REGION
