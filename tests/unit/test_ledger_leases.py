"""Leases are extended while they are held; what has lost its own is told, and not settled."""

from __future__ import annotations

from cloudq.delivery import Lost, Settled
from tests.ledgers import ledger_with, run, tags


def test_a_lease_is_extended_when_half_of_it_is_gone():
    ledger = ledger_with(1)

    assert ledger.due_extensions(29.0) == []
    assert tags(ledger.due_extensions(30.0)) == [1]


def test_a_lease_is_extended_whether_its_message_waits_or_runs():
    ledger = ledger_with(2)
    ledger.assign(0.0)
    ledger.start(1)

    assert tags(ledger.due_extensions(40.0)) == [1, 2]


def test_an_extension_counts_from_when_it_was_sent():
    ledger = ledger_with(1)
    ledger.due_extensions(30.0)

    ledger.extended(1, Settled(), asked_at=30.0)

    assert ledger[1].lease_until == 90.0


def test_whoever_runs_a_message_whose_lease_ran_out_is_told_once():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.start(1)

    assert tags(ledger.lapse(60.0)) == [1]
    assert ledger.lapse(61.0) == []


def test_whoever_runs_a_message_whose_extension_was_refused_is_told():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    ledger.start(1)
    ledger.due_extensions(30.0)
    ledger.extended(1, Lost(), asked_at=30.0)

    assert tags(ledger.lapse(31.0)) == [1]


def test_a_lapsed_message_that_waits_is_dropped():
    ledger = ledger_with(2)
    ledger.assign(0.0)

    ledger.lapse(60.0)

    assert ledger.get(2) is None


def test_a_message_that_lost_its_lease_is_not_settled():
    ledger = ledger_with(1)
    ledger.assign(0.0)
    run(ledger, 1)

    assert ledger.due_settlements(60.0) == []
    assert len(ledger) == 0
