"""The sentences of `cloudq.backends.base` as tests."""
# ruff: noqa: S101 - a suite asserts

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudq.backends.base import Backend, Change
from cloudq.testing.steps import PATIENCE, PassTime, in_thread, until

TTL = 10.0
WAIT = 10.0
VALUES = [
    pytest.param(b"", id="empty"),
    pytest.param(b"x", id="short"),
    pytest.param(b"\x00\xff", id="no text"),
    pytest.param("Grüße 🚀".encode(), id="unicode"),
    pytest.param(b"x" * 300_000, id="long"),
]


class BackendContract:
    """What every result backend must do. A subclass, named `Test…`, has two fixtures.

    `backend` gives the backend and closes it. `pass_time` gives a function of seconds after whose return the
    backend's time has moved on by so many: `clock.advance` of a fake clock, or a real wait.
    """

    ttl = TTL
    """Seconds for which the tests keep what is to expire."""

    @pytest.fixture
    def key(self) -> str:
        """A key of the test's own."""
        return f"contract:{uuid.uuid4()}"

    def test_an_absent_key_has_no_value(self, backend: Backend, key: str) -> None:
        assert backend.get(key) is None
        assert backend.get_many([key]) == {}
        assert backend.get_many([]) == {}
        assert backend.members(key) == {}

    @pytest.mark.parametrize("value", VALUES)
    def test_a_value_is_read_as_it_was_put(self, backend: Backend, key: str, value: bytes) -> None:
        backend.put(key, value)

        assert backend.get(key) == value

    def test_a_key_is_any_text(self, backend: Backend, key: str) -> None:
        odd = (key + ' ünï/cödé:%*?"\\' + "x" * 512)[:512]
        backend.put(odd, b"1")
        backend.put(odd.upper(), b"2")

        assert backend.get(odd) == b"1"

    def test_the_last_put_counts(self, backend: Backend, key: str) -> None:
        backend.put(key, b"1")
        backend.put(key, b"2")

        assert backend.get(key) == b"2"

    def test_many_values_are_put_and_read(self, backend: Backend, key: str) -> None:
        values = {f"{key}:{number}": str(number).encode() for number in range(120)}
        backend.put_many({})
        backend.put_many(values)

        assert backend.get_many([*values, key]) == values

    def test_a_deleted_value_is_absent(self, backend: Backend, key: str) -> None:
        backend.put(key, b"1")
        backend.delete(key)
        backend.delete(key)

        assert backend.get(key) is None

    def test_an_expired_value_is_absent(self, backend: Backend, key: str, pass_time: PassTime) -> None:
        backend.put(key, b"1", ttl=self.ttl)
        backend.put_many({f"{key}:many": b"1"}, ttl=self.ttl)
        assert backend.get(key) == b"1"

        pass_time(self.ttl)

        assert backend.get(key) is None
        assert backend.get_many([key, f"{key}:many"]) == {}

    def test_a_new_value_has_a_new_time_to_live(
        self, backend: Backend, key: str, pass_time: PassTime
    ) -> None:
        backend.put(key, b"1", ttl=self.ttl)
        backend.put(key, b"2")

        pass_time(self.ttl)

        assert backend.get(key) == b"2"

    def test_a_condition_on_absence_holds_once(self, backend: Backend, key: str) -> None:
        assert backend.put_if([Change(key, b"1", None)]) == [True]
        assert backend.put_if([Change(key, b"2", None)]) == [False]

        assert backend.get(key) == b"1"

    def test_a_condition_on_a_value_holds_for_that_value(self, backend: Backend, key: str) -> None:
        assert backend.put_if([Change(key, b"2", b"1")]) == [False]
        backend.put(key, b"1")

        assert backend.put_if([Change(key, b"2", b"0")]) == [False]
        assert backend.put_if([Change(key, b"2", b"1")]) == [True]
        assert backend.get(key) == b"2"

    def test_an_expired_value_is_absent_to_a_condition(
        self, backend: Backend, key: str, pass_time: PassTime
    ) -> None:
        assert backend.put_if([Change(key, b"1", None, self.ttl)]) == [True]
        pass_time(self.ttl)

        assert backend.put_if([Change(key, b"2", b"1")]) == [False]
        assert backend.put_if([Change(key, b"3", None)]) == [True]
        assert backend.get(key) == b"3"

    def test_conditions_hold_each_for_its_own_key(self, backend: Backend, key: str) -> None:
        backend.put(f"{key}:taken", b"0")

        made = backend.put_if([Change(f"{key}:taken", b"1", None), Change(f"{key}:free", b"1", None)])

        assert made == [False, True]
        assert backend.get_many([f"{key}:taken", f"{key}:free"]) == {
            f"{key}:taken": b"0",
            f"{key}:free": b"1",
        }

    def test_of_those_who_put_on_a_condition_one_succeeds(self, backend: Backend, key: str) -> None:
        def put(number: int) -> bool:
            return backend.put_if([Change(key, b"%d" % number, None)])[0]

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(put, range(8)))

        assert sorted(answers) == [False] * 7 + [True]

    def test_a_set_counts_its_members(self, backend: Backend, key: str) -> None:
        assert backend.add_member(key, "a", b"1") == 1
        assert backend.add_member(key, "b", b"2") == 2

        assert backend.members(key) == {"a": b"1", "b": b"2"}

    def test_a_repeated_member_counts_once_and_keeps_its_first_value(
        self, backend: Backend, key: str
    ) -> None:
        backend.add_member(key, "a", b"1")

        assert backend.add_member(key, "a", b"2") == 1
        assert backend.members(key) == {"a": b"1"}

    def test_one_of_those_who_add_sees_the_set_complete(self, backend: Backend, key: str) -> None:
        def add(number: int) -> int:
            return backend.add_member(key, str(number), b"")

        with ThreadPoolExecutor(8) as pool:
            sizes = list(pool.map(add, range(24)))

        assert max(sizes) == 24
        assert len(backend.members(key)) == 24

    def test_a_set_expires_as_a_whole_after_the_last_addition(
        self, backend: Backend, key: str, pass_time: PassTime
    ) -> None:
        backend.add_member(key, "a", b"1", ttl=self.ttl)
        pass_time(self.ttl / 2)
        backend.add_member(key, "b", b"2", ttl=self.ttl)
        pass_time(self.ttl / 2)
        assert backend.members(key) == {"a": b"1", "b": b"2"}

        pass_time(self.ttl / 2)

        assert backend.members(key) == {}
        assert backend.add_member(key, "c", b"3") == 1

    def test_a_deleted_set_is_empty(self, backend: Backend, key: str) -> None:
        backend.add_member(key, "a", b"1")
        backend.delete(key)

        assert backend.members(key) == {}
        assert backend.add_member(key, "b", b"2") == 1

    def test_a_wait_ends_when_a_value_changes(self, backend: Backend, key: str) -> None:
        known = backend.get_many([key])
        waiting = in_thread(lambda: backend.wait([key, f"{key}:other"], WAIT, known=known))

        backend.put(key, b"1")

        waiting.result(PATIENCE)

    def test_a_wait_ends_at_once_when_the_value_is_not_the_known_one(
        self, backend: Backend, key: str
    ) -> None:
        known = backend.get_many([key])
        backend.put(key, b"1")

        in_thread(lambda: backend.wait([key], WAIT, known=known)).result(PATIENCE)

    def test_a_wait_for_nothing_ends_after_its_time(
        self, backend: Backend, key: str, pass_time: PassTime
    ) -> None:
        waiting = in_thread(lambda: backend.wait([key], 1.0))

        def has_ended() -> bool:
            pass_time(1.0)
            return waiting.done()

        until(has_ended, "end of the wait")

    def test_closing_ends_a_wait(self, backend: Backend, key: str) -> None:
        waiting = in_thread(lambda: backend.wait([key], WAIT))

        backend.close()
        backend.close()

        waiting.result(WAIT / 2)
