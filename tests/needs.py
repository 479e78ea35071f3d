"""What tests need of the machine besides Python: servers, programs, a kind of address."""

from __future__ import annotations

import os
import shutil
import socket
from typing import NoReturn

import pytest


def missing(why: str) -> NoReturn:
    """Skip a test that lacks something; fail it where CLOUDQ_REQUIRE_SERVICES is set: in CI."""
    if os.environ.get("CLOUDQ_REQUIRE_SERVICES"):
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def need_program(name: str) -> None:
    if shutil.which(name) is None:
        missing(f"no {name} on the path")


def need_ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        missing(f"no IPv6 loopback: {error}")
