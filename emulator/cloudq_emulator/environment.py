"""What a program needs in its environment to find the emulator."""

from __future__ import annotations

import os
from typing import Final

KEY: Final = "cloudq"
"""Access key and secret: any will do."""
_CLOCK: Final = "CLOUDQ_CLOCK"
"""What cloudq's apps look into for the clock to follow."""
REGION: Final = "us-east-1"
"""The region of those who haven't set one."""
_ELSEWHERE: Final = frozenset(
    {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
)
"""Variables that lead an SDK past the emulator, or to a profile that may not even exist."""


def settings(endpoint: str) -> dict[str, str]:
    """The variables that point SDKs and cloudq at `endpoint`."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": KEY,
        "AWS_DEFAULT_REGION": region(),
        "AWS_REGION": region(),
        "CLOUDQ_CREATE_QUEUES": "true",
    }


def changes(endpoint: str, clock: str) -> dict[str, str | None]:
    """What to change in this process's environment; None takes a variable away.

    Args:
        endpoint: What to point it at.
        clock: The path of the clock to follow.
    """
    elsewhere = dict.fromkeys(filter(_leads_elsewhere, os.environ))  # noqa: TID251 - what there is to change
    return {**elsewhere, **settings(endpoint), _CLOCK: clock}


def for_command(endpoint: str, clock: str) -> dict[str, str]:
    """This process's environment, changed by `changes`."""
    wanted = {**os.environ, **changes(endpoint, clock)}  # noqa: TID251 - a command inherits its environment
    return {name: value for name, value in wanted.items() if value is not None}


def inherited() -> dict[str, str]:
    """This process's environment for an emulator: without what makes warnings of its libraries errors."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"}  # noqa: TID251


def leave_profile() -> None:
    """Take this process out of its user's AWS profile; moto makes boto3 sessions, which would look for it."""
    for name in _ELSEWHERE:
        os.environ.pop(name, None)  # noqa: TID251 - no setting of ours


def region() -> str:
    """The region that is set here, or else the usual."""
    environ = os.environ  # noqa: TID251 - a region that is set stays
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or REGION


def _leads_elsewhere(name: str) -> bool:
    return name in _ELSEWHERE or name.startswith("AWS_ENDPOINT_URL_")
