"""One call of an operation, as the actions see it."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cloudq_emulator.sqs.refusals import (
    INVALID_ADDRESS,
    INVALID_TOKEN,
    MAX_RESULTS_RANGE,
    MISSING_PARAMETER,
    RESOURCE_DOES_NOT_EXIST,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudq_emulator.sqs.engine.queue import Queue
    from cloudq_emulator.sqs.engine.registry import Registry
    from cloudq_emulator.sqs.errors import Refusal

IDENTIFIER: Final = re.compile(r"[!-~]{1,128}")
"""What clients may call a group, a deduplication or an attempt: ASCII letters, digits and punctuation."""
_ACCOUNT: Final = re.compile(r"\d{12}")


@dataclass(slots=True)
class Call:
    """What an operation was called with, and what it works on.

    Args:
        params: The request as the JSON protocol has it.
        account: The caller's account.
        region: The caller's region.
        origin: What queue URLs begin with.
        now: The clock's reading.
        registry: All queues.
        trace: The X-Ray trace header that the request came with.
    """

    params: Mapping[str, Any]
    account: str
    region: str
    origin: str
    now: float
    registry: Registry
    trace: str = ""
    touched: Queue | None = None
    """The queue that the call turned out to be about, for the count of requests."""

    def queue(self) -> Queue:
        """The queue that ``QueueUrl`` names.

        Raises:
            SqsError: There is none, or it is no queue's URL.
        """
        key = locate(self.required("QueueUrl"), self.account, self.region)
        self.touched = queue = self.registry.get(*key)
        queue.advance(self.now)
        return queue

    def queue_of_arn(self, name: str) -> Queue:
        """The queue that the ARN in the parameter `name` names.

        Raises:
            SqsError: There is none.
        """
        queue = self.registry.by_arn(self.required(name))
        if queue is None:
            raise RESOURCE_DOES_NOT_EXIST.error(name=name)
        self.touched = queue
        queue.advance(self.now)
        return queue

    def url(self, queue: Queue) -> str:
        """A queue's URL, on the host that the caller reached us by."""
        return f"{self.origin}/{queue.account}/{queue.name}"

    def required(self, name: str) -> Any:
        """A parameter that must be there.

        Raises:
            SqsError: It isn't.
        """
        value = self.params.get(name)
        if value is None or value == "":
            raise MISSING_PARAMETER.error(name=name)
        return value


@functools.lru_cache(maxsize=1_000)
def locate(url: str, account: str, region: str) -> tuple[str, str, str]:
    """Account, region and name of the queue that a URL means.

    Understood: ``…/account/name``, ``…/queue/region/account/name``, and a bare name, which is the caller's.

    Raises:
        SqsError: It is no queue's URL.
    """
    try:
        parts = urlsplit(url).path.strip("/").split("/") if "/" in url else [url]
    except ValueError:
        raise INVALID_ADDRESS.error(url=url) from None
    match parts:
        case [name]:  # perhaps empty: the address of no queue
            return account, region, name
        case ["queue", of_region, of_account, name] if _ACCOUNT.fullmatch(of_account):
            return of_account, of_region, name
        case [*_, of_account, name] if _ACCOUNT.fullmatch(of_account):
            return of_account, region, name
        case _:
            raise INVALID_ADDRESS.error(url=url)


def integer(
    params: Mapping[str, Any], name: str, bounds: tuple[int, int], refusal: Refusal, **fields: object
) -> int | None:
    """An optional integer parameter; text is taken too, since the query protocol has nothing else.

    Raises:
        SqsError: It is no integer or out of `bounds`: `refusal`, filled with `fields`.
    """
    value = params.get(name)
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise refusal.error(value=value, **fields) from None
    if not bounds[0] <= number <= bounds[1]:
        raise refusal.error(value=value, **fields)
    return number


def page(call: Call, queues: Sequence[Queue], most: int) -> tuple[list[str], str]:
    """URLs of one page of queues in the order of names, and the token of the next; no token on the last.

    Raises:
        SqsError: ``MaxResults`` or ``NextToken`` is wrong.
    """
    limit = integer(call.params, "MaxResults", (1, most), MAX_RESULTS_RANGE, most=most)
    after = _read_token(call.params.get("NextToken") or "")
    rest = [queue for queue in queues if queue.name > after]
    shown = rest[: limit or most]
    token = base64.b64encode(shown[-1].name.encode()).decode() if limit and len(rest) > len(shown) else ""
    return [call.url(queue) for queue in shown], token


def _read_token(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except ValueError:
        raise INVALID_TOKEN.error(value=token) from None
