"""AMQP 0-9-1 as bytes. Pure: no socket, no time.

pika's tables code the methods that are rare. What comes and goes with each message is coded here: through
pika's objects it takes four times the processor's time (docs/decisions.md).

| piece | what it is |
|---|---|
| `FrameReader` | bytes in, `Content`, `Confirmation` and `Answer` out |
| `published`, `acked`, `rejected`, `returned`, `called` | what is written |
| `Properties` | what travels beside a body |
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from pika import data as _data
from pika import exceptions as _exceptions
from pika import frame as _frame
from pika import spec as _spec

__all__ = [
    "DELIVER",
    "GET_OK",
    "HEARTBEAT",
    "PROTOCOL_HEADER",
    "RETURN",
    "Answer",
    "Confirmation",
    "Content",
    "FrameReader",
    "Properties",
    "ProtocolError",
    "acked",
    "called",
    "published",
    "rejected",
    "returned",
    "spec",
]

spec: Any = _spec
"""pika's methods, untyped."""

DELIVER, GET_OK, RETURN = 0x3C003C, 0x3C0047, 0x3C0032
_ACK, _NACK, _REJECT, _PUBLISH = 0x3C0050, 0x3C0078, 0x3C005A, 0x3C0028
_BASIC = 60
_METHOD, _HEADER, _BODY, _HEARTBEAT_TYPE = 1, 2, 3, 8
_END = b"\xce"
_OVERHEAD = 8
"""Bytes of a frame besides its payload: type, channel, size, end. Source: AMQP 0-9-1, 2.3.5, read 2026-11."""

HEARTBEAT = b"\x08\x00\x00\x00\x00\x00\x00\xce"
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"

_FRAME = struct.Struct(">BHI")
_ID = struct.Struct(">I")
_TAG = struct.Struct(">Q")
_TAG_BITS = struct.Struct(">QB")
_CONTENT = struct.Struct(">HHQ")
_SETTLE = struct.Struct(">BHIIQBB")
_CONTENT_FRAME = struct.Struct(">BHIHHQ")
_FLAGS = struct.Struct(">H")
_HAS_HEADERS, _HAS_MODE, _HAS_ID, _HAS_TIME = 1 << 13, 1 << 12, 1 << 7, 1 << 6
_PERSISTENT = 2
_PLAIN = _HAS_MODE | _HAS_ID | _HAS_TIME


class ProtocolError(Exception):
    """What came isn't AMQP 0-9-1; the connection can't be used any more."""


@dataclass(slots=True)
class Content:
    """A message that came: a delivery, the answer to a get, or what couldn't be routed.

    Args:
        channel: Where.
        kind: `DELIVER`, `GET_OK` or `RETURN`.
        tag: Its delivery tag; 0 of a return.
        is_redelivered: Whether it was delivered before.
        text: Why it was returned.
        properties: As they came, still coded.
        body: Its body.
    """

    channel: int
    kind: int
    tag: int
    is_redelivered: bool
    text: str = ""
    properties: bytes = b""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The server has taken (or refused) what was published, up to a tag or that one alone."""

    channel: int
    tag: int
    is_multiple: bool
    is_positive: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """Any other method, as pika's object."""

    channel: int
    method: Any


Event = Content | Confirmation | Answer


class FrameReader:
    """Takes apart what a server sends."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._open: dict[int, tuple[Content, int, list[bytes]]] = {}  # by channel, with what is missing

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete.

        Raises:
            ProtocolError: They aren't AMQP.
        """
        buffer = self._data
        buffer += data
        events: list[Event] = []
        position, end = 0, len(buffer)
        while end - position >= _OVERHEAD:
            kind, channel, size = _FRAME.unpack_from(buffer, position)
            begin = position + 7
            if end - begin <= size:
                break
            if buffer[begin + size] != _END[0]:
                raise ProtocolError("a frame doesn't end where it should")
            event = self._take(kind, channel, begin, size)
            if event is not None:
                events.append(event)
            position = begin + size + 1
        del buffer[:position]
        return events

    def _take(self, kind: int, channel: int, begin: int, size: int) -> Event | None:
        buffer = self._data
        if kind == _METHOD:
            return self._method(channel, begin, size)
        if kind == _HEARTBEAT_TYPE:
            return None
        if (opened := self._open.get(channel)) is None:
            raise ProtocolError(f"a frame of type {kind} that belongs to nothing")
        content, missing, pieces = opened
        if kind == _HEADER:
            missing = _CONTENT.unpack_from(buffer, begin)[2]
            content.properties = bytes(buffer[begin + _CONTENT.size : begin + size])
        else:
            missing -= size
            pieces.append(bytes(buffer[begin : begin + size]))
        if missing > 0:
            self._open[channel] = (content, missing, pieces)
            return None
        del self._open[channel]
        content.body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return content

    def _method(self, channel: int, begin: int, size: int) -> Event | None:
        buffer = self._data
        (number,) = _ID.unpack_from(buffer, begin)
        begin += 4
        if number == DELIVER:
            begin += 1 + buffer[begin]  # the consumer's tag: there is one a channel
            tag, is_redelivered = _TAG_BITS.unpack_from(buffer, begin)
            self._open[channel] = (Content(channel, DELIVER, tag, bool(is_redelivered)), 0, [])
            return None
        if number in (_ACK, _NACK):
            tag, bits = _TAG_BITS.unpack_from(buffer, begin)
            return Confirmation(channel, tag, bool(bits & 1), number == _ACK)
        method = _decoded(number, bytes(buffer[begin : begin + size - 4]))
        if number == GET_OK:
            content = Content(channel, GET_OK, method.delivery_tag, bool(method.redelivered))
        elif number == RETURN:
            content = Content(channel, RETURN, 0, False, f"{method.reply_code} {method.reply_text}")
        else:
            return Answer(channel, method)
        self._open[channel] = (content, 0, [])
        return None


def _decoded(number: int, payload: bytes) -> Any:
    try:
        return spec.methods[number]().decode(payload)
    except (KeyError, struct.error, IndexError, _exceptions.AMQPError) as error:
        raise ProtocolError(f"method {number:#x} can't be read") from error


@dataclass(slots=True)
class Properties:
    """What travels beside a body.

    Args:
        id: The message's id; empty where it has none.
        headers: By name.
        sent_at: Seconds since the epoch, whole ones; None where it isn't said.
        others: pika's properties of a message that we didn't write, so that a copy keeps them.
    """

    id: str
    headers: Mapping[str, Any]
    sent_at: float | None = None
    others: Any = None

    @classmethod
    def decode(cls, coded: bytes) -> Properties:
        """Read what a server sent.

        Raises:
            ProtocolError: It can't be read.
        """
        try:
            (flags,) = _FLAGS.unpack_from(coded)
            if flags | _HAS_HEADERS == _PLAIN | _HAS_HEADERS:
                return cls._decode_ours(coded, has_headers=bool(flags & _HAS_HEADERS))
            found = spec.BasicProperties().decode(coded)
        except (struct.error, IndexError, ValueError, _exceptions.AMQPError) as error:
            raise ProtocolError("a message's properties can't be read") from error
        sent_at = None if found.timestamp is None else float(found.timestamp)
        return cls(str(found.message_id or ""), found.headers or {}, sent_at, found)

    @classmethod
    def _decode_ours(cls, coded: bytes, *, has_headers: bool) -> Properties:
        offset = 2
        headers: Mapping[str, Any] = {}
        if has_headers:
            end = offset + 4 + int.from_bytes(coded[offset : offset + 4], "big")
            headers = _table(coded[offset:end])
            offset = end
        offset += 1  # the delivery mode: persistent
        end = offset + 1 + coded[offset]
        (sent_at,) = _TAG.unpack_from(coded, end)
        return cls(coded[offset + 1 : end].decode(), headers, float(sent_at))

    def encode(self) -> bytes:
        """As a content header's payload carries it."""
        if self.others is not None:
            self.others.headers = dict(self.headers) or None
            return b"".join(self.others.encode())
        name = self.id.encode()
        if not self.headers:
            flags, table = _PLAIN, b""
        else:
            pieces: list[bytes] = []
            _data.encode_table(pieces, dict(self.headers))
            flags, table = _PLAIN | _HAS_HEADERS, b"".join(pieces)
        head = _FLAGS.pack(flags) + table + bytes((_PERSISTENT, len(name)))
        return head + name + _TAG.pack(int(self.sent_at or 0))


_known_tables: dict[bytes, Mapping[str, Any]] = {}
_MOST_TABLES, _LARGEST_KNOWN = 100, 100


def _table(coded: bytes) -> Mapping[str, Any]:
    """A table; those of most messages are the same few, such as one that says it is delivered first."""
    if (known := _known_tables.get(coded)) is not None:
        return known
    table = cast("Mapping[str, Any]", _data.decode_table(coded, 0)[0])
    if len(coded) <= _LARGEST_KNOWN and len(_known_tables) < _MOST_TABLES:
        _known_tables[coded] = table
    return table


def called(channel: int, method: Any) -> bytes:
    """A method of pika's, as a frame."""
    return cast("bytes", cast("Any", _frame).Method(channel, method).marshal())


def published(channel: int, exchange: str, routing_key: str, *, mandatory: bool) -> bytes:
    """The frame before a message's content: where it goes."""
    exchange_bytes, key = exchange.encode(), routing_key.encode()
    payload = b"".join(
        (
            _ID.pack(_PUBLISH), b"\x00\x00",
            bytes((len(exchange_bytes),)), exchange_bytes,
            bytes((len(key),)), key,
            bytes((int(mandatory),)),
        )
    )  # fmt: skip
    return _FRAME.pack(_METHOD, channel, len(payload)) + payload + _END


def content(channel: int, properties: bytes, body: bytes, frame_max: int) -> bytes:
    """A message's content: its header's frame, and its body's."""
    size = len(body)
    header = _CONTENT_FRAME.pack(_HEADER, channel, _CONTENT.size + len(properties), _BASIC, 0, size)
    if size <= (room := frame_max - _OVERHEAD):
        if not size:
            return header + properties + _END
        return b"".join(
            (header, properties, _END, _FRAME.pack(_BODY, channel, size), body, _END),
        )
    pieces = [header, properties, _END]
    for start in range(0, size, room):
        piece = body[start : start + room]
        pieces += [_FRAME.pack(_BODY, channel, len(piece)), piece, _END]
    return b"".join(pieces)


def acked(channel: int, tag: int, *, multiple: bool = False) -> bytes:
    """An ack of one delivery, or of all up to it."""
    return _SETTLE.pack(_METHOD, channel, 13, _ACK, tag, int(multiple), _END[0])


def rejected(channel: int, tag: int) -> bytes:
    """Give one delivery back, counted. Source: RabbitMQ 4.3, Negative Acknowledgements, read 2026-11."""
    return _SETTLE.pack(_METHOD, channel, 13, _REJECT, tag, 1, _END[0])


def returned(channel: int, tag: int) -> bytes:
    """Give one delivery back; from 4.3 on uncounted. Source: as above."""
    return _SETTLE.pack(_METHOD, channel, 13, _NACK, tag, 2, _END[0])
