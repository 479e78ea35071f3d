"""Calls to one server: any number of them in one round trip."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from redis.exceptions import AuthenticationError, BusyLoadingError, NoScriptError, RedisError, ResponseError

from cloudq.errors import CloudqError
from cloudq.processes import PerProcess
from cloudq.redis.address import Address
from cloudq.redis.calls import Call, Word, command
from cloudq.redis.connections import Connection, Connections, cut
from cloudq.redis.failures import Failure, Failures

__all__ = ["Server"]


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
        connection = self.connections.take()
        try:
            answers, is_well = self._exchange(connection, calls)
            if is_well:
                self.connections.give_back(connection)
                return answers
            self._teach(connection, calls, answers)
        except BaseException:
            connection.disconnect()  # an answer may still come that nobody would expect
            raise
        if any(isinstance(answer, _Broken) for answer in answers):
            connection.disconnect()
        else:
            self.connections.give_back(connection)
        return [self._failure(answer) if isinstance(answer, Exception) else answer for answer in answers]

    def ask(self, call: Call) -> Any:
        """Make one call.

        Raises:
            CloudqError: It failed.
        """
        (answer,) = self.run([call])
        if isinstance(answer, Failure):
            raise answer.error
        return answer

    def wait(self, keys: Sequence[Word], seconds: float) -> None:
        """Return when one of these lists has an element, which is removed, after `seconds`, or on `close`."""
        connection = self.connections.take()
        blocked = self._blocked.get()
        blocked.add(connection)
        try:
            if self.is_closed:
                return
            patience = min(seconds, self.address.patience / 2)
            (answer,), _ = self._exchange(
                connection, [command("BLPOP", *keys, f"{max(patience, 0.001):.3f}")]
            )
            if self.is_closed:
                return
            if isinstance(answer, Exception):
                raise self._failure(answer).error
        finally:
            blocked.discard(connection)
            if self.is_closed:
                connection.disconnect()
            else:
                self.connections.give_back(connection)

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
            cut(connection)
        self.connections.close()

    def _teach(self, connection: Connection, calls: Sequence[Call], answers: list[Any]) -> None:
        """Make calls again whose scripts the server has forgotten, as by a restart: they haven't run."""
        unknown = [at for at, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        scripts = dict.fromkeys(script for at in unknown if (script := calls[at].script) is not None)
        again = [*(script.load() for script in scripts), *(calls[at] for at in unknown)]
        if unknown:
            found, _ = self._exchange(connection, again)
            for at, answer in zip(unknown, found[len(scripts) :], strict=True):
                answers[at] = answer

    @staticmethod
    def _exchange(connection: Connection, calls: Sequence[Call]) -> tuple[list[Any], bool]:
        """Each call's answer or error, from where the connection broke on `_Broken`; whether all is well."""
        answers: list[Any] = []
        is_well = True
        try:
            connection.send_packed_command([call.packed for call in calls], check_health=False)
            for _ in calls:
                try:
                    answers.append(connection.read_response())
                except ResponseError as error:
                    is_well = False
                    answers.append(error)
        except (AuthenticationError, BusyLoadingError) as error:
            # redis-py has disconnected; nothing was done.
            return answers + [error] * (len(calls) - len(answers)), False
        except (RedisError, OSError) as error:
            return answers + [_Broken(error)] * (len(calls) - len(answers)), False
        return answers, is_well

    def _failure(self, error: Exception) -> Failure:
        if isinstance(error, _Broken):
            return Failure(self._failures.lost(self.address.shown, error.cause))
        return Failure(self._failures.refused(self.address.shown, error), str(error) or type(error).__name__)


class _Broken(Exception):
    """The connection broke before an answer came."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause
