"""Calls to one server: any number of them in one round trip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from cloudq.errors import CloudqError
from cloudq.processes import PerProcess
from cloudq.redis.address import Address
from cloudq.redis.calls import Call, Word, command
from cloudq.redis.connections import Connection, Connections
from cloudq.redis.failures import Failure, Failures
from cloudq.redis.replies import Refusal

__all__ = ["Server"]

_NO_SCRIPT: Final = "NOSCRIPT "
"""How a server answers that it doesn't know a script."""


class Server:
    """One Redis server, connected to on first use. Thread-safe, and safe to fork with.

    Args:
        address: Where it is.
        failures: What to raise.
    """

    def __init__(self, address: Address, failures: Failures) -> None:
        self.address = address
        self.is_closed = False
        self._failures = failures
        self.connections = Connections(address, failures)
        self._blocked: PerProcess[set[Connection]] = PerProcess(set)

    def run(self, calls: Sequence[Call]) -> list[Any | Failure]:
        """Make calls, in this order, in one round trip; what each answered, or how it failed.

        Raises:
            CloudqError: The server can't be reached: no call was made.
        """
        if self.is_closed:
            raise self._failures.closed(self.address.shown)
        return self._run(self.connections.take(), calls)

    def ask(self, call: Call) -> Any:
        """Make one call.

        Raises:
            CloudqError: It failed.
        """
        (answer,) = self.run([call])
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    def wait(self, keys: Sequence[Word], seconds: float, then: Call) -> list[Any | Failure]:
        """Make a call once one of these lists has an element, which is removed, or after `seconds`.

        Both go out together, so that the call is made the moment the wait ends: a round trip less. Returns
        what the wait, which `close` ends, and the call answered.

        Raises:
            CloudqError: The server can't be reached: no call was made.
        """
        connection = self.connections.take()
        blocked = self._blocked.get()
        blocked.add(connection)
        try:
            if self.is_closed:
                connection.disconnect()
                raise self._failures.closed(self.address.shown)
            patience = max(min(seconds, self.address.patience / 2), 0.001)
            return self._run(connection, [command("BLPOP", *keys, f"{patience:.3f}"), then])
        finally:
            blocked.discard(connection)

    @contextmanager
    def until_closed(self) -> Generator[None]:
        """End quietly what a `close` in another thread breaks off."""
        try:
            yield
        except CloudqError:
            if not self.is_closed:
                raise

    def close(self) -> None:
        """Let go of connections; waits return at once, everything else is refused."""
        self.is_closed = True
        for connection in list(self._blocked.get()):
            connection.cut()
        self.connections.close()

    def _run(self, connection: Connection, calls: Sequence[Call]) -> list[Any | Failure]:
        try:
            answers = self._exchange(connection, calls)
            failed = [at for at, answer in enumerate(answers) if isinstance(answer, Exception)]
            if failed:
                self._teach(connection, calls, answers)
        except BaseException:
            connection.disconnect()  # an answer may still come that nobody would expect
            raise
        if self.is_closed or (failed and any(isinstance(answers[at], _Broken) for at in failed)):
            connection.disconnect()
        else:
            self.connections.give_back(connection)
        for at in failed:
            if isinstance(error := answers[at], Exception):
                answers[at] = self._failure(error)
        return answers

    @staticmethod
    def _teach(connection: Connection, calls: Sequence[Call], answers: list[Any]) -> None:
        """Make calls again whose scripts the server has forgotten, as by a restart: they haven't run."""
        unknown = [at for at, answer in enumerate(answers) if _wants_script(answer)]
        scripts = dict.fromkeys(script for at in unknown if (script := calls[at].script) is not None)
        again = [*(script.load() for script in scripts), *(calls[at] for at in unknown)]
        if unknown:
            found = Server._exchange(connection, again)
            for at, answer in zip(unknown, found[len(scripts) :], strict=True):
                answers[at] = answer

    @staticmethod
    def _exchange(connection: Connection, calls: Sequence[Call]) -> list[Any]:
        """Each call's answer, a `Refusal`, or, from where the connection broke on, `_Broken`."""
        answers: list[Any] = []
        try:
            connection.send(calls[0].packed if len(calls) == 1 else b"".join([one.packed for one in calls]))
            for _ in calls:
                answers.append(connection.read())  # noqa: PERF401 - what came before it broke counts
        except OSError as error:
            answers += [_Broken(error)] * (len(calls) - len(answers))
        return answers

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, _Broken):
            return Failure(self._failures.lost(self.address.shown, error.cause))
        return Failure(self._failures.refused(self.address.shown, error), str(error) or type(error).__name__)


class _Broken(Exception):
    """The connection broke before an answer came."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _wants_script(answer: object) -> bool:
    return isinstance(answer, Refusal) and str(answer).startswith(_NO_SCRIPT)
