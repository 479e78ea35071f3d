"""Waiting for what other processes and threads do: looking again and again, up to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0


def wait_until(
    condition: Callable[[], Any], what: str = "what was waited for", patience: float = PATIENCE
) -> Any:
    """Look until a condition holds; what it came to.

    Args:
        condition: What has to be true.
        what: What an error calls it.
        patience: Seconds after which it fails.
    """
    until = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < until, f"{what}: not after {patience:g} s"
        time.sleep(0.01)
    return value
