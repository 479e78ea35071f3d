"""One SQLite file, shared by processes; what the SQLite broker and backend have in common.

| module | what is in it |
|---|---|
| `location` | where the file of a URL lies |
| `database` | how it is opened, locked and watched |
| `schema` | the tables that each user keeps in it |
| `failures` | what SQLite's errors mean |
| `forks` | how a process that has it open forks |
"""

from __future__ import annotations

from cloudq.sqlite.database import Database
from cloudq.sqlite.failures import Failures
from cloudq.sqlite.location import Location, locate
from cloudq.sqlite.schema import Schema

__all__ = ["Database", "Failures", "Location", "Schema", "locate"]
