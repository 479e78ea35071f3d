from __future__ import annotations

import pytest

from cloudq.redis.replies import Refusal, Replies

ANSWERS = (
    (b"+OK\r\n", b"OK"),
    (b":-12\r\n", -12),
    (b"$5\r\na\r\nbc\r\n", b"a\r\nbc"),
    (b"$0\r\n\r\n", b""),
    (b"$-1\r\n", None),
    (b"*-1\r\n", None),
    (b"*0\r\n", []),
    (b"*3\r\n:1\r\n*1\r\n$1\r\nx\r\n$-1\r\n", [1, [b"x"], None]),
)


def replies(*chunks):
    left = list(chunks)
    return Replies(lambda _: left.pop(0) if left else b"")


@pytest.mark.parametrize(("sent", "answer"), ANSWERS)
def test_each_kind_of_answer_is_read(sent, answer):
    assert replies(sent).read() == answer


def test_answers_are_read_wherever_the_network_cuts_them():
    whole = b"".join(sent for sent, _ in ANSWERS)
    cut = [whole[at : at + 1] for at in range(len(whole))]

    for chunks in ([whole], cut):
        read = replies(*chunks)
        assert [read.read() for _ in ANSWERS] == [answer for _, answer in ANSWERS]
        assert not read.has_some


def test_a_refusal_is_an_answer_like_others_wherever_it_stands():
    read = replies(b"*2\r\n-NOSCRIPT No matching script.\r\n:1\r\n:2\r\n")

    refusal, number = read.read()

    assert isinstance(refusal, Refusal)
    assert str(refusal) == "NOSCRIPT No matching script."
    assert (number, read.read()) == (1, 2)


def test_a_connection_that_ends_amid_an_answer_breaks():
    with pytest.raises(ConnectionResetError):
        replies(b"$5\r\nab").read()


def test_what_another_server_says_breaks_the_connection():
    with pytest.raises(ConnectionAbortedError, match="reply type"):
        replies(b"HTTP/1.1 400 Bad Request\r\n").read()
