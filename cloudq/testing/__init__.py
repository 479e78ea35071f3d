"""What tests of cloudq's parts, and of other people's brokers and backends, are made of.

| name | what it is |
|---|---|
| `BrokerContract` | what every broker must do, as a pytest class to subclass |
| `UnorderedBrokerContract` | the same for a broker that has no FIFO queues |
| `TopiclessBrokerContract` | the same for a broker that has no topics |
| `BackendContract` | what every result backend must do |
| `in_memory`, `InlineWorker` | an app with nothing outside the process, and what runs its messages there |
| `plugin` | the fixtures `cloudq_app` and `cloudq_worker` |

`docs/adding-a-broker.md` shows how they are used. They need pytest: `pip install "cloudq[testing]"`.
"""

from __future__ import annotations

import pytest

# An assertion tells what it compared only in modules that pytest has rewritten, which are those of tests.
pytest.register_assert_rewrite(
    "cloudq.testing.broker_contract", "cloudq.testing.backend_contract", "cloudq.testing.steps"
)

from cloudq.testing.backend_contract import BackendContract  # noqa: E402 - see above
from cloudq.testing.broker_contract import (  # noqa: E402 - see above
    BrokerContract,
    TopiclessBrokerContract,
    UnorderedBrokerContract,
)
from cloudq.testing.inline import InlineWorker, in_memory  # noqa: E402 - see above

__all__ = [
    "BackendContract",
    "BrokerContract",
    "InlineWorker",
    "TopiclessBrokerContract",
    "UnorderedBrokerContract",
    "in_memory",
]
