"""Queues as `cloudq queue` shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cloudq.app import App
from cloudq.brokers.base import QueueStats
from cloudq.cli.output import print_table, seconds

__all__ = ["Counts", "options_of", "print_counts", "print_options", "unknown_options"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many messages a queue has.

    Args:
        name: The queue's name.
        levels: Its counts by priority, the highest first; none where it isn't made yet.
        is_paused: Whether workers receive nothing from it.
    """

    name: str
    levels: Mapping[int, QueueStats]
    is_paused: bool = False

    def document(self) -> dict[str, Any]:
        """The counts for programs."""
        found: dict[str, Any] = {"name": self.name, "exists": bool(self.levels), "paused": self.is_paused}
        if self.levels:
            found |= dataclasses.asdict(QueueStats.whole(self.levels.values()))
        if len(self.levels) > 1:
            found["priorities"] = [
                {"priority": priority, **_without_dead(stats)} for priority, stats in self.levels.items()
            ]
        return found

    def rows(self) -> list[Sequence[object]]:
        """The counts for people: a line for the queue, and one for each level where there are several."""
        paused = "yes" if self.is_paused else None
        if not self.levels:
            return [(self.name, None, None, None, None, "not made yet", paused)]
        whole = QueueStats.whole(self.levels.values())
        rows: list[Sequence[object]] = [(*_row(self.name, whole, whole.dead), paused)]
        if len(self.levels) > 1:
            rows += [(*_row(f"  priority {level}", one, None), None) for level, one in self.levels.items()]
        return rows


def print_counts(counts: Sequence[Counts]) -> None:
    """Queues with their counts."""
    head = ("queue", "ready", "leased", "delayed", "dead", "oldest", "paused")
    print_table(head, [row for one in counts for row in one.rows()])


def options_of(app: App, name: str, *, is_paused: bool) -> dict[str, Any]:
    """What an app says of a queue."""
    queue = app.queue(name)
    return {
        "name": name,
        "in_app": True,
        "consumer": queue.consumer,
        "lease": queue.lease_seconds,
        "max_receives": queue.max_receives,
        "priorities": queue.priorities,
        "dead_letter": queue.dead_letter,
        "paused": is_paused,
        "tasks": sorted(task.name for task in app.tasks.values() if app.queue_of(task) == name),
    }


def unknown_options(name: str) -> dict[str, Any]:
    """A queue of which no app says anything."""
    unsaid = ("consumer", "lease", "max_receives", "priorities", "dead_letter", "paused")
    return {"name": name, "in_app": False, **dict.fromkeys(unsaid), "tasks": []}


def print_options(rows: Sequence[Mapping[str, Any]]) -> None:
    """Queues with their options."""
    head = (
        "name",
        "in_app",
        "consumer",
        "lease",
        "max_receives",
        "priorities",
        "dead_letter",
        "paused",
        "tasks",
    )
    shown = [_shown(row) for row in rows]
    print_table([name.replace("_", " ") for name in head], [[row[name] for name in head] for row in shown])


def _row(name: str, stats: QueueStats, dead: int | None) -> tuple[object, ...]:
    return (name, stats.ready, stats.leased, stats.delayed, dead, seconds(stats.oldest_age))


def _without_dead(stats: QueueStats) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(stats).items() if name != "dead"}


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    in_app = "yes" if row["in_app"] else "no"
    paused = "yes" if row["paused"] else None
    return {
        **row,
        "in_app": in_app,
        "paused": paused,
        "lease": seconds(row["lease"]),
        "tasks": len(row["tasks"]),
    }
