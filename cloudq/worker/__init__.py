"""The worker: one supervisor that holds messages and runs no user code, and children that run it.

| module | what it does |
|---|---|
| `ledger` | who holds what, and what is due: pure |
| `supervisor` | the loop around the ledger |
| `fetch`, `keeper` | receive messages, keep their leases |
| `settle` | keep results, then end leases |
| `lane`, `loop` | a thread for one kind of blocking call, and the loop that doesn't block |
| `children`, `connection` | talk with children |
| `crew` | starts children and learns of their ends |
| `forkserver`, `greenlet_child` | imports the app once and forks children; where gevent's begin |
| `child`, `executors` | run messages |
| `frames` | what supervisor and child say to each other |
| `progress` | what a child runs, in memory that both see |
| `snapshot` | what the supervisor must know of an app that it doesn't import |
| `start`, `logs` | puts it all together; what is logged |
"""
