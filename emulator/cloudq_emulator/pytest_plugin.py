"""For pytest: the fixture `cloudq_emulator`, an emulator that is empty at the start of each test.

One emulator serves a session, and so one each of xdist's workers. Nothing is loaded or started until a test
asks for the fixture.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cloudq_emulator import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloudq_emulator.remote import Emulator


@pytest.fixture(scope="session")
def _running_cloudq_emulator() -> Iterator[Emulator]:
    from cloudq_emulator import remote

    with remote.running() as emulator:
        yield emulator


@pytest.fixture
def cloudq_emulator(
    _running_cloudq_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Emulator]:
    """A local cloud, emptied and on real time; this test's environment points every SDK at it."""
    emulator = _running_cloudq_emulator
    emulator.reset()
    for name, value in environment.changes(emulator.endpoint_url, emulator.clock_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    _forget_session()
    yield emulator
    _forget_session()


def _forget_session() -> None:
    """Have boto3 make its default session anew: the one it has keeps another environment's credentials."""
    if "boto3" in sys.modules:
        import boto3

        boto3.DEFAULT_SESSION = None
