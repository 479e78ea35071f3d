"""A test that lacks a service must not pass for one that ran."""

from __future__ import annotations

import pytest

from tests.needs import missing, need_program


@pytest.fixture(params=["", None])
def laptop(request, monkeypatch):
    if request.param is None:
        monkeypatch.delenv("CLOUDQ_REQUIRE_SERVICES", raising=False)
    else:
        monkeypatch.setenv("CLOUDQ_REQUIRE_SERVICES", request.param)


@pytest.fixture
def ci(monkeypatch):
    monkeypatch.setenv("CLOUDQ_REQUIRE_SERVICES", "1")


def test_what_is_missing_on_a_laptop_skips_the_test(laptop):
    with pytest.raises(pytest.skip.Exception, match="no server"):
        missing("no server")


def test_what_is_missing_in_ci_fails_the_test(ci):
    with pytest.raises(pytest.fail.Exception, match="no server"):
        missing("no server")


def test_a_program_that_is_not_there_is_missing(ci):
    with pytest.raises(pytest.fail.Exception, match="no cloudq-nowhere on the path"):
        need_program("cloudq-nowhere")


def test_a_program_that_is_there_is_not_missing(ci):
    need_program("python3")
