"""Lambda functions and their last log lines, read from moto, if it has loaded them."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Function:
    """One function."""

    name: str
    runtime: str
    lines: Sequence[str]


def functions() -> Iterator[Function]:
    """All functions, of all accounts and regions."""
    models = sys.modules.get("moto.awslambda.models")
    if models is None:  # nobody has asked for Lambda yet
        return
    for account, regions in list(models.lambda_backends.items()):
        for region, backend in list(regions.items()):
            for function in backend.list_functions():
                yield Function(
                    function.function_name,
                    function.run_time or "",
                    _lines(account, region, f"/aws/lambda/{function.function_name}"),
                )


def _lines(account: str, region: str, group: str) -> list[str]:
    from moto.logs.models import logs_backends

    found: Any = logs_backends[account][region].groups.get(group)
    streams = list(found.streams.values()) if found is not None else []
    events = [event for stream in streams for event in stream.events[-_LINES:]]
    latest = sorted(events, key=lambda event: event.timestamp)[-_LINES:]
    return [event.message for event in itertools.islice(latest, _LINES)]
