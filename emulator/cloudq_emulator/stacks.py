"""What moto's CloudFormation lacks: SAM's transform, errors that are seen, nothing skipped in silence.

AWS transforms a template and refuses what it doesn't know before it makes anything; a stack whose resources
can't be made is rolled back and its events say why. moto drops resource types that it doesn't know and
reports success.
"""

from __future__ import annotations

import importlib
import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

logger = logging.getLogger(__name__)

SAM_TRANSFORM: Final = "AWS::Serverless-2016-10-31"

_REGION: Final = "us-east-1"
"""The transform asks for a region only to tell AWS's partitions apart."""


class ResourceFailedError(Exception):
    """A resource of a stack couldn't be made.

    Args:
        logical_id: Its name in the template.
        resource_type: Its type.
        reason: What its service said.
    """

    def __init__(self, logical_id: str, resource_type: str, reason: str) -> None:
        super().__init__(f"{logical_id} ({resource_type}): {reason}")


@cache
def install() -> None:
    """Mend moto's CloudFormation in this process, once."""
    importlib.import_module("cloudq_emulator.alarms")  # moto finds a resource type by its class
    for known in (parsing.get_model_list, parsing.get_model_map, parsing.get_name_type_map):
        known.cache_clear()
    parse = Stack.parse_template
    Stack.parse_template = staticmethod(lambda template: complete(parse(template)))
    ChangeSet._parse_template = _parse_change_set  # noqa: SLF001 - moto has no hook here
    ChangeSet.apply = _apply_change_set
    Stack.create_resources = _create_or_roll_back(Stack.create_resources)  # pyright: ignore[reportAttributeAccessIssue]
    Stack.update = _update_or_fail(Stack.update)
    parsing.parse_and_create_resource = _named(parsing.parse_and_create_resource)
    parsing.parse_and_update_resource = _named(parsing.parse_and_update_resource)


def complete(template: dict[str, Any]) -> dict[str, Any]:
    """A template with SAM's resources transformed, and only such as the emulator can make.

    Raises:
        ValidationError: SAM refuses the template, or it has resources of unknown types.
    """
    if SAM_TRANSFORM in _transforms(template):
        template = transform(template)
    _refuse_unknown_types(template.get("Resources", {}))
    return template


def transform(template: dict[str, Any]) -> dict[str, Any]:
    """A SAM template as plain CloudFormation.

    Raises:
        ValidationError: SAM refuses it; the message is SAM's.
    """
    from boto3 import Session
    from samtranslator.model.exceptions import InvalidDocumentException
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.arn_generator import ArnGenerator
    from samtranslator.translator.translator import Translator

    ArnGenerator.BOTO_SESSION_REGION_NAME = _REGION
    translator = Translator(None, Parser(), boto_session=Session(region_name=_REGION))
    try:
        plain: dict[str, Any] = translator.translate(template, {})
    except InvalidDocumentException as error:
        causes = "; ".join(cause.message for cause in error.causes)
        raise ValidationError(message=f"Transform {SAM_TRANSFORM} failed with: {causes}") from error
    translator.metrics.publish()  # to nobody; unpublished ones end in a warning
    plain.pop("Transform", None)
    return plain


def _transforms(template: Mapping[str, Any]) -> list[str]:
    names = template.get("Transform", [])
    return [names] if isinstance(names, str) else names


def _refuse_unknown_types(resources: Mapping[str, Mapping[str, Any]]) -> None:
    known = {*parsing.get_model_map(), *parsing.NULL_MODELS}
    unknown = {
        logical_id: resource["Type"]
        for logical_id, resource in resources.items()
        if resource["Type"] not in known and not resource["Type"].startswith("Custom::")
    }
    if unknown:
        listed = ", ".join(f"{type_} ({logical_id})" for logical_id, type_ in sorted(unknown.items()))
        raise ValidationError(
            message=f"Template format error: Unrecognized resource types: [{listed}]; "
            "the emulator can't make them and won't leave them out in silence."
        )


def _parse_change_set(self: ChangeSet) -> None:
    self.template_dict = Stack.parse_template(self.template)


def _apply_change_set(self: ChangeSet) -> None:
    stack = self.stack
    stack.template_dict = self.template_dict
    stack.parameters = self.parameters
    stack.resource_map.update(self.template_dict, self.parameters)
    stack.output_map = stack._create_output_map()  # noqa: SLF001 - moto forgets it


def _create_or_roll_back(create: Callable[[Stack], None]) -> Callable[[Stack], None]:
    def create_resources(self: Stack) -> None:
        try:
            create(self)
        except ResourceFailedError as error:
            _record(self, "CREATE_FAILED", error)
            self.resource_map.delete()
            _forget_resources(self)
            _record(self, "ROLLBACK_COMPLETE", error)

    return create_resources


def _forget_resources(stack: Stack) -> None:
    """Leave the stack without a template: moto makes a resource when somebody asks for an output of it."""
    stack.template_dict = {}
    stack.resource_map = stack._create_resource_map()  # noqa: SLF001 - as moto begins a change set's stack
    stack.output_map = stack._create_output_map()  # noqa: SLF001


def _update_or_fail(update: Callable[..., None]) -> Callable[..., None]:
    def update_stack(stack: Stack, *args: Any, **kwargs: Any) -> None:
        try:
            update(stack, *args, **kwargs)
        except ResourceFailedError as error:
            _record(stack, "UPDATE_FAILED", error)

    return update_stack


def _record(stack: Stack, status: str, error: Exception) -> None:
    logger.warning("A stack failed: %s", error, extra={"action": "stack_failed", "stack": stack.name})
    stack.status = status
    stack._add_stack_event(status, resource_status_reason=str(error))  # noqa: SLF001 - as moto's own do


def _named(make: Callable[..., Any]) -> Callable[..., Any]:
    """`make`, whose errors tell the resource."""

    def make_resource(logical_id: str, resource_json: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return make(logical_id, resource_json, *args, **kwargs)
        except ResourceFailedError:
            raise  # of a resource that this one depends on
        except Exception as error:
            raise ResourceFailedError(logical_id, resource_json["Type"], _reason(error)) from error

    return make_resource


def _reason(error: Exception) -> str:
    return str(getattr(error, "message", "") or error or type(error).__name__)
