"""What a chaos run came to: pure, from the lines that its tasks, its workers and its publisher left."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SLACK = 1.0
"""Seconds around a kill in which a worker's count is looked at: the kill and its log are two readings."""

_ENDS = ("message_done", "message_ignored", "message_retried", "message_released", "message_dead")


@dataclass(frozen=True)
class Kill:
    """Something that was killed.

    Args:
        what: `worker`, `child`, `forkserver` or `broker`.
        at: When (seconds since the epoch).
        log: The name of the log of the worker that it belonged to; None for all (the broker).
    """

    what: str
    at: float
    log: str | None = None


@dataclass(frozen=True)
class Verdict:
    """A run's figures.

    Args:
        lost: What never ran to its end.
        repeats: Runs beyond the first of each message, failed attempts apart.
        allowed: How many repeats the kills explain: what was held and what was being settled, by the logs.
        unordered: Where a group's order was broken.
        kills: How often each kind was killed.
        runs: All runs.
        resent: Messages that the publisher wasn't sure of.
    """

    lost: Sequence[str]
    repeats: int
    allowed: int
    unordered: Sequence[str]
    kills: Mapping[str, int]
    runs: int
    resent: int

    @property
    def is_good(self) -> bool:
        return not self.lost and not self.unordered and self.repeats <= self.allowed


def judge(
    *,
    expected: Iterable[str],
    runs: Sequence[str],
    resent: Sequence[str],
    logs: Mapping[str, Sequence[str]],
    kills: Sequence[Kill],
    ordered: bool,
    faults: int = 0,
    expired: int = 0,
) -> Verdict:
    """Say what a run came to.

    Args:
        expected: The messages, as `kind number`.
        runs: The tasks' lines.
        resent: The publisher's doubts, a line each.
        logs: The workers' JSON lines by the log's name.
        kills: What was killed.
        ordered: Whether the broker keeps the order within groups.
        faults: Messages that a fault may have repeated.
        expired: Messages whose lease a fault ended before its time.
    """
    ends = Counter[tuple[str, str]]()
    for line in runs:
        kind, number, end, *_ = line.split()
        ends[f"{kind} {number}", end] += 1
    doubts = Counter(resent)
    repeats = 0
    for (name, _end), count in ends.items():
        repeats += max(0, count - 1 - doubts[name])
    held = {name: _held(lines) for name, lines in logs.items()}
    return Verdict(
        lost=[name for name in expected if not ends[name, "D"]],
        repeats=repeats,
        allowed=faults + sum(_allowed(kill, held) for kill in kills),
        unordered=_unordered(runs, expired) if ordered else [],
        kills=dict(Counter(kill.what for kill in kills)),
        runs=len(runs),
        resent=len(doubts),
    )


def _allowed(kill: Kill, held: Mapping[str, Sequence[tuple[float, int]]]) -> int:
    logs = held if kill.log is None else [kill.log]
    return sum(_most(held[name], kill.at) for name in logs)


def _most(counts: Sequence[tuple[float, int]], at: float) -> int:
    """The most that a worker held around a moment."""
    before = [count for when, count in counts if when < at - SLACK][-1:]
    near = [count for when, count in counts if at - SLACK <= when <= at + SLACK]
    return max(before + near, default=0)


def _held(lines: Sequence[str]) -> list[tuple[float, int]]:
    """When a worker held how many: what it received less what it has settled."""
    counts: list[tuple[float, int]] = []
    held = 0
    for line in lines:
        if not line.startswith("{"):
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue  # the last line of one that was killed
        action = event.get("action")
        if action == "messages_received":
            held += event["count"]
        elif action == "lease_lost":
            held -= event["count"]
        elif action in _ENDS:
            held -= 1
        else:
            continue
        counts.append((datetime.fromisoformat(event["at"]).timestamp(), held))
    return counts


def _unordered(runs: Sequence[str], expired: int) -> list[str]:
    """Where a message ran to its end after one that stood behind it in its group had begun to.

    A fault that ends a lease before its time leaves a group to two workers. The first can't know: SQS
    takes its deletion of what the second has deleted. So that many may be run once more, behind the second.
    """
    furthest: defaultdict[str, int] = defaultdict(lambda: -1)
    ended: set[str] = set()
    broken: list[str] = []
    again: list[str] = []
    for line in runs:
        kind, number, end, *_ = line.split()
        if kind != "in_line" or end != "D":
            continue
        group, _, place = number.partition("/")
        if int(place) < furthest[group]:
            late = again if number in ended else broken
            late.append(f"{number} after {group}/{furthest[group]}")
        elif int(place) > furthest[group] + 1:
            broken.append(f"{number} before {group}/{furthest[group] + 1}")
        ended.add(number)
        furthest[group] = max(furthest[group], int(place))
    return broken if len(again) <= expired else broken + again
