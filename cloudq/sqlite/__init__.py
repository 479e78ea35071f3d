"""One SQLite file, shared by processes: where it lies, and how it is opened, locked, watched and forked.

What the SQLite broker and backend have in common; each keeps tables of its own in it.
"""

from __future__ import annotations

from cloudq.sqlite.database import Database, Failures, Schema
from cloudq.sqlite.location import Location, locate

__all__ = ["Database", "Failures", "Location", "Schema", "locate"]
