"""What the three batch operations share: which batches are refused, and how entries fail one by one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from cloudq_emulator.sqs import limits
from cloudq_emulator.sqs.errors import SqsError
from cloudq_emulator.sqs.refusals import (
    EMPTY_BATCH,
    IDS_NOT_DISTINCT,
    INVALID_BATCH_ENTRY_ID,
    MISSING_PARAMETER,
    TOO_MANY_ENTRIES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cloudq_emulator.sqs.call import Call

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")


def entries_of(call: Call, entry: str) -> Sequence[Mapping[str, Any]]:
    """A batch's entries.

    Args:
        call: The call.
        entry: What SQS calls an entry of this operation in its errors.

    Raises:
        SqsError: There are none or too many, or their ids won't do; the whole batch is refused.
    """
    entries = call.params.get("Entries")
    if entries is None:
        raise MISSING_PARAMETER.error(name="Entries")
    if not entries:
        raise EMPTY_BATCH.error(entry=entry)
    if len(entries) > limits.BATCH:
        raise TOO_MANY_ENTRIES.error(count=len(entries))
    seen: set[str] = set()
    for number, one in enumerate(entries, 1):
        id_ = one.get("Id")
        if id_ is None:
            raise MISSING_PARAMETER.error(name=f"{entry}.{number}.Id")
        if not _ID.fullmatch(id_):
            raise INVALID_BATCH_ENTRY_ID.error()
        if id_ in seen:
            raise IDS_NOT_DISTINCT.error(id=id_)
        seen.add(id_)
    return entries


def each(
    entries: Sequence[Mapping[str, Any]], do: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Do it for each entry, and answer who succeeded and who failed; an empty list is left out, as by SQS."""
    successful: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for entry in entries:
        try:
            successful.append({"Id": entry["Id"], **do(entry)})
        except SqsError as error:
            failed.append(
                {"Id": entry["Id"], "Code": error.code, "Message": error.entry_message, "SenderFault": True}
            )
    answer: dict[str, Any] = {"Successful": successful} if successful else {}
    return {**answer, "Failed": failed} if failed else answer
