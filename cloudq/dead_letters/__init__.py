"""What was given up on: finding it, putting it back, deleting it.

| module | what it holds |
|---|---|
| `letters` | one dead letter, which ones are meant, what is sent in one's place; pure |
| `walk` | going through a dead-letter queue, one at a time |
| `queue` | a dead-letter queue: look, redrive, delete |
"""

from __future__ import annotations

from cloudq.dead_letters.letters import Chosen, DeadLetter
from cloudq.dead_letters.queue import DeadLetters
from cloudq.dead_letters.walk import Tally

__all__ = ["Chosen", "DeadLetter", "DeadLetters", "Tally"]
