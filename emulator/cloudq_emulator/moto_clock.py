"""moto's clock: what SNS, EventBridge, Scheduler and Logs stamp follows the emulator's.

moto's services read the time through four functions, which each of their modules imports by name. Those of
the four services get ours in their place. The others keep real time: what STS and IAM give out is compared
by SDKs with the time that it really is.
"""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Final

from moto.core import utils

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloudq_emulator.clock import MovableClock

_MODULES: Final = tuple(f"moto.{service}.models" for service in ("sns", "events", "scheduler", "logs"))
"""Importing all of them takes 40 ms."""
_STAMPS: Final = (utils.unix_time, utils.unix_time_millis, utils.iso_8601_datetime_with_milliseconds)
"""Each takes a naive datetime in UTC, or makes one of now."""


def install(clock: MovableClock) -> None:
    """Have the four services read `clock`; the last one installed in a process counts."""

    def now() -> datetime:
        return datetime.fromtimestamp(clock.now(), UTC).replace(tzinfo=None)

    ours: dict[str, Callable[..., object]] = {"utcnow": now}
    ours.update((stamp.__name__, functools.partial(_stamped, stamp, now)) for stamp in _STAMPS)
    for name in _MODULES:
        module = import_module(name)
        for function in ours.keys() & vars(module).keys():
            setattr(module, function, ours[function])


def _stamped(
    stamp: Callable[[datetime], object], now: Callable[[], datetime], value: datetime | None = None
) -> object:
    return stamp(value or now())
