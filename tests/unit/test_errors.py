from __future__ import annotations

import inspect
import re
from datetime import timedelta

import pytest

from cloudq import errors
from cloudq.errors import (
    CloudqError,
    DecodeError,
    MessageTooLargeError,
    NotAcceptedError,
    Retry,
    TaskSignal,
)

LINE = re.compile(r"(?P<bars>[│ ]*[├└]── )?(?P<name>[A-Z]\w+)(?: ?\((?P<note>[^)]*)\))?(?:  |\(|$)")
CLASSES = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)
}


def drawn_tree():
    """The classes with the bases that the module's docstring draws."""
    above: list[str] = []
    for line in errors.__doc__.splitlines()[2:]:
        if match := LINE.match(line):
            depth = len(match["bars"] or "") // 4
            del above[depth:]
            bases = {above[-1]} if above else set()
            note = (match["note"] or "").split(", ")
            yield match["name"], bases | {base for base in note if base and base[0].isupper()}
            above.append(match["name"])


def test_the_docstring_draws_the_tree_as_it_is():
    drawn = dict(drawn_tree())

    assert set(drawn) == set(CLASSES)
    for name, bases in drawn.items():
        real = {base.__name__ for base in CLASSES[name].__bases__}
        assert real - {"Exception"} == bases - {"Exception"}, name


def test_every_error_has_one_root_and_signals_are_no_errors():
    for kind in CLASSES.values():
        is_error = issubclass(kind, CloudqError)
        assert is_error != (issubclass(kind, TaskSignal))


def test_errors_carry_what_they_are_about():
    too_large = MessageTooLargeError("Too large.", queue="q", size_bytes=3, limit_bytes=2)
    refused = NotAcceptedError("Refused.", queue="q", may_be_sent=True)

    assert (str(too_large), too_large.queue, too_large.size_bytes) == ("Too large.", "q", 3)
    assert (refused.queue, refused.may_be_sent) == ("q", True)
    assert DecodeError("Bad.", b"x").data == b"x"


@pytest.mark.parametrize(("countdown", "seconds"), [(None, None), (5, 5), (timedelta(minutes=1), 60.0)])
def test_a_retry_says_when_in_seconds(countdown, seconds):
    assert Retry(countdown).countdown == seconds
