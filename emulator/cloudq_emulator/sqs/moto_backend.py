"""Our queues in moto's house: what moto's other services send to, and CloudFormation creates, is ours.

moto's services run in threads and reach SQS through ``moto.sqs.models.sqs_backends``. The backend put there
hands each call over to the event loop's thread (`SqsService.hand_over`), so the engine needs no lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from moto.core.utils import tags_from_cloudformation_tags_list
from moto.sqs.exceptions import SQSException
from moto.sqs.models import Queue as MotoQueue
from moto.sqs.models import SQSBackend, sqs_backends

from cloudq_emulator.sqs.engine.settings import FIFO_ONLY, SETTABLE, Settings
from cloudq_emulator.sqs.errors import SqsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloudq_emulator.sqs.engine.queue import Queue
    from cloudq_emulator.sqs.service import SqsService


class EngineQueue(MotoQueue):
    """One of our queues as moto's services see it.

    Args:
        queue: Ours.
        url: Its URL, which CloudFormation's ``Ref`` gives.
    """

    def __init__(self, queue: Queue, url: str) -> None:  # moto's own would make a queue of its own
        self.name = queue.name
        self.region = queue.region
        self.account_id = queue.account
        self.queue_arn = queue.arn
        self.tags = queue.tags
        self.fifo_queue = queue.settings.is_fifo
        # moto notes event source mappings here, to run them inside a send; the mapping runner runs ours.
        self.lambda_event_source_mappings = {}
        self._url = url

    @property
    def physical_resource_id(self) -> str:
        return self._url

    @property
    def attributes(self) -> dict[str, Any]:
        return _backend(self.account_id, self.region).get_queue_attributes(self.name, ["All"])


class EngineBackend(SQSBackend):
    """moto's view of our queues in one account and region.

    `create_queue`, `get_queue`, `queues`, `delete_queue`, `get_queue_attributes` and `send_message` are all
    that moto's other services call; SQS's own requests never come here.
    """

    service: SqsService

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._views: dict[str, EngineQueue] = {}

    @property
    def queues(self) -> dict[str, MotoQueue]:
        """All queues by name, as of now."""
        mine = self.service.hand_over(lambda: self.service.registry.of(self.account_id, self.region_name))
        return {queue.name: self._view(queue) for queue in mine}

    @queues.setter
    def queues(self, queues: dict[str, MotoQueue]) -> None:
        """Moto's initializer sets an empty dict; there is nothing to keep."""

    def reset(self) -> None:
        """The service itself empties the queues."""
        self._views = {}

    def create_queue(self, name: str, tags: dict[str, str] | None = None, **kwargs: Any) -> MotoQueue:
        attributes = {key: value for key, value in kwargs.items() if key in SETTABLE}
        keeper = self.service.keeper
        if keeper is not None and keeper.adopt(f"arn:aws:sqs:{self.region_name}:{self.account_id}:{name}"):
            # It is one of the stack that the last run had, and that is being made again.
            return self.set_queue_attributes(name, _stated(kwargs))
        # CloudFormation waits until a name is free again; here nobody needs to.
        self.service.hand_over(
            lambda: self.service.registry.free_name(self.account_id, self.region_name, name)
        )
        self._perform("CreateQueue", {"QueueName": name, "Attributes": attributes, "tags": tags or {}})
        return self.get_queue(name)

    def get_queue(self, queue_name: str) -> MotoQueue:
        return self._view(self._find(queue_name))

    def delete_queue(self, queue_name: str) -> None:
        self._perform("DeleteQueue", {"QueueUrl": queue_name})

    def get_queue_attributes(self, queue_name: str, attribute_names: list[str]) -> dict[str, Any]:
        answer = self._perform(
            "GetQueueAttributes", {"QueueUrl": queue_name, "AttributeNames": attribute_names}
        )
        return answer.get("Attributes", {})

    def set_queue_attributes(self, queue_name: str, attributes: dict[str, Any]) -> MotoQueue:
        self._perform("SetQueueAttributes", {"QueueUrl": queue_name, "Attributes": attributes})
        return self.get_queue(queue_name)

    def send_message(self, queue_name: str, message_body: str, **kwargs: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride] - moto's callers name every other argument
        """Send for SNS, EventBridge, Scheduler and S3."""
        params = {
            "QueueUrl": queue_name,
            "MessageBody": message_body,
            "MessageAttributes": kwargs.get("message_attributes"),
            "DelaySeconds": kwargs.get("delay_seconds"),
            "MessageGroupId": kwargs.get("group_id"),
            # A FIFO topic may have standard queues, which it gives none.
            "MessageDeduplicationId": kwargs.get("deduplication_id")
            if queue_name.endswith(".fifo")
            else None,
        }
        return self._perform("SendMessage", params)

    def _perform(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        service = self.service

        def perform() -> dict[str, Any]:
            call = service.begin(params, account=self.account_id, region=self.region_name)
            return cast("dict[str, Any]", service.perform(operation, call))

        try:
            return service.hand_over(perform)
        except SqsError as error:
            raise SQSException(error.code, error.message) from error

    def _find(self, name: str) -> Queue:
        registry = self.service.registry
        try:
            return self.service.hand_over(lambda: registry.get(self.account_id, self.region_name, name))
        except SqsError as error:
            raise SQSException(error.code, error.message) from error

    def _view(self, queue: Queue) -> EngineQueue:
        view = self._views.get(queue.uid)
        if view is None:
            url = f"{self.service.origin}/{queue.account}/{queue.name}"
            view = self._views[queue.uid] = cast("EngineQueue", EngineQueue(queue, url))
        return view


def install(service: SqsService) -> None:
    """Make `service` the SQS that moto's other services know; the last one installed in a process counts."""
    # moto finds a backend's URLs by its class's module.
    name, module = "EngineBackend", "moto.sqs.models"
    sqs_backends.backend = type(name, (EngineBackend,), {"service": service, "__module__": module})
    sqs_backends.clear()
    # CloudFormation calls these on moto's own class, and moto's update knows two attributes only.
    MotoQueue.update_from_cloudformation_json = classmethod(_update)  # pyright: ignore[reportAttributeAccessIssue]


def _update(
    _cls: type[MotoQueue],
    original_resource: Any,
    new_resource_name: str,
    cloudformation_json: Any,
    account_id: str,
    region_name: str,
) -> MotoQueue:
    """Make a queue what its template says; a property that was taken out goes back to its default."""
    backend = _backend(account_id, region_name)
    properties = cloudformation_json.get("Properties", {})
    if new_resource_name != original_resource.name:
        tags = tags_from_cloudformation_tags_list(properties.get("Tags", []))
        return backend.create_queue(new_resource_name, tags, **properties)
    return backend.set_queue_attributes(original_resource.name, _stated(properties))


def _stated(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that properties say a queue has, those that they don't mention at their defaults."""
    unset = {
        name: Settings().written(name) or ""
        for name in SETTABLE
        if name not in FIFO_ONLY and name != "Policy"
    }
    stated = {name: value for name, value in properties.items() if name in SETTABLE and name != "FifoQueue"}
    return {**unset, **stated}


def _backend(account: str, region: str) -> EngineBackend:
    return cast("EngineBackend", sqs_backends[account][region])
