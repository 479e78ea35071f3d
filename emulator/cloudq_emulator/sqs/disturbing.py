"""The faults that are SQS's own: what a distributed queue may do to its clients, done when ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.actions import ACTIONS, Reception

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.faults import Fault, Faults
    from cloudq_emulator.sqs.actions import Action
    from cloudq_emulator.sqs.call import Call
    from cloudq_emulator.sqs.engine.queue import Queue
    from cloudq_emulator.sqs.service import SqsService

KINDS: Final = frozenset({"partial", "duplicate", "reorder", "expire_lease"})
_PARTIAL: Final = frozenset({"partial"})
_RECEIVE: Final = "ReceiveMessage"


class SqsDisturber:
    """Stands before SQS's operations while there are faults of its kinds.

    It strikes clients over HTTP, event source mappings and moto's services alike.

    Args:
        faults: Those that stand.
        service: Whom to stand before.
    """

    def __init__(self, faults: Faults, service: SqsService) -> None:
        self._faults = faults
        self._service = service
        faults.on_change.append(self._follow)

    def expire_leases(self, fault: Fault) -> None:
        """Let an `expire_lease` strike now, if any lease is held in its queues; else it strikes the next."""
        now, struck = self._service.clock.now(), []
        for queue in self._service.registry:
            queue.advance(now)
            if queue.leased_count and fault.is_of(service="sqs", operation=_RECEIVE, queue=queue.name):
                struck.append(queue)
        if struck and fault.strikes():
            for queue in struck:
                queue.end_leases()
            self._service.polls.serve()

    def perform(self, operation: str, call: Call) -> dict[str, Any] | Reception:
        """Perform an operation as far as faults let it be performed."""
        action = ACTIONS[operation]
        if operation == _RECEIVE:
            queue = call.queue()
            self._before(queue)
            answer = action(call)
            if not isinstance(answer, Reception):
                self._after(queue, answer, call.now)
            return answer
        if operation.endswith("Batch"):
            return self._do_part(operation, call, action)
        return action(call)

    def attempt(self, reception: Reception, now: float) -> dict[str, Any]:
        """Let a receive that waited have what there is."""
        self._before(reception.queue)
        answer = reception.attempt(now)
        self._after(reception.queue, answer, now)
        return answer

    def _before(self, queue: Queue) -> None:
        for fault in self._of(queue, "reorder"):
            if not queue.settings.is_fifo and queue.ready_count > 1 and fault.strikes():
                queue.shuffle(fault.random)

    def _after(self, queue: Queue, answer: Mapping[str, Any], now: float) -> None:
        handles = [message["ReceiptHandle"] for message in answer.get("Messages", ())]
        if not handles:
            return
        for fault in self._of(queue, "duplicate"):
            if not queue.settings.is_fifo and fault.strikes():
                for handle in handles:
                    queue.repeat(handle)
        fault = next((one for one in self._of(queue, "expire_lease") if one.strikes()), None)
        if fault is not None:
            for handle in handles:
                queue.change_lease(handle, 0, now)

    def _of(self, queue: Queue, kind: str) -> list[Fault]:
        return self._faults.of(frozenset({kind}), service="sqs", operation=_RECEIVE, queue=queue.name)

    def _do_part(self, operation: str, call: Call, action: Action) -> dict[str, Any] | Reception:
        queue, entries = call.queue(), call.params.get("Entries") or []
        faults = self._faults.of(_PARTIAL, service="sqs", operation=operation, queue=queue.name)
        # What is no batch at all is refused as one.
        fault = next((one for one in faults if _is_batch(entries) and one.strikes()), None)
        if fault is None:
            return action(call)
        failing = set(fault.random.sample(range(len(entries)), fault.random.randint(1, len(entries))))
        spared = [entry for index, entry in enumerate(entries) if index not in failing]
        call.params = {**call.params, "Entries": spared}
        answer = action(call) if spared else {}
        assert isinstance(answer, dict)  # noqa: S101 - a batch never waits
        failed = [_failed(entry) for index, entry in enumerate(entries) if index in failing]
        return {**answer, "Failed": [*answer.get("Failed", ()), *failed]}

    def _follow(self) -> None:
        stands = any(fault.kind in KINDS for fault in self._faults)
        self._service.disturber = self.perform if stands else None
        self._service.polls.attempt = self.attempt if stands else Reception.attempt


def _is_batch(entries: object) -> bool:
    if not isinstance(entries, list) or not 1 <= len(entries) <= limits.BATCH:
        return False
    ids = [entry.get("Id") if isinstance(entry, dict) else None for entry in entries]
    return all(ids) and len(set(ids)) == len(ids)


def _failed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Id": entry["Id"],
        "SenderFault": False,
        "Code": "InternalError",
        "Message": "This fault was ordered.",
    }
