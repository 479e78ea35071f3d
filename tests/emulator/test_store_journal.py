"""The journal of a store whose files are not as they were left."""

from __future__ import annotations

import logging

import pytest

from cloudq_emulator.store import Journal, StoreError


def test_half_a_line_at_the_end_is_put_aside(tmp_path, caplog):
    journal = Journal(tmp_path)
    assert list(journal.read()) == []
    journal.append([["a"]])
    journal.append([["b"]])
    journal.close()
    path = tmp_path / "sqs.journal"
    path.write_bytes(path.read_bytes()[:-3])

    with caplog.at_level(logging.WARNING):
        again = Journal(tmp_path)
        assert list(again.read()) == [[["a"]]]
    again.append([["c"]])
    again.close()

    assert [record.action for record in caplog.records] == ["journal_cut"]
    assert (tmp_path / "sqs.journal.damaged").read_bytes() == b'[["b"'
    assert list(Journal(tmp_path).read()) == [[["a"]], [["c"]]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b'[{"cloudq": "sqs", "version": 99}]\n', "of version 99"), (b"[1]\n", "is no journal")],
)
def test_a_journal_that_is_not_understood_is_not_touched(tmp_path, content, reason):
    (tmp_path / "sqs.journal").write_bytes(content)

    with pytest.raises(StoreError, match=reason):
        list(Journal(tmp_path).read())

    assert (tmp_path / "sqs.journal").read_bytes() == content


def test_a_folder_is_one_emulators(tmp_path):
    Journal(tmp_path)

    with pytest.raises(StoreError, match="in use by another"):
        Journal(tmp_path)
