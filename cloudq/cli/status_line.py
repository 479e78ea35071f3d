"""A worker's tally as one line for a terminal. Pure: no terminal, time is in the tally."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cloudq.cli.output import seconds
from cloudq.worker.tally import Tally

__all__ = ["Piece", "StatusLine", "fitted"]

_GAP = " · "
_NAMED = 3
"""Queues that are named; the others are counted."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a line.

    Args:
        text: What it says.
        rank: The higher, the sooner it is left out where the line is too long.
        color: In which colour; None for the terminal's own.
    """

    text: str
    rank: int = 0
    color: str | None = None


class StatusLine:
    """Says what a worker does.

    Args:
        name: The app's.
        queues: Where the worker receives.
    """

    def __init__(self, name: str, queues: Sequence[str]) -> None:
        self._name, self._queues = name, queues

    def pieces(self, tally: Tally, pace: float) -> list[Piece]:
        """The line's parts, in their order.

        Args:
            tally: The worker's numbers.
            pace: Messages done with a second.
        """
        pieces = [
            Piece(self._name, rank=6),
            *_stopping(tally),
            Piece(f"{tally.running}/{tally.slots} running"),
            Piece(f"{tally.prefetched:,} prefetched", rank=3),
            Piece(f"{tally.done:,} done"),
            Piece(f"{pace:,.0f}/s" if pace >= 9.95 else f"{pace:.1f}/s", rank=1),
        ]
        if tally.retried:
            pieces.append(Piece(f"{tally.retried:,} retried", rank=2))
        if tally.dead:
            pieces.append(Piece(f"{tally.dead:,} dead", rank=1, color="red"))
        going = [queue for queue in self._queues if queue not in tally.paused]
        if tally.paused:
            paused = [queue for queue in self._queues if queue in tally.paused]
            pieces.append(Piece(f"paused: {_named(paused)}", rank=1, color="yellow"))
        if going:
            pieces.append(Piece(_named(going), rank=4))
        return [*pieces, Piece(f"up {seconds(tally.at - tally.began_at)}", rank=5)]


def fitted(pieces: Sequence[Piece], columns: int) -> list[Piece]:
    """The line within so many columns: whole pieces are left out first, then the last one is cut."""
    kept = list(pieces)
    while len(kept) > 1 and _width(_GAP.join(piece.text for piece in kept)) > columns:
        # Of several of one rank the last.
        kept.remove(max(reversed(kept), key=lambda piece: piece.rank))
    (first, *others) = kept
    return [Piece(_cut(first.text, columns), color=first.color), *(_behind_gap(piece) for piece in others)]


def _behind_gap(piece: Piece) -> Piece:
    return Piece(_GAP + piece.text, color=piece.color)


def _stopping(tally: Tally) -> list[Piece]:
    if tally.stop_at is None:
        return []
    left = tally.stop_at - tally.at
    if tally.running and left > 0:
        return [Piece(f"stopping, {left:.0f} s left", color="yellow")]
    if tally.unsettled:
        return [Piece(f"stopping, {tally.unsettled:,} to settle", color="yellow")]
    return [Piece("stopping", color="yellow")]


def _named(queues: Sequence[str]) -> str:
    others = len(queues) - _NAMED
    return ", ".join(queues[:_NAMED]) + (f" and {others} more" if others > 0 else "")


def _cut(text: str, columns: int) -> str:
    while text and _width(text) > columns:
        text = text[:-1]
    return text


def _width(text: str) -> int:
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    """Columns that a character takes: Chinese and Japanese ones two, accents of their own none."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
