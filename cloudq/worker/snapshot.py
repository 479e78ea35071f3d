"""What a supervisor knows of an app whose code it doesn't import: taken in the forkserver, sent as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cloudq.app import App
from cloudq.clock import Clock
from cloudq.queues import Queue
from cloudq.retry import Backoff, RetryPolicy

__all__ = ["Snapshot"]

_SETTINGS = (
    "broker_url", "result_backend", "result_expires", "task_lease", "create_queues", "task_time_limit",
    "worker_pool", "worker_concurrency", "worker_max_tasks_per_child", "worker_grace",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An app without its code.

    Args:
        name: The app's name.
        settings: The settings that a supervisor needs.
        queues: The app's queues.
        limits: The time limits of the tasks that have one, in seconds.
        policies: The tasks' retries and backoffs; which errors they retry is code, and stays behind.
    """

    name: str
    settings: Mapping[str, Any]
    queues: Mapping[str, Queue]
    limits: Mapping[str, float]
    policies: Mapping[str, RetryPolicy]

    @classmethod
    def of(cls, app: App) -> Snapshot:
        settings = app.conf.settings
        limits = {
            task.name: task.options.time_limit or settings.task_time_limit for task in app.tasks.values()
        }
        return cls(
            name=app.name,
            settings={name: getattr(settings, name) for name in _SETTINGS},
            queues=app.queues,
            limits={name: limit for name, limit in limits.items() if limit},
            policies={task.name: task.options.policy for task in app.tasks.values()},
        )

    def to_json(self) -> str:
        """As text, for the forkserver to send."""
        return json.dumps(
            {
                "name": self.name,
                "settings": dict(self.settings),
                "queues": [{**asdict(queue), "lease": queue.lease_seconds} for queue in self.queues.values()],
                "limits": dict(self.limits),
                "policies": {
                    name: {"retries": policy.retries, "backoff": asdict(policy.backoff)}
                    for name, policy in self.policies.items()
                },
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Snapshot:
        """What `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            name=fields["name"],
            settings=fields["settings"],
            queues={queue["name"]: Queue(**queue) for queue in fields["queues"]},
            limits=fields["limits"],
            policies={
                name: RetryPolicy(retries=policy["retries"], backoff=Backoff(**policy["backoff"]))
                for name, policy in fields["policies"].items()
            },
        )

    def app(self, clock: Clock) -> App:
        """An app with the same broker, backend and queues, and no tasks."""
        return App(
            self.name,
            broker=self.settings["broker_url"],
            backend=self.settings["result_backend"] or "disabled",
            queues=self.queues.values(),
            environ={},
            clock=clock,
            result_expires=self.settings["result_expires"],
            task_lease=self.settings["task_lease"],
            create_queues=self.settings["create_queues"],
        )
