from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from cloudq.brokers.sqs.entries import MAX_BYTES, Entry, entry_of
from cloudq.brokers.sqs.packing import MAX_ENTRIES, Backlog, Ticket
from cloudq.delivery import Outgoing

SIZES = st.sampled_from([1, 100, MAX_BYTES // 10, MAX_BYTES // 3, MAX_BYTES])
ENTRIES = st.lists(st.tuples(SIZES, st.sampled_from([None, "a", "b", "c"])), max_size=60)


def tickets_of(entries):
    return [Ticket(Entry({"number": number}, size, lane)) for number, (size, lane) in enumerate(entries)]


def batches_of(backlog):
    while backlog.has_batch():
        batch = backlog.take()
        yield batch
        backlog.done(batch)


@given(ENTRIES)
def test_every_message_is_in_one_batch_within_its_limits(entries):
    tickets = tickets_of(entries)
    backlog = Backlog()
    backlog.add(tickets)

    batches = list(batches_of(backlog))

    assert sorted(id(one) for batch in batches for one in batch) == sorted(map(id, tickets))
    for batch in batches:
        assert 1 <= len(batch) <= MAX_ENTRIES
        assert sum(one.entry.size_bytes for one in batch) <= MAX_BYTES
        lanes = [one.entry.lane for one in batch if one.entry.lane is not None]
        assert len(lanes) == len(set(lanes))


@given(ENTRIES)
def test_each_lane_keeps_its_order(entries):
    backlog = Backlog()
    backlog.add(tickets_of(entries))
    sent = defaultdict(list)

    for batch in batches_of(backlog):
        for one in batch:
            sent[one.entry.lane].append(one.entry.fields["number"])

    for numbers in sent.values():
        assert numbers == sorted(numbers)


@given(ENTRIES, st.lists(st.booleans(), min_size=60, max_size=60))
def test_what_is_withdrawn_is_not_sent(entries, withdrawn):
    tickets = tickets_of(entries)
    for ticket, is_withdrawn in zip(tickets, withdrawn, strict=False):
        ticket.is_withdrawn = is_withdrawn
    backlog = Backlog()
    backlog.add(tickets)

    sent = [one for batch in batches_of(backlog) for one in batch]

    assert not any(one.is_withdrawn for one in sent)
    assert len(sent) == sum(not one.is_withdrawn for one in tickets)


def test_a_lane_waits_for_its_batch_on_the_way():
    backlog = Backlog()
    backlog.add(tickets_of([(1, "a"), (1, "a"), (1, "b")]))

    first = backlog.take()

    assert [one.entry.fields["number"] for one in first] == [0, 2]
    assert not backlog.has_batch()
    backlog.done(first)
    assert [one.entry.fields["number"] for one in backlog.take()] == [1]


def test_small_messages_fill_a_batch():
    backlog = Backlog()
    backlog.add(tickets_of([(1, None)] * 25))

    assert [len(batch) for batch in batches_of(backlog)] == [10, 10, 5]


def test_an_entry_of_a_fifo_queue_bears_its_group_and_its_deduplication_id():
    plain = entry_of("a.fifo", Outgoing("id-1", b"{}"))
    own = entry_of("a.fifo", Outgoing("id-1", b"{}", group="g", deduplication_id="d"))

    assert (plain.fields["MessageGroupId"], plain.fields["MessageDeduplicationId"]) == ("id-1", "id-1")
    assert (own.fields["MessageGroupId"], own.fields["MessageDeduplicationId"]) == ("g", "d")
    assert own.lane == "g"


def test_a_group_on_a_standard_queue_travels_and_holds_nothing_up():
    entry = entry_of("a", Outgoing("id-1", b"{}", group="tenant"))

    assert entry.fields["MessageGroupId"] == "tenant"
    assert "MessageDeduplicationId" not in entry.fields
    assert entry.lane is None
