"""Queues in one file: nothing to install, several processes, survives restarts and power cuts."""

from __future__ import annotations

from cloudq.brokers.sqlite.broker import SqliteBroker, connect

__all__ = ["SqliteBroker", "connect"]
