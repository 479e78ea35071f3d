"""The ledger: what a worker holds, who runs it, and what is due next. Pure: no I/O, time is a parameter.

| module | what it knows |
|---|---|
| `ledger` | the whole: what a supervisor tells it and asks it |
| `holding` | one delivery that is held, and where it is |
| `leases` | which leases to extend, which are lost, which begin anew |
| `groups` | the order of messages in FIFO groups |
| `placement` | which child has what, and which is given the next |
| `suspects` | what may have killed a process, and is run alone |
| `recall` | what has ended here, should its message come again all the same |
| `supply` | how much to hold ahead |
| `endings` | what has ended and waits to be kept and settled |
"""

from __future__ import annotations

from cloudq.worker.ledger.holding import Holding, State
from cloudq.worker.ledger.ledger import Ledger
from cloudq.worker.ledger.supply import CHILD_PATIENCE

__all__ = ["CHILD_PATIENCE", "Holding", "Ledger", "State"]
