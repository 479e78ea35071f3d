"""What came of it, read back from where it ended up, and held against what had to come of it.

The inputs say what is expected. What is found is asked of the queues' attributes, the dead-letter queues, the
result backend, the files and the mail server's inbox; nothing here comes from what was counted on the way.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cloudq.results import Record
from examples.demo.cloud import Cloud, DeadLetter, Depth
from examples.demo.inputs import QUEUES, Work, of_queue
from examples.demo.smtp_sink import SmtpSink
from examples.demo.watching import Sent

_SHOWN = 3
_TITLES = {"worker": "done by worker", "Lambda": "done by Lambda"}


@dataclass(frozen=True, slots=True)
class Row:
    """A queue's line in the table.

    Args:
        published: Messages in the queue before anybody received.
        worker: Done by a worker's process, as their results say.
        Lambda: Done by a Lambda function, as their results say.
        retried: Attempts that repeated a failed one, by their records.
        dead: Messages in the dead-letter queue.
    """

    published: int
    worker: int
    Lambda: int
    retried: int
    dead: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was read back.

    Args:
        found: The table.
        expected: What it should say, counted from the inputs.
        records: Each message's work and record.
        dead_letters: The messages in the dead-letter queues.
        missing: What isn't as it should be, one sentence each.
    """

    found: Mapping[str, Row]
    expected: Mapping[str, Row]
    records: Sequence[tuple[Work, Record]]
    dead_letters: Sequence[DeadLetter]
    missing: Sequence[str]


def audit(
    cloud: Cloud, sent: Sent, published: Mapping[str, int], *, output: Path, inbox: SmtpSink
) -> Findings:
    """Read everything back.

    Args:
        cloud: The queues.
        sent: The messages.
        published: Each queue's depth before anybody received, by its attributes.
        output: The folder with the files.
        inbox: The mail server.
    """
    work = [one for one, _ in sent]
    depths = {queue: cloud.depth(queue) for queue in QUEUES}
    records = [(one, result.record) for one, result in sent]
    letters = [letter for queue in QUEUES for letter in cloud.dead_letters(queue)]
    functions = cloud.functions()
    found = {
        queue: _found(queue, published.get(queue, 0), depth, records, functions)
        for queue, depth in depths.items()
    }
    expected = {queue: _expected(of_queue(work, queue)) for queue in QUEUES}
    # What a queue still holds needs no second line that says its tasks didn't run.
    held = {queue for queue, depth in depths.items() if depth.open}
    missing = [
        *_in_queues(cloud, depths),
        *_in_table({queue: row for queue, row in found.items() if queue not in held}, expected),
        *_in_records(records),
        *_in_dead_letters(sent, letters, held),
        *_in_files(work, output),
        *_in_inbox(work, inbox),
    ]
    return Findings(found, expected, records, letters, missing)


def _expected(work: Sequence[Work]) -> Row:
    done = [one for one in work if one.dies_of is None]
    return Row(
        published=len(work),
        worker=sum(one.consumer == "worker" for one in done),
        Lambda=sum(one.consumer == "Lambda" for one in done),
        retried=sum(one.retries for one in work),
        dead=len(work) - len(done),
    )


def _found(
    queue: str, published: int, depth: Depth, records: Iterable[tuple[Work, Record]], functions: Sequence[str]
) -> Row:
    mine = [record for work, record in records if work.queue == queue]
    ran_by = [record.result["by"] for record in mine if record.state == "SUCCESS"]
    on_lambda = sum(by in functions for by in ran_by)
    return Row(
        published=published,
        worker=len(ran_by) - on_lambda,
        Lambda=on_lambda,
        retried=sum(record.attempt - 1 for record in mine),
        dead=depth.dead,
    )


def _in_queues(cloud: Cloud, depths: Mapping[str, Depth]) -> Iterator[str]:
    for queue, depth in depths.items():
        if depth.open:
            yield (
                f"queue {queue!r} still holds {_count(depth.open, 'message')} ({depth.waiting} waiting, "
                f"{depth.leased} in hand, {depth.delayed} delayed); {_who(cloud, queue)}"
            )


def _who(cloud: Cloud, queue: str) -> str:
    if QUEUES[queue] == "Lambda":
        state = cloud.mapping_state(queue)
        return f"the event source mapping that should bring them to Lambda is {state}"
    if queue in cloud.receives():
        return "a worker has asked for messages, but these were not finished"
    return "no worker polls it: not one ReceiveMessage has come"


def _in_table(found: Mapping[str, Row], expected: Mapping[str, Row]) -> Iterator[str]:
    for queue, row in found.items():
        for field, is_now, should_be in zip(fields(Row), astuple(row), astuple(expected[queue]), strict=True):
            if is_now != should_be:
                yield f"queue {queue!r}: {_TITLES.get(field.name, field.name)} {is_now}, not {should_be}"


def _in_records(records: Iterable[tuple[Work, Record]]) -> Iterator[str]:
    for work, record in records:
        ends = ("SUCCESS",) if work.dies_of is None else ("FAILURE", "DEAD")
        if record.state == "PENDING":
            continue  # one line a queue says so already
        if record.state not in ends:
            yield f"{work.task}{work.args!r:.80} is {record.state}: {record.error or 'not finished'}"
        elif record.attempt - 1 != work.retries:
            again = record.attempt - 1
            yield f"{work.task}{work.args!r:.80} was retried {again} times, {work.retries} expected"


def _in_dead_letters(sent: Sent, letters: Iterable[DeadLetter], held: Collection[str]) -> Iterator[str]:
    by_id = {letter.body.get("id"): letter for letter in letters}
    for work, result in sent:
        letter = by_id.pop(result.id, None)
        if work.dies_of is None:
            if letter is not None:
                yield f"{work.task} {result.id} is dead, and should not be: {letter.reason}"
        elif letter is None and work.queue in held:
            continue
        elif letter is None:
            yield f"{work.task} {result.id} is not in the dead-letter queue of {work.queue!r}"
        elif work.dies_of not in str(dict(letter.reason)):
            yield f"the dead letter of {work.task} doesn't say {work.dies_of!r}: {letter.reason}"
    for stranger in by_id:
        yield f"a dead-letter queue holds {stranger}, which nobody sent"


def _in_files(work: Iterable[Work], output: Path) -> Iterator[str]:
    pictures = [(output / one.file, one.size) for one in work if one.file and one.size]
    absent = [path.relative_to(output).as_posix() for path, _ in pictures if not path.is_file()]
    if absent:
        yield f"{_count(len(absent), 'picture')} not made: {_some(absent)}"
    for path, size in pictures:
        if path.is_file():
            yield from _in_picture(path, size)


def _in_picture(path: Path, size: tuple[int, int]) -> Iterator[str]:
    try:
        with Image.open(path) as image:
            image.load()
            if max(abs(image.width - size[0]), abs(image.height - size[1])) > 1:
                yield f"{path} is {image.width} x {image.height} pixels, {size[0]} x {size[1]} expected"
    except (UnidentifiedImageError, OSError) as error:
        yield f"{path} is no picture: {error}"


def _in_inbox(work: Iterable[Work], inbox: SmtpSink) -> Iterator[str]:
    arrived = {path.name for path in inbox.folder.glob("*.eml")}
    expected = {f"{one.to}.eml": one for one in work if one.to}
    if absent := sorted(expected.keys() - arrived):
        yield f"{_count(len(absent), 'e-mail')} not delivered: {_some([name[:-4] for name in absent])}"
    if strange := sorted(arrived - expected.keys()):
        yield f"{_count(len(strange), 'e-mail')} that nobody should have got: {_some(strange)}"
    for name in sorted(expected.keys() & arrived):
        yield from _in_letter(expected[name], inbox.folder / name, inbox)


def _in_letter(work: Work, path: Path, inbox: SmtpSink) -> Iterator[str]:
    letter = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    if letter["Subject"] != work.args[1]:
        yield f"the e-mail to {work.to} is about {letter['Subject']!r}, {work.args[1]!r} expected"
    refusals = sum(said.startswith("4") for address, said in inbox.answers if address == work.to)
    if refusals != work.retries:
        yield f"the mail server refused {work.to} {refusals} times, {work.retries} expected"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= _SHOWN else f"{', '.join(names[:_SHOWN])} and others"
