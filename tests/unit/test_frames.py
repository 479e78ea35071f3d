from __future__ import annotations

import pytest

from cloudq.delivery import (
    Dead,
    Done,
    Execution,
    FollowUp,
    Ignored,
    Outgoing,
    Reason,
    Requeue,
    RetryLater,
)
from cloudq.worker.frames import FrameError, Reader, pack, pack_execution, unpack_execution


def frames(data: bytes) -> list[tuple]:
    return list(Reader().feed(data))


def test_frames_come_out_as_they_went_in():
    data = pack("full", 1, 0.5) + pack("finished", [(2, (b"\xff", None))])

    assert frames(data) == [("full", 1, 0.5), ("finished", [(2, (b"\xff", None))])]


def test_frames_are_whole_however_their_bytes_come():
    reader = Reader()
    data = pack("returned", [1, 2]) + pack("ready")

    found = [frame for byte in data for frame in reader.feed(bytes([byte]))]

    assert found == [("returned", [1, 2]), ("ready",)]


def test_half_a_frame_is_none():
    assert frames(pack("finished", 1)[:-1]) == []


@pytest.mark.parametrize(
    "data",
    [
        b"hello, world: this is a task's print",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        b"cq1\n\x00\x00\x00\x01?",
        b"cq1\n\x00\x00\x00\x01N",
        b"cq1\n\x00\x00\x00\x00",
        b"cq1\n\xff\xff\xff\xff",
    ],
    ids=["text", "zeros", "no such type", "no tuple", "nothing", "too long"],
)
def test_what_is_no_frame_is_an_error(data: bytes):
    with pytest.raises(FrameError):
        frames(data)


@pytest.mark.parametrize(
    "outcome",
    [
        Done(),
        Done({"a": [1, 2.5, None, "ä"]}, (FollowUp("q", Outgoing("1", b"{}", 2.0, "g", "d", {"k": "v"})),)),
        RetryLater(1.5, 2, "ValueError: no", "Traceback", b"{}"),
        Requeue(3.0, "not yet", None, is_counted=True),
        Ignored("done before", is_revoked=True),
        Dead(Reason("failed", "It failed.", "ValueError: no", "Traceback", failures=3)),
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_an_execution_crosses_the_pipe_unchanged(outcome):
    execution = Execution(outcome=outcome, id="1", task="t", generation=2, attempt=3, seconds=0.5)

    ((words,),) = frames(pack(pack_execution(execution)))

    assert unpack_execution(words) == execution
