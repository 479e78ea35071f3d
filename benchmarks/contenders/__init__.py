"""The same three tasks in each task queue, a module each, on every broker that it is measured on.

Peers have an environment of their own, so only `with_cloudq` may import cloudq. A module has

| name | what it is |
| --- | --- |
| `CALLS` | by a task's name, what sends it: a function, or one whose answer is awaited |
| `run` | where that is awaited: runs a coroutine in the loop that the queue's client lives in |
| `many` | where it can: sends many calls of one task at once |
| `close` | where it must be told: disconnects |
"""
