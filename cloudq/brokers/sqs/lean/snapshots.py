"""Lambda SnapStart: a process that goes on long after it was stored, in many copies."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from cloudq.config import environment

__all__ = ["after_restore"]

_KIND, _SNAP_START = "AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"


def after_restore(call: Callable[[], None]) -> None:
    """Call something whenever this process is restored from a snapshot; elsewhere that never happens.

    Source: Lambda Developer Guide, "Runtime hooks for Lambda SnapStart", read 2026-11.
    """
    if environment(_KIND) == _SNAP_START:
        # Lambda's own, there in its Python runtimes alone.
        hooks: Any = importlib.import_module("snapshot_restore_py")
        hooks.register_after_restore(call)
