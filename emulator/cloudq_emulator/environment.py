"""What a program needs in its environment to find the emulator."""

from __future__ import annotations

import os
from typing import Final

_KEY: Final = "cloudq"
"""Access key and secret: any will do."""
REGION: Final = "us-east-1"
"""The region of those who haven't set one."""


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
    """This process's environment, pointed at `endpoint`; a profile or a session token would lead past it."""
    inherited = {
        name: value
        for name, value in os.environ.items()  # noqa: TID251 - a command inherits its environment
        if name not in {"AWS_PROFILE", "AWS_SESSION_TOKEN"} and not name.startswith("AWS_ENDPOINT_URL_")
    }
    return {**inherited, **settings(endpoint)}


def _region() -> str:
    environ = os.environ  # noqa: TID251 - a region that is set stays
    return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or REGION
