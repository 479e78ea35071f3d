"""Several messages at once, in greenlets: threads, in a process whose standard library gevent has patched."""

from __future__ import annotations

import importlib.util
import os
import socket
from typing import Any

from cloudq.errors import ConfigurationError
from cloudq.worker.executors import Runner
from cloudq.worker.executors.threads import run_threads

__all__ = ["check_gevent", "run_greenlets", "watch_supervisor"]


def check_gevent() -> None:
    """See that gevent is there.

    Raises:
        ConfigurationError: It isn't installed.
    """
    if importlib.util.find_spec("gevent") is None:
        raise ConfigurationError('The pool gevent needs gevent: pip install "cloudq[gevent]".')


def run_greenlets(runner: Runner) -> None:
    """Run jobs in as many greenlets as there are slots: what `threading` makes, once it is patched."""
    run_threads(runner)


def watch_supervisor(connection: socket.socket) -> None:
    """End the process when its supervisor is gone, though no greenlet yields: in a thread of the system's."""
    from gevent.monkey import get_original

    poll: Any = get_original("select", "poll")()
    poll.register(connection.fileno(), 0)  # for nothing but the other end's closing

    def watch() -> None:
        poll.poll()
        os._exit(0)

    start: Any = get_original("_thread", "start_new_thread")
    start(watch, ())
