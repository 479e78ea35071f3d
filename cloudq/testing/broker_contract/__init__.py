"""The sentences of `cloudq.brokers.base` as tests.

| module | what it tests |
|---|---|
| `suite` | nothing: the fixtures and steps of the others |
| `sending` | what may be sent, and that it arrives as it was |
| `receiving` | order of preference, waits, `close` |
| `leasing` | leases, receive counts, extensions, lost leases |
| `settling` | ack, release, dead-letter |
| `ordering` | FIFO queues |
| `publishing` | topics, and copies for the queues that subscribe |
| `crowding` | many messages, many consumers, some of them killed |
| `inspecting` | counts, names, purge |
"""

from __future__ import annotations

from cloudq.testing.broker_contract.crowding import Crowding
from cloudq.testing.broker_contract.inspecting import Inspecting
from cloudq.testing.broker_contract.leasing import Leasing
from cloudq.testing.broker_contract.ordering import NoOrdering, Ordering
from cloudq.testing.broker_contract.publishing import NoPublishing, Publishing
from cloudq.testing.broker_contract.receiving import Receiving
from cloudq.testing.broker_contract.sending import Sending
from cloudq.testing.broker_contract.settling import Settling

__all__ = ["BrokerContract", "TopiclessBrokerContract", "UnorderedBrokerContract"]


class BrokerContract(Sending, Receiving, Leasing, Settling, Ordering, Publishing, Crowding, Inspecting):
    """What every broker must do. A subclass, named `Test…`, has two fixtures.

    `broker` gives the broker and closes it. `pass_time` gives a function of seconds after whose return the
    broker's time has moved on by so many: `clock.advance` of a fake clock, or a real wait.

    Where time is real, set `lease` to the shortest that the tests' own steps can't outlast.
    """


class UnorderedBrokerContract(
    Sending, Receiving, Leasing, Settling, NoOrdering, Publishing, Crowding, Inspecting
):
    """The contract of a broker whose `Limits.ordered_groups` is false: it refuses FIFO queues."""


class TopiclessBrokerContract(
    Sending, Receiving, Leasing, Settling, Ordering, NoPublishing, Crowding, Inspecting
):
    """The contract of a broker whose `Limits.topics` is false: it refuses topics."""
