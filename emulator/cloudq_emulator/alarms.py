"""`AWS::CloudWatch::Alarm` for moto's CloudFormation, which knows dashboards only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import cloudwatch_backends
from moto.core.common_models import CloudFormationModel

if TYPE_CHECKING:
    from collections.abc import Mapping

_REQUIRED = {
    "namespace": "",
    "metric_name": "",
    "period": 60,
    "threshold": 0.0,
    "statistic": "",
    "description": "",
    "dimensions": (),
    "alarm_actions": (),
}
"""What moto wants of every alarm, and CloudFormation doesn't."""

_OPTIONAL = {
    "comparison_operator",
    "evaluation_periods",
    "datapoints_to_alarm",
    "extended_statistic",
    "insufficient_data_actions",
    "actions_enabled",
    "treat_missing_data",
    "unit",
}

_RENAMED = {"AlarmDescription": "description", "OKActions": "ok_actions"}


class AlarmResource(CloudFormationModel):
    """An alarm that a stack made.

    Args:
        name: The alarm's name.
        arn: Its ARN.
    """

    def __init__(self, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn

    @property
    def physical_resource_id(self) -> str:
        """What `Ref` gives."""
        return self.name

    @staticmethod
    def cloudformation_name_type() -> str:
        """The property that names it."""
        return "AlarmName"

    @staticmethod
    def cloudformation_type() -> str:
        """Its type in templates."""
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        from moto.cloudformation.exceptions import UnformattedGetAttTemplateException

        if attribute_name != "Arn":
            raise UnformattedGetAttTemplateException
        return self.arn

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> AlarmResource:
        backend = cloudwatch_backends[account_id][region_name]
        made = backend.put_metric_alarm(name=resource_name, **_arguments(cloudformation_json["Properties"]))
        return cls(made.name, made.alarm_arn)

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: AlarmResource,
        new_resource_name: str,  # noqa: ARG003 - an unnamed alarm's is generated anew; it keeps the old one
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
    ) -> AlarmResource:
        return cls.create_from_cloudformation_json(
            original_resource.name, cloudformation_json, account_id, region_name
        )

    def delete(self, account_id: str, region: str) -> None:
        """Remove it, with its stack."""
        cloudwatch_backends[account_id][region].delete_alarms([self.name])


def _arguments(properties: Mapping[str, Any]) -> dict[str, Any]:
    given = {
        _RENAMED.get(name) or re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(): value
        for name, value in properties.items()
        if value is not None and name not in {"AlarmName", "Tags"}
    }
    if unknown := given.keys() - _REQUIRED.keys() - _OPTIONAL - set(_RENAMED.values()):
        raise ValueError(f"The emulator's alarms don't have {', '.join(sorted(unknown))}.")
    return {**_REQUIRED, **given}
