"""CloudFormation's short forms, as values that know how to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Intrinsic:
    """A function of CloudFormation's.

    Args:
        name: As its short form: "Ref", "Sub", "GetAtt", "If".
        value: Its argument.
    """

    name: str
    value: Any

    def long_form(self) -> dict[str, Any]:
        """The form that JSON can hold."""
        if self.name in {"Ref", "Condition"}:
            return {self.name: self.value}
        value = self.value.split(".") if self.name == "GetAtt" else plain(self.value)
        return {f"Fn::{self.name}": value}


def ref(logical_id: str) -> Intrinsic:
    """A parameter's value, or what identifies a resource."""
    return Intrinsic("Ref", logical_id)


def sub(text: str) -> Intrinsic:
    """A text with `${…}` filled in."""
    return Intrinsic("Sub", text)


def attribute(logical_id: str, name: str) -> Intrinsic:
    """An attribute of a resource."""
    return Intrinsic("GetAtt", f"{logical_id}.{name}")


def arn(logical_id: str) -> Intrinsic:
    """A resource's ARN."""
    return attribute(logical_id, "Arn")


def either(condition: str, then: Any, otherwise: Any) -> Intrinsic:
    """One of two values."""
    return Intrinsic("If", [condition, then, otherwise])


NO_VALUE = ref("AWS::NoValue")


def plain(value: Any) -> Any:
    """The same with the long forms, as JSON has it."""
    match value:
        case Intrinsic():
            return value.long_form()
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


class Dumper(yaml.SafeDumper):
    """Writes short forms, indents lists, and never points from one place to another."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - yaml's signature
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        super().increase_indent(flow, False)


def _represent(dumper: yaml.SafeDumper, value: Intrinsic) -> yaml.Node:
    if isinstance(value.value, list):
        return dumper.represent_sequence(f"!{value.name}", value.value, flow_style=True)
    return dumper.represent_scalar(f"!{value.name}", value.value)


Dumper.add_representer(Intrinsic, _represent)
