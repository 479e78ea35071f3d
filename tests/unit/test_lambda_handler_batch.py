"""Any batch, whatever happens in it: what is done, what returns, and in which order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import cloudq
from cloudq.lambda_handler import for_app
from tests.lambda_events import Context, event, failed, record
from tests.scripted_sqs import HastyClock, ScriptedSqs

BODIES = {"stranger": "no JSON", "unknown": None, "keep": None, "fail": None, "reject": None}
RECORDS = st.lists(
    st.tuples(st.sampled_from(sorted(BODIES)), st.sampled_from("abc"), st.integers(1, 6)), max_size=10
)


def an_app(clock: HastyClock, ran: list[str]) -> cloudq.App:
    app = cloudq.App("shop", broker="sqs://eu-west-1?prefix=shop-", environ={}, clock=clock)

    def start(task: Any) -> None:
        ran.append(task.request.id)
        clock.advance(1)

    @app.task(name="keep", bind=True)
    def keep(self) -> None:
        start(self)

    @app.task(name="fail", bind=True, retries=100, backoff=7)
    def fail(self) -> None:
        start(self)
        raise OSError

    @app.task(name="reject", bind=True)
    def reject(self) -> None:
        start(self)
        raise cloudq.Reject("no")

    return app


@given(
    RECORDS, st.booleans(), st.integers(3, 15), st.sets(st.sampled_from(["SendMessageBatch", "GetQueueUrl"]))
)
def test_every_record_is_done_or_returns_and_none_overtakes_its_group(drawn, is_fifo, seconds, broken):
    clock, ran = HastyClock(), []
    app = an_app(clock, ran)
    sqs = ScriptedSqs(**{name: lambda _: cloudq.BrokerError("out of order") for name in broken})
    app._broker = sqs.broker(clock, prefix="shop-")
    queue = "shop-orders.fifo" if is_fifo else "shop-orders"
    records = [
        record(task, id=str(number), group=group, count=count, queue=queue, body=BODIES[task])
        for number, (task, group, count) in enumerate(drawn)
    ]

    reported = failed(for_app(app)(event(*records), Context(clock, seconds)))

    ids = [str(number) for number in range(len(drawn))]
    tasks = {one: task for one, (task, _, _) in zip(ids, drawn, strict=True)}
    assert reported == [one for one in ids if one in reported], "in the event's order, each once"
    assert ran == sorted(ran, key=int), "in order"
    assert all(one in reported for one in ids if tasks[one] in ("fail", "unknown"))
    assert not any(one in ran for one in reported if tasks[one] == "keep")
    for group in "abc" if is_fifo else "":
        mine = [one for one, (_, its, _) in zip(ids, drawn, strict=True) if its == group]
        behind = mine[next((place for place, one in enumerate(mine) if one in reported), len(mine)) + 1 :]
        assert all(one in reported and one not in ran for one in behind), "the rest of its group waits"
    if not broken:
        assert returned(sqs) == reported, "each is given back once, head first"


def returned(sqs: ScriptedSqs) -> list[str]:
    return [
        entry["ReceiptHandle"].removeprefix("handle-")
        for entries in sqs.entries("ChangeMessageVisibilityBatch")
        for entry in entries
    ]
