"""How a connection begins. Pure: it is fed what the server says and says what to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from cloudq.brokers.rabbitmq.frames import PROTOCOL_HEADER, Answer, ProtocolError, called, spec
from cloudq.brokers.rabbitmq.urls import Address
from cloudq.errors import BrokerError, BrokerUnavailableError, ConfigurationError

__all__ = ["Handshake"]

CHANNELS = 2047
LARGEST_FRAME = 131_072
"""Bytes: RabbitMQ's own default. Source: RabbitMQ, Configuration, frame_max, read 2026-11."""

_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530


class Handshake:
    """The first methods of a connection, up to the open virtual host.

    Args:
        address: Where, and as whom.
        name: What the server's lists call the connection.
    """

    def __init__(self, address: Address, name: str) -> None:
        self._address = address
        self._name = name
        self.is_done = False
        self.frame_max = LARGEST_FRAME
        self.heartbeat = address.heartbeat

    def begin(self) -> bytes:
        """What is sent first."""
        return PROTOCOL_HEADER

    def answer(self, event: object) -> bytes:
        """What to say to what the server said.

        Raises:
            ConfigurationError: It refused the user or the virtual host.
            ProtocolError: It said something else than a server says there.
        """
        if not isinstance(event, Answer):
            raise ProtocolError(f"{type(event).__name__} before the connection was open")
        method = event.method
        match method.NAME:
            case "Connection.Start":
                return self._start(str(method.mechanisms))
            case "Connection.Tune":
                return self._tune(method.frame_max, method.heartbeat)
            case "Connection.OpenOk":
                self.is_done = True
                return b""
            case "Connection.Close":
                raise self.refusal(method.reply_code, str(method.reply_text))
            case other:
                raise ProtocolError(f"{other} before the connection was open")

    def refusal(self, code: int, text: str) -> BrokerError | ConfigurationError:
        """What a server means that closes the connection at this point."""
        address = self._address
        if code == _ACCESS_REFUSED:
            return ConfigurationError(
                f"RabbitMQ at {address} refuses user {address.user!r} or the password: see the user and the "
                "password in broker_url."
            )
        if code == _NOT_ALLOWED:
            return ConfigurationError(
                f"RabbitMQ at {address.host}:{address.port} has no virtual host {address.vhost!r}, or user "
                f"{address.user!r} may not use it ({text}): see the path of broker_url."
            )
        return BrokerUnavailableError(f"RabbitMQ at {address} closed the connection: {code} {text}.")

    def _start(self, mechanisms: str) -> bytes:
        if "PLAIN" not in mechanisms.strip("b'").split():  # pika gives the text of a bytes object
            raise ConfigurationError(
                f"RabbitMQ at {self._address} takes no user and password (PLAIN), but {mechanisms}."
            )
        secret = f"\0{self._address.user}\0{self._address.password}"
        properties: Mapping[str, Any] = {
            "product": "cloudq",
            "connection_name": self._name,
            "capabilities": {
                "publisher_confirms": True,
                "consumer_cancel_notify": True,
                "connection.blocked": True,
                "basic.nack": True,
                "authentication_failure_close": True,
            },
        }
        return called(0, spec.Connection.StartOk(properties, "PLAIN", secret, "en_US"))

    def _tune(self, frame_max: int, heartbeat: int) -> bytes:
        self.frame_max = min(frame_max or LARGEST_FRAME, LARGEST_FRAME)
        self.heartbeat = min(float(heartbeat) or self._address.heartbeat, self._address.heartbeat)
        tuned = spec.Connection.TuneOk(CHANNELS, self.frame_max, int(self.heartbeat))
        return called(0, tuned) + called(0, spec.Connection.Open(cast("Any", self._address.vhost)))
