"""One call of an operation, as the actions see it."""

from __future__ import annotations

import base64
import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import orjson

from cloudq_emulator.sqs.refusals import (
    ARN_IS_NONE,
    INVALID_ADDRESS,
    INVALID_TOKEN,
    MAX_RESULTS_RANGE,
    MISSING_PARAMETER,
    RESOURCE_DOES_NOT_EXIST,
    TOKEN_NEEDS_MAX_RESULTS,
    TOKEN_OF_OTHER_REQUEST,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cloudq_emulator.sqs.engine.queue import Queue
    from cloudq_emulator.sqs.engine.registry import Registry
    from cloudq_emulator.sqs.errors import Refusal

IDENTIFIER: Final = re.compile(r"[!-~]{1,128}")
"""What clients may call a group, a deduplication or an attempt: ASCII letters, digits and punctuation."""
_ACCOUNT: Final = re.compile(r"\d{12}")
_ARN: Final = re.compile(r"arn:[\w-]+:sqs:[^:]*:[^:]*:[^:]+")
_AWS_HOST: Final = re.compile(
    r"(https?://(?:sqs\.([\w-]+)|([\w-]+)\.queue)\.amazonaws\.com(?:\.cn)?/)", re.ASCII
)


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
            SqsError: There is none, or it is no ARN.
        """
        self.touched = queue = self.find_by_arn(name)
        queue.advance(self.now)
        return queue

    def find_by_arn(self, name: str) -> Queue:
        """As `queue_of_arn`, without the call's being about it.

        Raises:
            SqsError: There is none, or it is no ARN.
        """
        arn = self.params.get(name)
        if arn is None:
            raise MISSING_PARAMETER.error(name=name)
        if not _ARN.fullmatch(arn):
            raise ARN_IS_NONE.error(name=name)
        queue = self.registry.by_arn(arn)
        if queue is None:
            raise RESOURCE_DOES_NOT_EXIST.error(name=name)
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
        SqsError: It is no queue's URL, or one of AWS's in another region.
    """
    aws = _AWS_HOST.match(url)
    if aws is not None and region not in aws.groups():
        raise INVALID_ADDRESS.error(url=aws[1])
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
    limit = integer(call.params, "MaxResults", (0, most), MAX_RESULTS_RANGE)
    token = call.params.get("NextToken")
    if token and not limit:
        raise TOKEN_NEEDS_MAX_RESULTS.error()
    about = call.params.get("QueueNamePrefix") or call.params.get("QueueUrl") or ""
    after = _read_token(token, about) if token else ""
    rest = [queue for queue in queues if queue.name > after]
    shown = rest[: limit or most]
    has_more = limit and len(rest) > len(shown)
    return [call.url(queue) for queue in shown], _token(shown[-1].name, about) if has_more else ""


def _token(after: str, about: str) -> str:
    return base64.b64encode(orjson.dumps([after, about])).decode()


def _read_token(token: str, about: str) -> str:
    try:
        after, before = orjson.loads(base64.b64decode(token, validate=True))
    except (ValueError, TypeError):
        raise INVALID_TOKEN.error() from None
    if before != about:
        raise TOKEN_OF_OTHER_REQUEST.error()
    return str(after)
