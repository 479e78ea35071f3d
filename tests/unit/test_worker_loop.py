import socket

from cloudq.worker.loop import Loop


def test_a_channel_that_anothers_handler_has_closed_is_not_called():
    loop = Loop()
    pairs = [socket.socketpair() for _ in range(2)]
    called: list[int] = []

    def handle(number: int) -> None:
        called.append(number)
        other = pairs[1 - number][0]
        loop.unwatch(other)
        other.close()

    for number, (ours, theirs) in enumerate(pairs):
        loop.watch(ours, lambda number=number: handle(number))
        theirs.send(b".")
    loop.turn(1.0)
    assert len(called) == 1
    loop.close()
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_new_channel_under_a_closed_ones_number_is_not_taken_for_it():
    loop = Loop()
    pairs = [socket.socketpair() for _ in range(2)]
    late: list[socket.socket] = []
    called: list[int] = []

    def handle(number: int) -> None:
        other = pairs[1 - number][0]
        loop.unwatch(other)
        descriptor = other.fileno()
        other.close()
        late.extend(socket.socketpair())
        assert late[0].fileno() == descriptor
        loop.watch(late[0], lambda: called.append(number))

    for number, (ours, theirs) in enumerate(pairs):
        loop.watch(ours, lambda number=number: handle(number))
        theirs.send(b".")
    loop.turn(1.0)
    assert called == []
    loop.close()
    for end in [*late, *(end for pair in pairs for end in pair)]:
        end.close()
