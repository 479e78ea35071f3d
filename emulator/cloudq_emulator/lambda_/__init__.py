"""Lambda that runs: functions made through moto's API, executed as processes on this machine.

| module | what it holds |
|---|---|
| `configuration` | a function's settings, as values, and the environment they become |
| `runtime` | the Runtime API that a function's process talks to |
| `environment` | one execution environment: a process and its Runtime API |
| `functions` | every function's environments: cold starts, warm ones, the end of old code |
| `outcomes` | what came of invocations, told in the log |
| `invoking` | moto's `Invoke`, answered by `functions` |
| `event`, `filters`, `batch` | pure: an SQS event; which messages pass; when a batch is full, what to keep |
| `killing` | a fault: a function killed while it runs |
| `poller`, `mapping` | event source mappings: from a queue to a function |
"""
