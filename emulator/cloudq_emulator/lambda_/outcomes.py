"""What came of invocations, told in the log: who develops a function looks at the terminal first.

| level | what |
|---|---|
| INFO | each invocation: function, how it ended, how long it took |
| WARNING | one that failed: the error's type and text, and where the function's whole log is |
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cloudq.clock import Clock
    from cloudq_emulator.lambda_.configuration import Configuration
    from cloudq_emulator.lambda_.runtime import Reply

logger = logging.getLogger(__name__)

QUIET_SECONDS: Final = 5.0
"""After a warning a function's further failures are counted only: a message that is retried fails often."""

_TEXT_LIMIT: Final = 500
"""Characters of an error's text that are shown."""


class Outcomes:
    """Tells of invocations.

    Args:
        endpoint: The emulator's URL.
        clock: The machine's clock.
    """

    def __init__(self, endpoint: str, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._quiet_until: dict[str, float] = {}
        self._untold_counts: dict[str, int] = {}

    def tell(self, configuration: Configuration, reply: Reply, seconds: float) -> None:
        """Tell of one invocation that took `seconds`, its function's start included."""
        error_type, text = _error(reply) if reply.failed else ("", "")
        logger.info(
            "lambda %s %s %.0f ms",
            configuration.name,
            f"failed ({error_type})" if reply.failed else "ok",
            seconds * 1000,
            extra={"action": "invoked", "function": configuration.name, "seconds": seconds},
        )
        if reply.failed:
            self._warn(configuration, error_type, text)

    def forget(self) -> None:
        """Warn of every function's next failure: all begins anew."""
        self._quiet_until.clear()
        self._untold_counts.clear()

    def _warn(self, configuration: Configuration, error_type: str, text: str) -> None:
        arn, now = configuration.arn, self._clock.monotonic()
        if now < self._quiet_until.get(arn, now):
            self._untold_counts[arn] = self._untold_counts.get(arn, 0) + 1
            return
        self._quiet_until[arn] = now + QUIET_SECONDS
        untold = self._untold_counts.pop(arn, 0)
        logger.warning(
            "Function %s failed%s: %s: %s. Its log: %s/_cloudq/ or %s",
            configuration.name,
            f", and {untold} times since the last warning" if untold else "",
            error_type,
            text.rstrip("."),
            self._endpoint,
            self._log_command(configuration),
            extra={"action": "function_failed", "function": configuration.name},
        )

    def _log_command(self, configuration: Configuration) -> str:
        return (
            f"aws --endpoint-url {self._endpoint} --region {configuration.region} "
            f"logs filter-log-events --log-group-name {configuration.log_group}"
        )


def _error(reply: Reply) -> tuple[str, str]:
    """An error's type and text, the text in one line: a function may answer what it likes."""
    try:
        told = json.loads(reply.payload)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        return "Error", "its error is no JSON object"
    text = " ".join(str(told.get("errorMessage", "")).split())
    return str(told.get("errorType", "Error")), text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}…"
