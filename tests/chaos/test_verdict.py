import json

from tests.chaos.verdict import Kill, Verdict, judge

AT = 1_800_000_000.0


def event(action: str, second: float, **fields: object) -> str:
    from datetime import UTC, datetime

    return json.dumps(
        {"at": datetime.fromtimestamp(AT + second, UTC).isoformat(), "action": action, **fields}
    )


def verdict(runs: list[str], **said: object) -> Verdict:
    standard = {"expected": ["quick 1", "quick 2"], "resent": [], "logs": {}, "kills": [], "ordered": True}
    return judge(runs=runs, **{**standard, **said})


def test_what_never_ended_is_lost():
    assert verdict(["quick 1 D 0 9", "quick 2 F 0 9"]).lost == ["quick 2"]


def test_a_failed_attempt_is_no_repeat():
    assert verdict(["quick 1 F 0 9", "quick 1 D 1 9", "quick 2 D 0 9"]).repeats == 0


def test_a_second_end_is_a_repeat_that_nothing_explains():
    seen = verdict(["quick 1 D 0 9", "quick 1 D 0 9", "quick 2 D 0 9"])
    assert (seen.repeats, seen.allowed, seen.is_good) == (1, 0, False)


def test_what_the_publisher_sent_again_may_run_again():
    assert verdict(["quick 1 D 0 9", "quick 1 D 0 9", "quick 2 D 0 9"], resent=["quick 1"]).is_good


def test_a_kill_explains_as_many_repeats_as_its_worker_held():
    log = [
        event("messages_received", 0, count=3),
        event("message_done", 1),
        event("messages_received", 9, count=50),
    ]
    kills = [Kill("worker", AT + 5, "a.log")]
    assert verdict([], logs={"a.log": log, "b.log": log}, kills=kills).allowed == 2


def test_a_brokers_end_explains_what_all_workers_held():
    log = [event("messages_received", 0, count=3)]
    assert verdict([], logs={"a.log": log, "b.log": log}, kills=[Kill("broker", AT + 5)]).allowed == 6


def test_a_groups_order_is_broken_by_what_overtakes_and_by_what_comes_late():
    runs = [f"in_line 1/{place} D 0 9" for place in (0, 0, 2, 1)]
    assert verdict(runs).unordered == ["1/2 before 1/1", "1/1 after 1/2"]
    assert verdict(runs, ordered=False).unordered == []


def test_what_two_hold_since_a_fault_ended_a_lease_may_run_once_more_behind_the_first():
    again = [f"in_line 1/{place} D 0 9" for place in (0, 1, 2, 1)]
    assert verdict(again).unordered == ["1/1 after 1/2"]
    assert verdict(again, faults=10).unordered == ["1/1 after 1/2"]
    assert verdict(again, expired=1).unordered == []
    assert len(verdict([*again, again[0]], expired=1).unordered) == 2
    overtaken = [f"in_line 1/{place} D 0 9" for place in (0, 2, 1)]
    assert len(verdict(overtaken, expired=10).unordered) == 2
