"""Writes what SQS refuses as a page: `python -m cloudq_emulator.sqs.error_page > docs/emulator/errors.md`."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

from cloudq_emulator.sqs.errors import UNVERIFIED
from cloudq_emulator.sqs.refusals import rows
from cloudq_emulator.sqs.sources import QUOTED

if TYPE_CHECKING:
    from cloudq_emulator.sqs.errors import Refusal

_HEAD: Final = """\
# What the local SQS refuses

All {count} refusals, as `cloudq_emulator/sqs/refusals.py` has them; this page is made from it.
**{unverified} of them are unverified**: that AWS refuses is documented or likely, but its very words aren't
known, and the text is ours or another emulator's. {quoted} are *quoted*: another emulator has them, whose
authors' notes tell of what AWS answered; nobody's recording of them is known to us. Codes, shapes and
statuses are those of botocore's models.

| code | status | text | where the text was seen |
|---|---|---|---|
"""
_FIELD: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
_THREAD: Final = re.compile(r"github\.com/\S+?(?=[,;\s]|$)")


def page() -> str:
    """The page, in Markdown."""
    table = rows().values()
    unverified = sum(row.source.startswith(UNVERIFIED) for row in table)
    quoted = sum(row.source == QUOTED for row in table)
    head = _HEAD.format(count=len(table), unverified=unverified, quoted=quoted)
    return head + "".join(f"{_line(row)}\n" for row in table)


def _line(row: Refusal) -> str:
    text = _shown(row.text)
    if row.query_text:
        text += f"<br>query protocol: {row.query_text}"
    if row.entry_text:
        text += f"<br>in a batch's entry: {_shown(row.entry_text)}"
    return f"| `{row.code}` | {row.status} | {text} | {_THREAD.sub(_link, row.source)} |"


def _shown(text: str) -> str:
    return _FIELD.sub(r"*\1*", text).replace("|", r"\|").replace("<", "&lt;")


def _link(thread: re.Match[str]) -> str:
    return f"[{thread[0].removeprefix('github.com/')}](https://{thread[0]})"


if __name__ == "__main__":
    sys.stdout.write(page())
