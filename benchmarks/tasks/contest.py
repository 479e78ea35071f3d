"""One contender's run: so many tasks sent, then drained by a worker with two processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks import brokers
from benchmarks.processes import spent_seconds
from benchmarks.tasks.contenders import Contender
from benchmarks.workers import Setting, StalledError, Worker

_PROCESSES: Final = 2
_NAP: Final = 0.05
"""Seconds that a task sleeps in place of waiting for a network."""

_AT_ONCE: Final = 50
_NAPS: Final = 1000
_PACED_FIRST: Final = 40
"""How many are sent while the worker starts; what they took says nothing."""

_PACED: Final = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, in tasks a second.

    Args:
        sent: One by one.
        sent_many: With one call, where it can.
        drained: By two processes.
        cpu: The worker's CPU seconds for a task, from the first one's run on.
        twice: Tasks that were run more than once.
        ages: Microseconds from a call to its run, of tasks that come one by one to an idle worker: the
            median and the 99th percentile.
        naps: Tasks that sleep, fifty at once.
    """

    sent: float
    sent_many: float | None
    drained: float
    cpu: float
    twice: int
    ages: Sequence[int] = ()
    naps: float | None = None


def compete(contender: Contender, count: int) -> Outcome:
    """Send `count` tasks to a fresh broker, some one by one, the rest with one call where it can; drain them.

    Raises:
        StalledError: Some never ran.
    """
    with TemporaryDirectory() as folder, brokers.empty(contender.broker, Path(folder)) as address:
        notes = Path(folder) / "notes"
        notes.touch()
        setting = Setting(contender.queue, contender.broker, address, notes, contender.variant)
        outcome = _drain(
            setting, count, round(count * contender.singly) if contender.queue.has_many else count
        )
        if contender.broker == "redis":
            naps = _naps(setting) if contender.queue.in_one else None
            outcome = replace(outcome, ages=_ages(setting), naps=naps)
        return outcome


def _drain(setting: Setting, count: int, singly: int) -> Outcome:
    queue, rest = setting.queue, count - singly
    sent = setting.send("one_by_one", "noop", singly)
    many = setting.send("many", "noop", rest) if rest else None
    total = singly + 1 + (rest + 1 if rest else 0)
    with setting.worker(queue.processes, _PROCESSES, queue.starts) as worker:
        worker.watch(1)
        before, first = _spent(worker), worker.noted
        drained = worker.watch(total)
        cpu = (_spent(worker) - before) / max(1, total - first)
    noted = setting.notes.read_bytes().split()
    if len(set(noted)) < max(singly, rest):
        raise StalledError(f"ran only {len(set(noted)):,} of {max(singly, rest):,} tasks")
    return Outcome(singly / sent, many and rest / many, drained, cpu, len(noted) - total)


def _spent(worker: Worker) -> float:
    return sum(map(spent_seconds, worker.family))


def _ages(setting: Setting) -> Sequence[int]:
    setting.notes.write_bytes(b"")
    with setting.worker(setting.queue.processes, _PROCESSES, setting.queue.starts) as worker:
        setting.send("paced", "stamp", _PACED_FIRST)
        worker.watch(_PACED_FIRST)
        setting.send("paced", "stamp", _PACED)
        worker.watch(_PACED_FIRST + _PACED)
    ordered = sorted(map(int, setting.notes.read_bytes().split()[_PACED_FIRST:]))
    return [ordered[int(len(ordered) * part)] for part in (0.5, 0.99)]


def _naps(setting: Setting) -> float:
    setting.notes.write_bytes(b"")
    setting.send("one_by_one", "nap", _NAPS - 1, _NAP)
    with setting.worker(setting.queue.in_one, _AT_ONCE) as worker:
        return worker.watch(_NAPS, _NAP)
