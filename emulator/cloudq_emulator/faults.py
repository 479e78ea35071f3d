"""Faults that can be ordered: what each is, whom it strikes, and how often it has.

Each has a generator of random numbers of its own, seeded, so that the same requests in the same order meet
the same faults again.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import math
import random
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs.actions import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True, slots=True)
class _Kind:
    """What one kind of fault may be told.

    Args:
        fields: The fields that it takes besides those that all do.
        operations: SQS's operations that it strikes; empty for those of any service.
        count: How often it strikes unless told; None: until it is taken away.
    """

    fields: frozenset[str] = frozenset()
    operations: tuple[str, ...] = ()
    count: int | None = None


_ANY: Final = frozenset({"service", "operation"})
_BATCHES: Final = tuple(name for name in ACTIONS if name.endswith("Batch"))
_RECEIVE: Final = ("ReceiveMessage",)
KINDS: Final = {
    "throttle": _Kind(_ANY | {"queue", "status"}),
    "error": _Kind(_ANY | {"queue", "status"}),
    "latency": _Kind(_ANY | {"queue", "seconds"}),
    "reset": _Kind(_ANY | {"queue"}),
    "lost_response": _Kind(_ANY | {"queue"}),
    "partial": _Kind(_ANY | {"queue"}, _BATCHES),
    "duplicate": _Kind(_ANY | {"queue"}, _RECEIVE),
    "reorder": _Kind(_ANY | {"queue"}, _RECEIVE),
    "expire_lease": _Kind(_ANY | {"queue"}, _RECEIVE, count=1),
    "kill_function": _Kind(frozenset({"service", "function", "seconds"}), count=1),
}
"""All kinds. The first five are a connection's or a service's, the next four SQS's, the last Lambda's."""

_ALL: Final = frozenset({"count", "probability", "seed"})
_SEEDS: Final = 2**32


class FaultError(ValueError):
    """A fault that can't be ordered so; the text says what would do."""


@dataclass(slots=True)
class Fault:
    """One fault.

    Args:
        id: By which it is taken away.
        kind: One of `KINDS`.
        service: Whom it strikes, as services sign: ``sqs``; empty for all. So too the next three, in which
            ``*`` stands for anything.
        operation: As ``GET /_cloudq/requests`` has it.
        queue: The queue's name.
        function: The function's name.
        count: How often it strikes; None for until it is taken away.
        probability: Of striking each that it could.
        seconds: How long; None for the kind's own.
        status: The answer's HTTP status; None for the service's own.
        seed: Where its random numbers begin.
        hits: How often it has struck.
    """

    id: str
    kind: str
    service: str = ""
    operation: str = ""
    queue: str = ""
    function: str = ""
    count: int | None = None
    probability: float = 1.0
    seconds: float | None = None
    status: int | None = None
    seed: int = 0
    hits: int = 0
    random: random.Random = field(default_factory=random.Random)

    @property
    def is_over(self) -> bool:
        """Whether it has struck as often as it may."""
        return self.count is not None and self.hits >= self.count

    def strikes(self) -> bool:
        """Draw whether it strikes one that it could, and count it if so."""
        if self.is_over or self.random.random() >= self.probability:
            return False
        self.hits += 1
        return True

    def is_of(self, *, service: str, operation: str = "", queue: str = "", function: str = "") -> bool:
        """Whether it is meant for something."""
        return (
            self.service in {"", service}
            and _fits(self.operation, operation)
            and _fits(self.queue, queue)
            and _fits(self.function, function)
        )

    def shown(self) -> dict[str, Any]:
        """As the control API shows it: what was said of it, its seed and its hits."""
        values = ((one.name, getattr(self, one.name)) for one in dataclasses.fields(self))
        return {name: value for name, value in values if name != "random" and value not in {None, ""}}


class Faults:
    """The faults that stand, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._faults: dict[str, Fault] = {}
        self._ids = itertools.count(1)
        self.on_change: list[Callable[[], None]] = []
        """Called when faults come or go, so that what they strike looks for them only while there are any."""

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults.values())

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, order: Mapping[str, Any]) -> Fault:
        """Order a fault.

        Raises:
            FaultError: There is no such fault.
        """
        fields = _checked(order)
        # An order without a seed gets one and shows it, so that what it did can be had again.
        fields.setdefault("seed", random.randrange(_SEEDS))  # noqa: S311 - no secret
        fault = Fault(f"fault-{next(self._ids)}", **fields, random=random.Random(fields["seed"]))  # noqa: S311
        self._faults[fault.id] = fault
        self._changed()
        return fault

    def remove(self, id: str) -> bool:
        """Take one away; false if there is none with this id."""
        found = self._faults.pop(id, None) is not None
        self._changed()
        return found

    def clear(self) -> None:
        """Take all away."""
        self._faults.clear()
        self._changed()

    def of(self, kinds: frozenset[str], **subject: str) -> list[Fault]:
        """Those of some kinds that are meant for something, as `Fault.is_of`, whether they strike or not."""
        return [fault for fault in self if fault.kind in kinds and fault.is_of(**subject)]

    def _changed(self) -> None:
        for changed in self.on_change:
            changed()


def _fits(wanted: str, name: str) -> bool:
    return not wanted or fnmatchcase(name, wanted)


def _checked(order: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(order, dict):
        raise FaultError('A fault is a JSON object, as {"kind": "throttle", "count": 3}.')
    kind = KINDS.get(str(order.get("kind")))
    if kind is None:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}; not {order.get('kind')!r}.")
    allowed = {"kind"} | _ALL | kind.fields
    for name in order:
        if name not in allowed:
            raise FaultError(f"{order['kind']} takes {', '.join(sorted(allowed))}; not {name!r}.")
    stated = {name: value for name, value in order.items() if value is not None}
    for name, value in stated.items():
        if not _CHECKS[name][0](value):
            raise FaultError(f"{name} must be {_CHECKS[name][1]}, not {value!r}.")
    _check_target(stated, kind)
    return {"count": kind.count, **stated}


def _check_target(stated: Mapping[str, Any], kind: _Kind) -> None:
    service, operation = stated.get("service", ""), stated.get("operation", "")
    if kind.operations:
        if service not in {"", "sqs"}:
            raise FaultError(f"{stated['kind']} strikes SQS only; not {service}.")
        if operation and not any(_fits(operation, one) for one in kind.operations):
            raise FaultError(f"{stated['kind']} strikes {', '.join(kind.operations)}; not {operation}.")
    elif stated["kind"] == "kill_function" and service not in {"", "lambda"}:
        raise FaultError(f"kill_function strikes Lambda only; not {service}.")
    elif service == "sqs" and operation and not any(_fits(operation, one) for one in ACTIONS):
        near = difflib.get_close_matches(operation, ACTIONS, 1)
        hint = f"; did you mean {near[0]}?" if near else "."
        raise FaultError(f"SQS has no operation {operation}{hint}")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_TEXT: Final = (_is_text, "a text that isn't empty")
_CHECKS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    **dict.fromkeys(("kind", "service", "operation", "queue", "function"), _TEXT),
    "count": (lambda value: _is_integer(value) and value >= 1, "an integer >= 1"),
    "probability": (lambda value: _is_number(value) and 0 < value <= 1, "a number > 0 and <= 1"),
    "seconds": (lambda value: _is_number(value) and value >= 0, "a number of seconds >= 0"),
    "status": (lambda value: _is_integer(value) and 400 <= value <= 599, "an HTTP status from 400 to 599"),
    "seed": (_is_integer, "an integer"),
}
"""What each field must be, and how to say so."""
