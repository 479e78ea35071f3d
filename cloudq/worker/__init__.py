"""The worker: one supervisor that holds messages and runs no user code, and children that run it.

| module | what it does |
|---|---|
| `ledger` | who holds what, and what is due: pure |
| `supervisor` | the loop around the ledger |
| `fetch`, `reception`, `preference` | receive messages; from which of several queues |
| `pausing` | learns which queues are paused |
| `keeper` | keeps leases |
| `settle` | keep results, then end leases |
| `lane`, `loop` | a thread for one kind of blocking call, and the turns in which all is handled |
| `children`, `connection` | talk with children |
| `crew` | starts children and learns of their ends |
| `forkserver`, `greenlet_child` | imports the app once and forks children; where gevent's begin |
| `child`, `inbox`, `executors` | take messages and run them |
| `frames` | what supervisor and child say to each other |
| `progress` | what a child runs, in memory that both see |
| `post_mortem` | what a run came to whose process is gone: pure |
| `time_limits` | which runs have outlived their time limit: pure |
| `snapshot` | what the supervisor must know of an app that it doesn't import |
| `tally` | what a worker does, in numbers, for whoever looks |
| `start`, `logs` | puts it all together; what is logged |
"""
